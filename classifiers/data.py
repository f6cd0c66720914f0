"""Reads example files: question-answer pairs, questions, or passages of text."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from classifiers.hub import is_data_set, rows
from classifiers.words import names, passages_of
from guard.errors import ConfigError

_PLAIN = frozenset({".txt", ".md"})
_LARGEST_ENTITY = 60


@dataclass(frozen=True)
class Example:
    """One question and answer; examples of one `group` stay on one side of every split.

    A passage of text has itself for an answer; a question without one has an empty answer. `where` is the file and
    line that it was read from, empty where it was made.
    """

    question: str
    answer: str
    group: str
    where: str = field(default="", compare=False)

    @property
    def passage(self) -> bool:
        """Whether this is a piece of text, not a question."""
        return self.question == self.answer


def load_examples(path: Path) -> list[Example]:
    """Read a file, or every file of a folder.

    JSON lines with `question` and `answer` (TOFU's format; it may be left out) or with `text`, where other fields are
    passed over; CSV with the same columns; .txt and .md as text, or as questions where every line ends in "?".
    A group is the record's `group`, else its `person`, else its answer (phrasings of one question share it). Instead of
    a file, a Hugging Face data set with these fields (see `classifiers.hub`).

    Raises:
        ConfigError: a file is unreadable, not UTF-8, empty, or a line lacks a field; names the line.
    """
    if is_data_set(path):
        found = [example for where, row in rows(path) for example in _examples(row, where)]
        if not found:
            raise ConfigError(f"the data set {path} is empty; name another split")
        return found
    return [example for file in _files(path) for example in _read(file)]


def fingerprint(path: Path) -> bytes:
    """A digest of a file's content, of a folder's files with their names, or of a data set's records.

    Raises:
        ConfigError: something cannot be read.
    """
    if is_data_set(path):
        records = (json.dumps(row, sort_keys=True, default=str).encode() for _, row in rows(path))
        return hashlib.sha256(b"\n".join(records)).digest()
    parts = [hashlib.sha256(_bytes(file)).digest() for file in _files(path)]
    if path.is_dir():
        parts = [file.name.encode() + b"\0" + part for file, part in zip(_files(path), parts, strict=True)]
    return hashlib.sha256(b"".join(parts)).digest() if path.is_dir() else parts[0]


def entity_groups(examples: Sequence[Example]) -> list[Example]:
    """Examples regrouped by whom they are about, where the file itself does not say.

    That is the name that most other examples share, unless so many do that it is no one's (a city, a prize).
    """
    found = [set(names(f"{example.question} {example.answer}")) for example in examples]
    counts = Counter(name for group in found for name in group)
    out = []
    for example, own in zip(examples, found, strict=True):
        shared = [name for name in own if 2 <= counts[name] <= _LARGEST_ENTITY]
        if example.group != example.answer or not shared:
            out.append(example)
        else:
            out.append(replace(example, group=f"entity:{max(shared, key=lambda name: (counts[name], name))}"))
    return out


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise ConfigError(f"the folder {path} holds no example file; put one there, or name a file")
    return files


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the examples {path}: {error}") from error


def _read(path: Path) -> list[Example]:
    try:
        text = _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    if not text.strip():
        raise ConfigError(f'{path} is empty; write one {{"question": ..., "answer": ...}} a line, or plain text')
    if path.suffix.lower() in _PLAIN:
        return _plain(text, path)
    if path.suffix.lower() == ".csv":
        return [example for where, row in _rows(text, path) for example in _examples(row, where)]
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [example for number, line in lines for example in _json(line, f"{path}:{number}")]


def _plain(text: str, path: Path) -> list[Example]:
    lines = [(f"{path}:{number}", line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if all(line.endswith("?") for _, line in lines):
        return [Example(line, "", line, where) for where, line in lines]
    return _passages(text, str(path))


def _passages(text: str, where: str) -> list[Example]:
    return [Example(piece, piece, f"text:{piece}", where) for piece in passages_of(text)]


def _rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = {name.strip().lower() for name in reader.fieldnames or ()}
        if not columns & {"question", "text"}:
            raise ConfigError(f"{path}:1: the first line must name the columns `question` (and `answer`), or `text`")
        for row in reader:
            yield f"{path}:{reader.line_num}", {str(key).strip().lower(): value for key, value in row.items()}
    except csv.Error as error:
        raise ConfigError(f"{path}:{reader.line_num}: not valid CSV ({error})") from error


def _json(line: str, where: str) -> list[Example]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not a JSON object on one line ({error})") from error
    if not isinstance(record, dict):
        raise ConfigError(f'{where}: expected {{"question": ...}} or {{"text": ...}}')
    return _examples(record, where)


def _examples(record: dict[str, Any], where: str) -> list[Example]:
    if "text" in record and "question" not in record:
        return _passages(_text(record, "text", where), where)
    question = _text(record, "question", where)
    answer = _text(record, "answer", where) if record.get("answer") else ""
    named = (record.get(key) for key in ("group", "person"))
    group = next((name for name in named if isinstance(name, str) and name), answer or question)
    return [Example(question, answer, group, where)]


def _text(record: dict[str, Any], field: str, where: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: the field {field!r} is missing or empty; it must hold text")
    return value
