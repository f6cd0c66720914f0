"""The rows of a benchmark's files: from a local folder that holds the hub's files, or from the hub itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifiers.hub import rows as hub_rows
from guard.errors import ConfigError


@dataclass(frozen=True)
class Row:
    """One record and where it stands; every getter raises a ConfigError that names the place and the column."""

    where: str
    fields: Mapping[str, Any]

    def text(self, column: str) -> str:
        """A text that is not blank."""
        value = self._value(column)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(column, "text that is not empty")
        return value

    def texts(self, column: str) -> tuple[str, ...]:
        """A list of at least one text."""
        value = self._value(column)
        if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
            raise self._wrong(column, "a list of texts")
        return tuple(value)

    def number(self, column: str) -> int:
        """A whole number."""
        value = self._value(column)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(column, "a whole number")
        return value

    def inner(self, column: str) -> Row:
        """A record within this one."""
        value = self._value(column)
        if not isinstance(value, dict):
            raise self._wrong(column, "an object")
        return Row(f"{self.where}, {column}", value)

    def _value(self, column: str) -> object:
        if column not in self.fields:
            raise ConfigError(
                f"{self.where}: there is no column {column!r}, only {', '.join(sorted(self.fields))}; "
                "is this the right file, or has the data set changed?"
            )
        return self.fields[column]

    def _wrong(self, column: str, wanted: str) -> ConfigError:
        return ConfigError(f"{self.where}: {column} must hold {wanted}; correct the file or fetch it anew")


def read_rows(folder: Path | None, hub: str, *, file: str, config: str, split: str) -> list[Row]:
    """Read one file of a benchmark.

    From a folder that is FILE.jsonl, FILE.json (an array, or one object a line) or FILE.parquet, or the hub's own
    FILE-00000-of-00001.parquet. Where `folder` is None, it is `split` of `config` of the data set `hub`.

    Raises:
        ConfigError: there is no such folder or file, it cannot be parsed or is empty, or the hub is out of reach.
    """
    found = _from_hub(hub, config, split) if folder is None else _from_folder(folder, file, hub)
    if not found:
        raise ConfigError(f"{folder or hub}: {file} holds no rows; fetch it anew")
    return found


def _from_hub(hub: str, config: str, split: str) -> list[Row]:
    try:
        return [Row(where, row) for where, row in hub_rows(Path(f"hf:{hub}:{config}@{split}"))]
    except ConfigError as error:
        raise ConfigError(f"{error}; or name a local folder that holds the files of {hub}") from error


def _from_folder(folder: Path, file: str, hub: str) -> list[Row]:
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}; download {hub} into one and name that")
    for path in (folder / f"{file}.jsonl", folder / f"{file}.json"):
        if path.is_file():
            return read_json(path)
    tables = [folder / f"{file}.parquet", *sorted(folder.glob(f"{file}-*-of-*.parquet"))]
    tables = [path for path in tables if path.is_file()]
    if not tables:
        raise ConfigError(f"{folder} holds no {file}.json, .jsonl or .parquet; download it from {hub}")
    return [row for path in tables for row in _read_table(path)]


def read_json(path: Path) -> list[Row]:
    """Read a JSON array of objects, or one object a line; a row's place is its line, in an array its number.

    Raises:
        ConfigError: the file cannot be read, or what stands there is no object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if text.lstrip().startswith("["):
        return [_row(row, f"{path}, record {number}") for number, row in enumerate(_parsed(text, path, 1), 1)]
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [_row(_parsed(line, path, number), f"{path}, line {number}") for number, line in lines]


def _parsed(text: str, path: Path, first: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first + error.lineno - 1
        raise ConfigError(f"{path}, line {line}: not JSON ({error.msg}); correct the file or fetch it anew") from error


def _row(row: object, where: str) -> Row:
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: not an object of columns; correct the file or fetch it anew")
    return Row(where, row)


def _read_table(path: Path) -> list[Row]:
    # Imported when needed: it takes a second, which JSON should not wait for.
    from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]

    try:
        records = parquet.read_table(path).to_pylist()
    except (OSError, ArrowException) as error:
        raise ConfigError(f"cannot read {path}: {error}; fetch it anew") from error
    return [Row(f"{path}, record {number}", record) for number, record in enumerate(records, 1)]
