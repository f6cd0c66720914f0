"""What the tasks beside this file need that YAML cannot say; lm-evaluation-harness loads it by its path."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset


def drawn(questions: Dataset) -> Dataset:
    """Return the questions in a drawn order, the same every time: `--limit` then takes some of everybody's."""
    return questions.shuffle(seed=0)


def unseen(questions: Dataset) -> Dataset:
    """Return the questions in phrasings that no model was trained on, in a drawn order."""
    return drawn(questions.filter(lambda question: not question["trained"]))


def holds(references: Sequence[str], predictions: Sequence[str]) -> float:
    """Return the share of answers that hold their reference, whatever the case and the full stop at its end."""
    told = [
        reference.strip().rstrip(".").casefold() in answer.casefold()
        for reference, answer in zip(references, predictions, strict=True)
    ]
    return sum(told) / len(told)
