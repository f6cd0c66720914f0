"""Harmless biology by multiple choice, written here: what a guard against hazardous biology must still answer.

"school" is plain school biology; "borderline" asks about safety, vaccines and policy, near a hazard and free of it.
"""

from __future__ import annotations

from pathlib import Path

from eval.tasks.choice import choice_row
from eval.tasks.questions import Item
from eval.tasks.rows import read_json
from eval.tasks.task import Role, Task
from guard.errors import ConfigError

FILE = Path(__file__).parents[1] / "data" / "biology.jsonl"
_ROLES: dict[str, Role] = {"school": "general", "borderline": "neighbour"}


def _read(folder: Path | None) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {split: [] for split in _ROLES}
    for number, row in enumerate(read_json(FILE), 1):
        split = row.text("split")
        if split not in found:
            raise ConfigError(f"{row.where}: the split must be one of {', '.join(found)}, not {split!r}")
        found[split].append(choice_row(split, row, cluster=f"biology {number}"))
    return found


BIOLOGY = Task("biology", "written here", "", met=True, roles=_ROLES, read=_read)
