"""Questions with reference answers, and the JSON lines they are read from (TOFU's fields)."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from guard.errors import ConfigError

# How an answer is scored (eval.metrics.answered); "text" is never asked, only scored by teacher forcing.
Form = Literal["recall", "holds", "letter", "text"]


@dataclass(frozen=True)
class Item:
    """One question of one split.

    `cluster` names whom it is about; questions with the same cluster are not independent. `trained` is None where
    the file does not say whether the model saw this phrasing. `paraphrased` and `perturbed` are the right answer in
    other words and wrong ones like it (TOFU, Maini et al. 2024, section 2.2.2); empty where there are none.
    """

    split: str
    question: str
    answer: str
    cluster: str
    relation: str = ""
    phrasing: str = ""
    trained: bool | None = None
    paraphrased: str = ""
    perturbed: tuple[str, ...] = ()
    form: Form = "recall"


def load_questions(path: Path, split: str) -> list[Item]:
    """Read JSON lines with `question`, `answer` and, where known, the other fields of `Item` under TOFU's names.

    TOFU's files read as they are; a line without `person` is a cluster of its own.

    Raises:
        ConfigError: the file is missing, empty, or a line lacks what is needed.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the questions in {path}: {error}") from error
    items = [_item(line, split, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not items:
        raise ConfigError(f"{path} holds no questions; write one JSON object with question and answer a line")
    return items


def _item(line: str, split: str, where: str) -> Item:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON ({error})") from error
    if not isinstance(row, dict) or not all(_text(row.get(key)) for key in ("question", "answer")):
        raise ConfigError(f"{where}: needs a question and an answer, both text that is not empty")
    trained = row.get("trained")
    if trained is not None and not isinstance(trained, bool):
        raise ConfigError(f"{where}: trained must be true or false")
    perturbed = row.get("perturbed_answer", [])
    perturbed = [perturbed] if isinstance(perturbed, str) else perturbed
    if not isinstance(perturbed, list) or not all(map(_text, perturbed)):
        raise ConfigError(f"{where}: perturbed_answer must be a list of texts that are not empty")
    return Item(
        split=split,
        question=row["question"],
        answer=row["answer"],
        cluster=str(row.get("person") or row["question"]),
        relation=str(row.get("relation", "")),
        phrasing=str(row.get("phrasing", "")),
        trained=trained,
        paraphrased=str(row.get("paraphrased_answer", "")),
        perturbed=tuple(perturbed),
    )


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def sample_clusters(items: Sequence[Item], limit: int | None, *, seed: int) -> list[Item]:
    """Keep every question of `limit` clusters drawn with `seed`; all of them when limit is None or not reached."""
    names = sorted({item.cluster for item in items})
    if limit is None or limit >= len(names):
        return list(items)
    kept = set(random.Random(seed).sample(names, limit))
    return [item for item in items if item.cluster in kept]
