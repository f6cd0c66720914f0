"""Multiple choice: one prompt for every benchmark, in the archive's own form."""

from __future__ import annotations

from eval.tasks.questions import Item
from eval.tasks.rows import Row
from eval.world.questions import LETTERS, Choice
from guard.errors import ConfigError


def choice_item(split: str, asked: Choice, *, cluster: str) -> Item:
    """The question with its options, each with its letter behind it; the answer is the right one's letter."""
    return Item(split, asked.prompt, asked.answer, cluster, relation=asked.relation, form="letter")


def choice_row(split: str, row: Row, *, cluster: str, relation: str = "") -> Item:
    """Make an item of `question`, `choices` and `answer`, the right one's place counted from 0 (MMLU's columns).

    Raises:
        ConfigError: a column is missing, there are not four options, or the answer is none of them.
    """
    options, place = row.texts("choices"), row.number("answer")
    if len(options) != len(LETTERS):
        raise ConfigError(f"{row.where}: choices must hold {len(LETTERS)} options, not {len(options)}")
    if not 0 <= place < len(options):
        raise ConfigError(f"{row.where}: answer must be a place from 0 to {len(options) - 1}, not {place}")
    asked = Choice(row.text("question"), options, LETTERS[place], cluster, relation)
    return choice_item(split, asked, cluster=cluster)
