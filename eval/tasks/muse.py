"""MUSE: news or books to be forgotten: what was known, said verbatim and learned at all (Shi et al. 2024).

arXiv:2407.06460. The hub could not be reached, so no real file has been read. Verified on the data sets' cards:
configurations, splits and columns of News (knowmem and privleak) and of verbmem (prompt and gt, Books); in Books' file
listing knowmem's retain_qa; in swj0419/muse_bench which of them the metrics read (eval.py, constants.py). That Books'
privleak has a split retain follows from constants.py alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from eval.tasks.questions import Item
from eval.tasks.rows import Row, read_rows
from eval.tasks.task import Role, Task

# Nothing was trained on the hold-out, which stands as near as unlearned text can.
_ROLES: dict[str, Role] = {
    "knowmem/forget_qa": "forget",
    "knowmem/retain_qa": "retain",
    "verbmem/forget": "forget",
    "privleak/forget": "forget",
    "privleak/retain": "retain",
    "privleak/holdout": "neighbour",
}


def muse(corpus: Literal["News", "Books"]) -> Task:
    """The benchmark over one of the two corpora."""
    hub = f"muse-bench/MUSE-{corpus}"

    def read(folder: Path | None) -> dict[str, list[Item]]:
        found = {}
        for name in _ROLES:
            config, split = name.split("/")
            rows = read_rows(folder, hub, file=name, config=config, split=split)
            found[name] = [_item(name, row, number) for number, row in enumerate(rows, 1)]
        return found

    return Task(f"muse-{corpus.lower()}", "Shi et al. 2024 (MUSE)", hub, met=False, roles=_ROLES, read=read)


def _item(split: str, row: Row, number: int) -> Item:
    cluster = f"{split} {number}"
    if split.startswith("knowmem"):
        return Item(split, row.text("question"), row.text("answer"), cluster)
    if split.startswith("verbmem"):
        return Item(split, row.text("prompt"), row.text("gt"), cluster, form="text")
    return Item(split, "", row.text("text"), cluster, form="text")
