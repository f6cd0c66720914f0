"""All versions of one policy file, in the state folder, and the pointer to the one in force."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from classifiers.artifact import load_artifact
from guard.errors import ConfigError
from guard.paths import state_dir
from guard.policy import load_policy
from serve.policies.version import ARTIFACT, POLICY, Change, Record, Version, write_record

_POINTER = "current"
_NAME = re.compile(r"\d{6,}")


class Store:
    """The versions in a folder, for its owner alone: numbers only grow, and what is made is never changed.

    Servers and commands share it. Nothing half-made is ever seen: folders and pointer are renamed into place.
    """

    def __init__(self, folder: Path, secret: bytes) -> None:
        """Raises ConfigError: the folder cannot be made."""
        self.folder = folder
        self._secret = secret
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot keep versions of the policy in {folder}: {error.strerror}") from error

    @classmethod
    def of(cls, policy_file: Path, secret: bytes) -> Store:
        """The versions of a policy file, which its path tells apart from others.

        Raises:
            ConfigError: the folder cannot be made.
        """
        # A link stays the same file when it is made to point at another one, as where a cluster mounts its settings.
        place = policy_file.parent.resolve() / policy_file.name
        mark = hashlib.sha256(str(place).encode()).hexdigest()[:12]
        folder = state_dir() / "policies"
        folder.mkdir(mode=0o700, exist_ok=True)
        return cls(folder / f"{place.stem}-{mark}", secret)

    def pointer(self) -> int | None:
        """The number of the version in force; None where there has been none.

        Raises:
            ConfigError: the pointer is damaged.
        """
        path = self.folder / _POINTER
        try:
            text = path.read_text(encoding="ascii").strip()
            return int(text)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} does not say which version of the policy is in force") from error

    def current(self) -> Version | None:
        """The version in force; None where there has been none.

        Raises:
            ConfigError: the pointer, or the version that it names, is missing or damaged.
        """
        number = self.pointer()
        if number is None and self.versions():
            raise ConfigError(f"{self.folder / _POINTER} is gone; write the number of the version in force into it")
        return None if number is None else self.version(number)

    def in_force(self) -> Version:
        """The version in force.

        Raises:
            ConfigError: there has been none, or as for `current`.
        """
        found = self.current()
        if found is None:
            raise ConfigError("no version of this policy has been in force yet; `lethe topics import` makes the first")
        return found

    def has(self, number: int) -> bool:
        """Whether there is a version of this number."""
        return self._place(number).is_dir()

    def version(self, number: int) -> Version:
        """A version by its number.

        Raises:
            ConfigError: it is missing or damaged.
        """
        return Version(self._place(number), number)

    def versions(self) -> list[Version]:
        """All versions, oldest first.

        Raises:
            ConfigError: one is damaged.
        """
        numbers = sorted(int(path.name) for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        return [self.version(number) for number in numbers]

    def publish(
        self,
        fill: Callable[[Path], None],
        *,
        by: str,
        change: Change,
        what: str,
        own: bool,
        source: str | None = None,
        base: int | None = None,
    ) -> Version:
        """Make a version, whose files `fill` writes to a folder, and put it in force, at once for all servers.

        With `base` only where that version still is in force.

        Raises:
            ConfigError: another one is, the version cannot be used, or the disk takes it not.
            ArtifactError: its classifier is damaged or was fitted for something else.
        """
        record = Record(made=_now(), by=by, change=change, what=what, own=own, source=source)
        try:
            with self.locked(), self._draft() as draft:
                if base is not None and self.pointer() != base:
                    raise ConfigError("another version came in force meanwhile; look at it, and try again")
                fill(draft)
                write_record(draft, record)
                _close(draft)
                load_artifact(draft / ARTIFACT, policy=load_policy(draft / POLICY), secret=self._secret)
                number = max((version.number for version in self.versions()), default=0) + 1
                draft.rename(self._place(number))
                self._point(number)
                return self.version(number)
        except OSError as error:
            raise ConfigError(f"cannot write a version of the policy in {self.folder}: {error}") from error

    def put_back(self, number: int, before: int) -> None:
        """Put `before` in force again, if version `number` still is.

        Raises:
            ConfigError: the disk takes it not.
        """
        try:
            with self.locked():
                if self.pointer() == number:
                    self._point(before)
        except OSError as error:
            raise ConfigError(f"cannot write to {self.folder}: {error}") from error

    @contextmanager
    def locked(self, name: str = "publish", *, wait: bool = True) -> Iterator[None]:
        """Keep other processes from what this lock is for, until they or we end.

        Raises:
            BlockingIOError: another one has it, and without `wait`.
            OSError: there can be no lock.
        """
        with (self.folder / f".{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield

    def _place(self, number: int) -> Path:
        return self.folder / f"{number:06}"

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        for left in self.folder.glob(".draft-*"):
            # Of a process that was killed: whoever makes one holds the lock.
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.folder))
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _point(self, number: int) -> None:
        handle, name = tempfile.mkstemp(prefix=".pointer-", dir=self.folder)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(f"{number}\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.folder / _POINTER)
        finally:
            Path(name).unlink(missing_ok=True)


def _close(folder: Path) -> None:
    """Close a folder and all in it to other users."""
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
