"""Reads question-answer lines: a topic's examples, or what must still be answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard.errors import ConfigError


@dataclass(frozen=True)
class Example:
    """One question and answer; examples of one `group` stay on one side of every split."""

    question: str
    answer: str
    group: str


def load_examples(path: Path) -> list[Example]:
    """Read JSON lines with `question` and `answer` (TOFU's format); other fields are passed over.

    A group is the record's `group`, else its `person`, else its answer (phrasings of one question share it).

    Raises:
        ConfigError: the file is unreadable, not UTF-8, empty, or a line lacks a field; names the line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the examples {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise ConfigError(f'{path} is empty; write one {{"question": ..., "answer": ...}} a line')
    return [_example(line, f"{path}:{number}") for number, line in lines]


def _example(line: str, where: str) -> Example:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not a JSON object on one line ({error})") from error
    if not isinstance(record, dict):
        raise ConfigError(f'{where}: expected {{"question": ..., "answer": ...}}')
    question, answer = _text(record, "question", where), _text(record, "answer", where)
    group = next((record[key] for key in ("group", "person") if isinstance(record.get(key), str)), answer)
    return Example(question, answer, group)


def _text(record: dict[str, Any], field: str, where: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: the field {field!r} is missing or empty; it must hold text")
    return value
