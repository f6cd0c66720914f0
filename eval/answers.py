"""Answers kept as they arrive, so that a stopped run goes on where it stopped."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from guard.errors import ConfigError


@dataclass(frozen=True)
class Answer:
    """What one system said to one question, or (`text` None) why it could not be had; `id` is the reply's own."""

    system: str
    question: str
    text: str | None
    seconds: float | None
    attempts: int
    finish_reason: str | None = None
    reason: str | None = None
    detail: str | None = None
    id: str | None = None


class AnswerStore:
    """An append-only file of answers under one fingerprint, held by one process at a time.

    The fingerprint names all that decides an answer; a file made under another one is refused, never mixed in.
    Failures are kept in memory only: when the run goes on, they are asked again.
    """

    def __init__(self, path: Path, fingerprint: dict[str, Any]) -> None:
        self._path = path
        self._fingerprint: dict[str, Any] = json.loads(json.dumps(fingerprint))
        self._answers: dict[tuple[str, str], Answer] = {}
        self.asking_seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._load()
        except BlockingIOError as error:
            self._file.close()
            raise ConfigError(f"another run is writing to {self._path.parent}; wait for it or choose --out") from error
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, system: str, question: str) -> Answer | None:
        """Return the answer or failure known so far."""
        return self._answers.get((system, question))

    def answered(self, system: str, question: str) -> bool:
        """Whether there is an answer that need not be asked for again."""
        known = self.get(system, question)
        return known is not None and known.text is not None

    def add(self, answer: Answer) -> None:
        """Keep an answer; on disk at once unless it is a failure."""
        self._answers[answer.system, answer.question] = answer
        if answer.text is not None:
            self._write({"answer": asdict(answer)})

    def add_seconds(self, system: str, seconds: float) -> None:
        """Add to the wall-clock time that went into asking this system."""
        self.asking_seconds[system] = self.asking_seconds.get(system, 0.0) + seconds
        self._write({"system": system, "seconds": seconds})

    def _write(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def _load(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind("\n") + 1]
        # A kill in mid-write leaves half a line; what comes next must not be glued to it.
        self._file.truncate(len(whole))
        rows = [json.loads(line) for line in whole.split("\n") if line]
        if not rows:
            self._write({"fingerprint": self._fingerprint})
            return
        found = rows[0].get("fingerprint", {})
        if found != self._fingerprint:
            keys = sorted(set(found) | set(self._fingerprint))
            differing = ", ".join(key for key in keys if found.get(key) != self._fingerprint.get(key))
            raise ConfigError(
                f"{self._path.parent} holds the answers of another run (different: {differing}); choose another --out"
            )
        for row in rows[1:]:
            if "answer" in row:
                answer = Answer(**row["answer"])
                self._answers[answer.system, answer.question] = answer
            else:
                self.asking_seconds[row["system"]] = self.asking_seconds.get(row["system"], 0.0) + row["seconds"]
