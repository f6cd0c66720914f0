"""What is kept of each answer: who got which arm, how it went and how long it was; never a word of it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from guard.errors import ConfigError
from guard.paths import state_dir


@dataclass(frozen=True)
class Outcome:
    """One answer of one arm.

    `id` is the reply's own, None where it has none; that of a shadow is the id of the reply which the caller got.
    `caller` is keyed, `milliseconds` run to the last byte, `characters` are those of the answer's text in all choices.
    """

    id: str | None
    caller: str
    arm: str
    shadow: bool
    status: int
    milliseconds: float
    characters: int


class Outcomes:
    """An append-only file of JSON lines, in the state folder, for its owner alone."""

    def __init__(self, experiment: str) -> None:
        """Raises ConfigError: the file cannot be written, or others may read it."""
        self.path = outcomes_path(experiment)
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot write the outcomes {self.path}: {error.strerror}") from error
        if os.fstat(self._file).st_mode & 0o077:
            os.close(self._file)
            raise ConfigError(f"the outcomes {self.path} are open to other users; run: chmod 600 {self.path}")

    def add(self, outcome: Outcome) -> None:
        """Keep one; a line is written at once, so that servers may share the file."""
        row = {"time": round(time.time(), 3)} | asdict(outcome)
        os.write(self._file, (json.dumps(row) + "\n").encode())

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)


def outcomes_path(experiment: str) -> Path:
    """Where the outcomes of an experiment lie; the folder is made.

    Raises:
        ConfigError: it cannot be.
    """
    folder = state_dir() / "outcomes"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot create the folder {folder}: {error.strerror}") from error
    return folder / f"{experiment}.jsonl"
