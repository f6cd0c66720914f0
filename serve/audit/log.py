"""Appends to the audit log: signed lines, in files of limited size, by one server or by several at once.

No line waits for the disk: what the operating system has not written when the power fails is lost, and then missed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guard.errors import AuditError, ConfigError
from guard.paths import state_dir
from serve.audit.chain import Chain
from serve.audit.head import Head, HeadFile

FILE = "audit.jsonl"
# Bytes of a file that is full.
FULL = 64 * 2**20


def audit_folder() -> Path:
    """Where the log lies, in the state folder."""
    return state_dir() / "audit"


def full_file(folder: Path, number: int) -> Path:
    """Where a file lies that is full."""
    return folder / f"audit.{number:06}.jsonl"


class AuditLog:
    """The log in a folder, for its owner alone. Its methods are for one thread."""

    def __init__(self, folder: Path, secret: bytes, *, full: int = FULL) -> None:
        """Opens the log, and mends what a crash left.

        Raises:
            ConfigError: it cannot be written, or was altered.
        """
        self.path = folder / FILE
        self._folder = folder
        self._full = full
        self._chain = Chain(secret)
        self._owed: list[Mapping[str, Any]] = []
        self._file: int | None = None
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._head = HeadFile(folder, self._chain)
            self._write([])
        except OSError as error:
            raise ConfigError(f"cannot write the audit log {self.path}: {error.strerror}") from error
        except AuditError as error:
            raise ConfigError(str(error)) from error

    def append(self, fields: Mapping[str, Any]) -> None:
        """Write one line, with its number and the time.

        Raises:
            AuditError: it cannot be written.
        """
        try:
            self._write([fields])
        except OSError as error:
            raise AuditError(f"cannot write the audit log {self.path}: {error.strerror}") from error

    def owe(self, fields: Mapping[str, Any]) -> None:
        """Keep in memory what could not be written, to be written before anything else is served."""
        self._owed.append(fields)

    def settle(self) -> None:
        """Write what is owed.

        Raises:
            AuditError: it still cannot be written.
        """
        while self._owed:
            self.append(self._owed[0])
            self._owed.pop(0)

    def close(self) -> None:
        """Write no more: who still asks for it gets an error."""
        self._head.close()
        if self._file is not None:
            os.close(self._file)

    def _write(self, rows: list[Mapping[str, Any]]) -> None:
        with self._head.locked():
            head = self._mended(self._known())
            for row in rows:
                if head.size > self._full:
                    head = self._next_file(head)
                if not head.size:
                    head = self._add({"event": "file", "number": head.file, "after": head.mac}, head)
                head = self._add(row, head)

    def _known(self) -> Head:
        head = self._head.read()
        if head is None:
            if any(self._folder.glob("audit*.jsonl")):
                raise AuditError(f"{self._head.path} is gone; move its folder away to begin the audit log anew")
            head = Head()
            self._head.write(head)
        return head

    def _add(self, fields: Mapping[str, Any], head: Head) -> Head:
        number = head.seq + 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line, mac = self._chain.sign({"seq": number, "time": now} | dict(fields), head.mac)
        written = os.write(self._open(), line)
        if written < len(line):
            os.ftruncate(self._open(), head.size)
            raise OSError(errno.ENOSPC, "the disk is full")
        head = Head(head.file, head.size + len(line), number, mac)
        self._head.write(head)
        return head

    def _next_file(self, head: Head) -> Head:
        self.path.rename(full_file(self._folder, head.file))
        return replace(head, file=head.file + 1, size=0)

    def _open(self) -> int:
        """The file that lines go to, which another server may have changed for the next one."""
        if self._file is not None:
            if self.path.exists() and os.path.samestat(os.fstat(self._file), self.path.stat()):
                return self._file
            os.close(self._file)
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    def _mended(self, head: Head) -> Head:
        """The end of the log, once what a crash or another hand left is dealt with."""
        if full_file(self._folder, head.file).exists():
            # Stopped between one file and the next.
            head = replace(head, file=head.file + 1, size=0)
        size = os.fstat(self._open()).st_size
        if size < head.size:
            # The chain goes on from the line that is gone, so that it stays missed.
            if size and os.pread(self._open(), 1, size - 1) != b"\n":
                size += os.write(self._open(), b"\n")
            return self._add(
                {"event": "break", "why": "shortened", "bytes": head.size - size}, replace(head, size=size)
            )
        if size > head.size:
            return self._taken(head, os.pread(self._open(), size - head.size, head.size))
        return head

    def _taken(self, head: Head, more: bytes) -> Head:
        """The end of the log behind `more` bytes: lines whose head was not written any more, and a part of one."""
        while b"\n" in more:
            line, _, rest = more.partition(b"\n")
            link = self._chain.verify(line + b"\n", head.mac)
            if link is None:
                raise AuditError(
                    f"{self.path} has lines at its end that no server wrote; see `lethe audit verify`, and move its "
                    "folder away to begin anew"
                )
            head, more = Head(head.file, head.size + len(line) + 1, link.fields["seq"], link.mac), rest
        self._head.write(head)
        if more:
            os.ftruncate(self._open(), head.size)
            head = self._add({"event": "break", "why": "torn", "bytes": len(more)}, head)
        return head
