"""MMLU: general knowledge of 57 subjects by multiple choice (Hendrycks et al. 2021, arXiv:2009.03300).

The hub could not be reached, so no real file has been read. Verified: columns question, subject, choices and answer (a
place from 0) and configuration "all" on the cards of copies of the data set (hails/mmlu_no_train); the split "test" and
how the columns are read in EleutherAI/lm-evaluation-harness, lm_eval/tasks/mmlu.
"""

from __future__ import annotations

from pathlib import Path

from eval.tasks.choice import choice_row
from eval.tasks.questions import Item
from eval.tasks.rows import read_rows
from eval.tasks.task import Task

HUB = "cais/mmlu"


def _read(folder: Path | None) -> dict[str, list[Item]]:
    rows = read_rows(folder, HUB, file="all/test", config="all", split="test")
    return {
        "mmlu": [
            choice_row("mmlu", row, cluster=f"mmlu {number}", relation=row.text("subject"))
            for number, row in enumerate(rows, 1)
        ]
    }


MMLU = Task("mmlu", "Hendrycks et al. 2021 (MMLU)", HUB, met=False, roles={"mmlu": "general"}, read=_read)
