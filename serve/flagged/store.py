"""A small database of flagged prompts, for its owner alone, bounded in size and in age."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from guard.errors import ConfigError
from guard.paths import state_dir
from guard.types import Conversation

DAYS = 30
BYTES = 64 * 2**20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS flagged (
    id TEXT PRIMARY KEY, time TEXT NOT NULL, policy TEXT, topics TEXT NOT NULL, action TEXT NOT NULL,
    flag INTEGER, size INTEGER NOT NULL, messages TEXT NOT NULL
)
"""
_TOO_MUCH = """
DELETE FROM flagged WHERE id IN (
    SELECT id FROM (SELECT id, SUM(size) OVER (ORDER BY time DESC, id) AS total FROM flagged) WHERE total > ?
)
"""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flagged:
    """A request in which topics were found; `id` and `policy` are the audit log's, `flag` is the operator's word."""

    id: str
    time: str
    policy: str | None
    topics: list[str]
    action: str
    messages: list[dict[str, str]]
    flag: bool | None = None

    @property
    def label(self) -> str | None:
        """`yes` where it is about the topic, `no` where it is not, None while nobody has said."""
        return None if self.flag is None else "yes" if self.flag else "no"

    def fields(self) -> dict[str, Any]:
        """As commands and replies tell it."""
        told = asdict(self)
        del told["flag"]
        return told | {"label": self.label}


def flagged_file() -> Path:
    """Where the database lies, in the state folder."""
    return state_dir() / "flagged.db"


def messages_of(conversation: Conversation) -> list[dict[str, str]]:
    """The turns as a log of prompts holds them."""
    return [{"role": message.role, "content": message.text} for message in conversation.messages]


class FlaggedStore:
    """The database; commands and servers may use it at once. All but `keep` raise ConfigError where it cannot be used.

    What is older than `days`, and the oldest of what is more than `most` bytes of text, is deleted when something is
    added or read.
    """

    def __init__(self, path: Path, *, days: float = DAYS, most: int = BYTES) -> None:
        self._path = path
        self._days = days
        self._most = most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flagged")
        with self._open():
            pass

    def keep(self, found: Flagged) -> None:
        """Add a request soon, without waiting; where that fails the log says so, and the answer leaves all the same."""
        self._thread.submit(self._kept, found)

    def add(self, found: Flagged) -> None:
        """Add a request."""
        # Escaped, since a caller may send half a surrogate pair.
        messages = json.dumps(found.messages)
        row = (found.id, found.time, found.policy, json.dumps(found.topics), found.action, len(messages), messages)
        with self._open() as base:
            base.execute(
                "INSERT OR REPLACE INTO flagged (id, time, policy, topics, action, size, messages)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def rows(self) -> list[Flagged]:
        """All that is kept, oldest first."""
        with self._open() as base:
            found = base.execute(
                "SELECT id, time, policy, topics, action, messages, flag FROM flagged ORDER BY time, id"
            ).fetchall()
        return [
            Flagged(i, when, policy, json.loads(topics), action, json.loads(said), None if flag is None else bool(flag))
            for i, when, policy, topics, action, said, flag in found
        ]

    def label(self, name: str, flag: bool) -> bool:
        """Say whether a request is about the topic; False where there is none with this id."""
        with self._open() as base:
            return base.execute("UPDATE flagged SET flag = ? WHERE id = ?", (flag, name)).rowcount > 0

    def close(self) -> None:
        """Wait for what is being added."""
        self._thread.shutdown()

    def _kept(self, found: Flagged) -> None:
        try:
            self.add(found)
        except Exception as error:
            # Its text might hold what was asked.
            _log.error("a flagged request could not be kept: %s", type(error).__name__)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            if self._path.stat().st_mode & 0o077:
                raise ConfigError(f"{self._path} is open to other users; run: chmod 600 {self._path}")
            base = sqlite3.connect(self._path, timeout=10)
            try:
                with base:
                    # What is deleted is overwritten.
                    base.execute("PRAGMA secure_delete = ON")
                    base.execute(_SCHEMA)
                    self._prune(base)
                    yield base
                    self._prune(base)
            finally:
                base.close()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"cannot use {self._path}: {error}") from error

    def _prune(self, base: sqlite3.Connection) -> None:
        oldest = datetime.now(UTC) - timedelta(days=self._days)
        base.execute("DELETE FROM flagged WHERE time < ?", (oldest.isoformat(timespec="milliseconds"),))
        base.execute(_TOO_MUCH, (self._most,))


def now() -> str:
    """The time as it is kept."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
