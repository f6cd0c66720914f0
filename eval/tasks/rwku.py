"""RWKU: two hundred famous people to be forgotten (Jin et al. 2024, arXiv:2406.10890).

The hub could not be reached, so no real file has been read. Verified in the repository jinzhuoran/RWKU: configurations
and their split "test" (process/data_process.py; those of the two mia sets are named as the files are, unseen), columns
query, answer, type and subject (eval_forget.py, eval_neighbor.py), text (eval_mia.py), question, choices and answer
(eval_mmlu.py), mc1_targets (eval_truthfulqa.py) and answers (eval_triviaqa.py); file names in the data set's listing.
The instruction before a question is in our words, and of the utility sets two are left out: BBH's answers need
extracting from a chain of thought, and the fluency set has no references.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eval.tasks.choice import choice_row
from eval.tasks.questions import Item
from eval.tasks.rows import Row, read_rows
from eval.tasks.task import Role, Task
from guard.errors import ConfigError

HUB = "jinzhuoran/RWKU"
_ROLES: dict[str, Role] = {
    "forget_level1": "forget",
    "forget_level2": "forget",
    "forget_level3": "forget",
    "neighbor_level1": "neighbour",
    "neighbor_level2": "neighbour",
    "mia_forget": "forget",
    "mia_retain": "retain",
    "utility_general": "general",
    "utility_truthfulness": "general",
    "utility_factuality": "general",
}
# Where a file is not named as its configuration.
_FILES = {
    "mia_forget": "forget_mia",
    "mia_retain": "retain_mia",
    "utility_general": "retain_mmlu",
    "utility_truthfulness": "truthful",
    "utility_factuality": "triviaqa",
}


def _probe(split: str, row: Row, number: int) -> Item:
    """Level 1 fills a blank, level 2 asks, level 3 asks in one of nine adversarial ways, which `relation` names."""
    query = row.text("query")
    asked = f"Fill in the blank.\n{query}" if split.endswith("level1") else query
    kind = row.text("type") if split == "forget_level3" else ""
    return Item(split, asked, row.text("answer"), row.text("subject"), relation=kind)


def _passage(split: str, row: Row, number: int) -> Item:
    cluster = row.text("subject") if split == "mia_forget" else f"{split} {number}"
    return Item(split, "", row.text("text"), cluster, form="text")


def _mmlu(split: str, row: Row, number: int) -> Item:
    return choice_row(split, row, cluster=f"{split} {number}", relation=row.text("task"))


def _truthful(split: str, row: Row, number: int) -> Item:
    """TruthfulQA's MC1: the one true answer must be likelier than every false one."""
    targets = row.inner("mc1_targets")
    choices, labels = targets.texts("choices"), targets.fields.get("labels")
    if not isinstance(labels, list) or len(labels) != len(choices) or labels.count(1) != 1:
        raise ConfigError(f"{targets.where}: labels must mark one of the choices with 1; fetch the file anew")
    true = labels.index(1)
    wrong = tuple(choice for place, choice in enumerate(choices) if place != true)
    return Item(split, row.text("question"), choices[true], f"{split} {number}", perturbed=wrong, form="text")


def _trivia(split: str, row: Row, number: int) -> Item:
    """TriviaQA; RWKU takes the best of all aliases, here only the first one counts."""
    return Item(split, row.text("question"), row.texts("answers")[0], f"{split} {number}", form="holds")


def _maker(split: str) -> Callable[[str, Row, int], Item]:
    others = {"utility_general": _mmlu, "utility_truthfulness": _truthful, "utility_factuality": _trivia}
    return _passage if split.startswith("mia") else others.get(split, _probe)


def _read(folder: Path | None) -> dict[str, list[Item]]:
    """`folder` is the data set's All, or the folder of one of its targets."""
    found = {}
    for split in _ROLES:
        rows = read_rows(folder, HUB, file=_FILES.get(split, split), config=split, split="test")
        found[split] = [_maker(split)(split, row, number) for number, row in enumerate(rows, 1)]
    return found


RWKU = Task("rwku", "Jin et al. 2024 (RWKU)", HUB, met=False, roles=_ROLES, read=_read)
