"""TOFU: two hundred invented authors with twenty questions each (Maini et al. 2024, arXiv:2401.06121).

Files are those of the hub, JSON lines: forget10_perturbed.json holds what forget10.json does, with paraphrased and
perturbed answers beside it, so the forget questions are read from there. Local files of size 10 have been read and are
tested; of 01 and 05 only the names were seen, in the hub's listing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from eval.tasks.questions import Item
from eval.tasks.rows import Row, read_rows
from eval.tasks.task import Role, Task

HUB = "locuslab/TOFU"
AUTHORS, EACH = 200, 20
Size = Literal["01", "05", "10"]


def tofu(size: Size) -> Task:
    """The benchmark with `size` per cent of the authors to be forgotten."""
    retain = f"retain{100 - int(size)}"
    roles: dict[str, Role] = {
        f"forget{size}": "forget",
        retain: "retain",
        "retain_perturbed": "retain",
        "real_authors_perturbed": "neighbour",
        "world_facts_perturbed": "general",
    }
    # The forgotten are numbered on from the retained, so that no two authors of a task share a cluster.
    first = {f"forget{size}": AUTHORS - AUTHORS * int(size) // 100, retain: 0, "retain_perturbed": 0}

    def read(folder: Path | None) -> dict[str, list[Item]]:
        return {split: _items(split, folder, first.get(split)) for split in roles}

    return Task(f"tofu{size}", "Maini et al. 2024 (TOFU)", HUB, met=size == "10", roles=roles, read=read)


def _items(split: str, folder: Path | None, first: int | None) -> list[Item]:
    """`first` is the number of the file's first author; None where the questions are about nobody of the two hundred.

    retain_perturbed is the beginning of retain90, so its authors count from 0 as well.
    """
    file = f"{split}_perturbed" if split.startswith("forget") else split
    rows = read_rows(folder, HUB, file=file, config=file, split="train")
    return [_item(split, row, number, first) for number, row in enumerate(rows)]


def _item(split: str, row: Row, number: int, first: int | None) -> Item:
    question = row.text("question")
    return Item(
        split=split,
        question=question,
        answer=row.text("answer"),
        cluster=question if first is None else f"author {first + number // EACH}",
        # The retain set has neither; real authors and world facts have no paraphrase.
        paraphrased=row.text("paraphrased_answer") if "paraphrased_answer" in row.fields else "",
        perturbed=row.texts("perturbed_answer") if "perturbed_answer" in row.fields else (),
    )
