"""Says whether an audit log is whole, and where it is not any more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from guard.errors import AuditError, ConfigError
from serve.audit.chain import START, Chain
from serve.audit.head import Head, HeadFile
from serve.audit.log import FILE, full_file


@dataclass
class Verdict:
    """What was found: `problem` is the first sign that somebody else wrote, None where there is none.

    `notes` are of no concern by themselves; `first` and `last` are numbers of lines, 0 where there are none.
    """

    files: int = 0
    lines: int = 0
    first: int = 0
    last: int = 0
    mac: str = START
    notes: list[str] = field(default_factory=list)
    problem: str | None = None


class _Broken(Exception):
    """A line that does not stand where it was written, as it was written."""


def verify_log(folder: Path, secret: bytes) -> Verdict:
    """Verify all files of a log, up to the end as its head tells it; servers may go on writing.

    Raises:
        ConfigError: there is no log, or it cannot be read.
    """
    chain = Chain(secret)
    if not (folder / FILE).is_file() and not (folder / "audit.head").is_file():
        raise ConfigError(f"there is no audit log in {folder}; `lethe serve` writes it, where LETHE_STATE is the same")
    found = Verdict()
    try:
        with ExitStack() as stack:
            head, files = _snapshot(folder, chain, stack)
            for file, size in files:
                _follow(found, file, chain, size)
        if head.seq > found.last:
            raise _Broken(f"the end is missing: {_lines_told(found.last + 1, head.seq)}")
        if head.mac != found.mac:
            raise _Broken(f"{folder / 'audit.head'} tells of another end than the last line")
    except (_Broken, AuditError) as broken:
        found.problem = str(broken)
    except OSError as error:
        raise ConfigError(f"cannot read the audit log in {folder}: {error.strerror}") from error
    return found


def verify_file(path: Path, secret: bytes) -> Verdict:
    """Verify one file by itself; whether lines are missing at its end is not seen.

    Raises:
        ConfigError: it cannot be read.
    """
    found = Verdict()
    try:
        with path.open("rb") as file:
            _follow(found, file, Chain(secret), None)
        if not found.lines:
            raise _Broken(f"{path} holds no line, and every file of a log begins with one")
    except _Broken as broken:
        found.problem = str(broken)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    return found


def _snapshot(folder: Path, chain: Chain, stack: ExitStack) -> tuple[Head, list[tuple[IO[bytes], int | None]]]:
    """The head, and all files opened, oldest first, with how much of each is to be read (None: all)."""
    if not (folder / "audit.head").is_file():
        raise _Broken(f"{folder / 'audit.head'} is missing: whether lines at the end are, cannot be told")
    file = HeadFile(folder, chain)
    try:
        with file.locked():
            head = file.read() or Head()
            full = sorted(folder.glob("audit.*.jsonl"))
            files: list[tuple[IO[bytes], int | None]] = [(stack.enter_context(path.open("rb")), None) for path in full]
            if (folder / FILE).is_file():
                # Where a server stopped between one file and the next, the head is that of the one before.
                size = 0 if full_file(folder, head.file).exists() else head.size
                files.append((stack.enter_context((folder / FILE).open("rb")), size))
            return head, files
    finally:
        file.close()


def _follow(found: Verdict, file: IO[bytes], chain: Chain, size: int | None) -> None:
    name = Path(file.name).name
    for place, line in enumerate(_lines(file, size), start=1):
        where = f"{name}, line {place}"
        number, before = _claimed(line), found.mac
        if place == 1:
            before = _header(found, line, where)
        link = chain.verify(line, before)
        if link is None:
            raise _Broken(f"{where} {_fault(number, found.last + 1)}")
        found.first = found.first or link.fields["seq"]
        found.last, found.mac = link.fields["seq"], link.mac
        found.lines += 1
        if link.fields["event"] == "break" and link.fields["why"] == "torn":
            cut = link.fields["bytes"]
            found.notes.append(f"{where}: {cut} bytes of a half-written line, as of a crash, were cut off before it")
    found.files += 1


def _header(found: Verdict, line: bytes, where: str) -> str:
    """The MAC that a file's first line follows: the last one's before it, or what it says itself at the very start."""
    if found.lines:
        return found.mac
    with suppress(ValueError, KeyError, TypeError):
        fields = json.loads(line)
        if fields["number"] > 1:
            found.notes.append(f"it begins with file {fields['number']}: {where} follows line {fields['seq'] - 1}")
        found.last = fields["seq"] - 1
        return str(fields["after"])
    raise _Broken(f"{where} is no beginning of a file: it was altered, or lines before it were removed")


def _fault(number: int | None, expected: int) -> str:
    if number is None or number == expected:
        return "was altered or put in"
    if number > expected:
        return f"is line {number} of the log, without {_lines_told(expected, number - 1)} before it"
    return f"is line {number} of the log, and stands where line {expected} should: it was moved or put in"


def _lines_told(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _claimed(line: bytes) -> int | None:
    """The number that a line claims to have."""
    with suppress(ValueError, KeyError, TypeError):
        number = json.loads(line)["seq"]
        return number if isinstance(number, int) else None
    return None


def _lines(file: IO[bytes], size: int | None) -> Iterator[bytes]:
    left = os.fstat(file.fileno()).st_size if size is None else size
    while left > 0 and (line := file.readline()):
        left -= len(line)
        yield line
