"""Where the audit log ends: a small signed file beside it, so that lines cut off at the end are missed."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from guard.errors import AuditError
from serve.audit.chain import START, Chain

_WIDTH = 512


@dataclass(frozen=True)
class Head:
    """The end: `size` bytes of file number `file`, whose last line is number `seq` and has this MAC."""

    file: int = 1
    size: int = 0
    seq: int = 0
    mac: str = START


class HeadFile:
    """The file, which is also what servers lock who share a log. Its owner closes it."""

    def __init__(self, folder: Path, chain: Chain) -> None:
        """Raises OSError: the file cannot be opened."""
        self.path = folder / "audit.head"
        self._chain = chain
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing.

        Raises:
            OSError: the file was closed.
        """
        if self._file < 0:
            raise OSError(errno.EBADF, "it was closed")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def read(self) -> Head | None:
        """The end of the log, None where nothing was ever written.

        Raises:
            AuditError: the file was altered.
        """
        text = os.pread(self._file, _WIDTH, 0)
        if not text:
            return None
        link = self._chain.verify(text.rstrip(b" \n") + b"\n", START)
        if link is None:
            raise AuditError(
                f"{self.path} was altered or made under another secret; move its folder away to begin anew"
            )
        return Head(**link.fields)

    def write(self, head: Head) -> None:
        """Set the end; in place, which needs no room on a full disk.

        Raises:
            OSError: it cannot be written.
        """
        line, _ = self._chain.sign(asdict(head), START)
        os.pwrite(self._file, line.rstrip(b"\n").ljust(_WIDTH - 1) + b"\n", 0)

    def close(self) -> None:
        """Let go of the file; whatever is asked of it from now on fails."""
        os.close(self._file)
        self._file = -1
