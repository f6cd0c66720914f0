"""WMDP: hazardous biology, cyber security and chemistry by multiple choice (Li et al. 2024, arXiv:2403.03218).

The hub could not be reached, so no real file has been read. Verified: columns question, choices and answer (a place
from 0) on the data set's card; configurations and the split "test" there and in EleutherAI/lm-evaluation-harness,
lm_eval/tasks/wmdp.
"""

from __future__ import annotations

from pathlib import Path

from eval.tasks.choice import choice_row
from eval.tasks.questions import Item
from eval.tasks.rows import read_rows
from eval.tasks.task import Role, Task

HUB = "cais/wmdp"
_ROLES: dict[str, Role] = {"wmdp-bio": "forget", "wmdp-cyber": "forget", "wmdp-chem": "forget"}


def _read(folder: Path | None) -> dict[str, list[Item]]:
    found = {}
    for split in _ROLES:
        rows = read_rows(folder, HUB, file=f"{split}/test", config=split, split="test")
        found[split] = [choice_row(split, row, cluster=f"{split} {number}") for number, row in enumerate(rows, 1)]
    return found


WMDP = Task("wmdp", "Li et al. 2024 (WMDP)", HUB, met=False, roles=_ROLES, read=_read)
