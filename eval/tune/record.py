"""What a search has tried so far, on disk after every evaluation, so that a stopped one goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.report import write_atomically
from eval.tune.figures import Point
from guard.errors import ConfigError
from guard.policy import CorruptAction

SEARCH = "search.jsonl"


class Record:
    """The file `search.jsonl` of a folder: the settings in its first line, then a point a line."""

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        """
        Raises:
            ConfigError: the folder cannot be written, or holds a search with other settings.
        """
        self._path = out / SEARCH
        self._settings: dict[str, Any] = json.loads(json.dumps(settings))
        self._points: dict[tuple[str, float | None], Point] = {}
        try:
            out.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                self._load()
            self._write()
        except OSError as error:
            raise ConfigError(f"cannot write {self._path}: {error}; choose another --out") from error

    def __len__(self) -> int:
        return len(self._points)

    def remembering(self, evaluate: Callable[[CorruptAction], Point]) -> Callable[[CorruptAction], Point]:
        """`evaluate`, but what is known already is not evaluated again."""

        def remembered(action: CorruptAction) -> Point:
            key = (action.function, told_strength(action))
            if key not in self._points:
                self._points[key] = evaluate(action)
                self._write()
            return self._points[key]

        return remembered

    def _load(self) -> None:
        try:
            first, *rows = map(json.loads, self._path.read_text(encoding="utf-8").splitlines())
            found = first["settings"]
            points = [Point(**row) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self._path} is no search's file ({error}); choose another --out") from error
        if found != self._settings:
            differing = [key for key in {**found, **self._settings} if found.get(key) != self._settings.get(key)]
            told = ", ".join(sorted(differing))
            raise ConfigError(f"{self._path} is of another search (different: {told}); choose another --out")
        self._points = {(point.function, point.strength): point for point in points}

    def _write(self) -> None:
        rows = [{"settings": self._settings}, *(asdict(point) for point in self._points.values())]
        write_atomically(self._path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def told_strength(action: CorruptAction) -> float | None:
    """The action's strength where it says anything."""
    return action.strength if "strength" in action.model_fields_set else None
