"""The file of keys, which holds no key but a keyed hash of each.

A key is 256 random bits, which nobody finds by trying, however fast a hash is; so one pass of HMAC-SHA256 is enough,
where a password would need a slow one. Without the installation's secret a copy of the file does not even tell whether
a string is one of the keys.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guard.errors import ConfigError
from guard.paths import state_dir
from guard.secret import digest

Role = Literal["caller", "evaluator", "admin"]


class Grant(BaseModel):
    """What the holder of a key gets: the policy of a `profile`, the server's own where that is None; at most
    `max_concurrent` requests answered at once and `per_minute` taken in any 60 seconds, None for no such limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str | None = None
    max_concurrent: int | None = Field(default=None, ge=1)
    per_minute: int | None = Field(default=None, ge=1)


NOTHING = Grant()


class Key(BaseModel):
    """One key; `hash` is hexadecimal, times are ISO 8601 in UTC, `revoked` is None while the key is valid.

    `grant` is what its holder gets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    role: Role
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    created: str
    revoked: str | None = None
    grant: Grant = NOTHING


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    keys: tuple[Key, ...] = ()


def keys_file() -> Path:
    """Where the keys lie, in the state folder."""
    return state_dir() / "keys.json"


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys, also revoked ones; none where there is no file.

    Raises:
        ConfigError: the file is unreadable, open to other users, or damaged.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ConfigError(f"the keys {path} are open to other users; run: chmod 600 {path}")
            return _File.model_validate_json(file.read()).keys
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"cannot read the keys {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"the keys {path} are damaged; put a copy of the file back, or remove it") from error


def check_keys(path: Path) -> None:
    """Look, before a server starts, whether there is a valid key.

    Raises:
        ConfigError: there is none, or the file cannot be read.
    """
    if not any(key.revoked is None for key in read_keys(path)):
        raise ConfigError("there is no key that callers could give; make one: lethe keys add --role caller")


def add_key(path: Path, secret: bytes, *, role: Role, name: str, grant: Grant = NOTHING) -> tuple[Key, str]:
    """Make a key; the text of it is returned here and kept nowhere.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    text = f"lethe-{secrets.token_urlsafe(32)}"
    id, hashed = f"key-{secrets.token_hex(4)}", _hash(secret, text.encode())
    key = Key(id=id, name=name, role=role, hash=hashed, created=_now(), grant=grant)
    _change(path, lambda keys: (*keys, key))
    return key, text


def revoke_key(path: Path, key_id: str) -> Key:
    """Make a key invalid; it stays in the file, so that records which name it can be understood.

    Raises:
        ConfigError: there is no such valid key, or the file cannot be read or written.
    """

    def without(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        if not any(key.id == key_id and key.revoked is None for key in keys):
            raise ConfigError(f"there is no valid key {key_id!r}; `lethe keys list` shows them")
        return tuple(key.model_copy(update={"revoked": _now()}) if key.id == key_id else key for key in keys)

    return next(key for key in _change(path, without) if key.id == key_id)


def find_key(keys: tuple[Key, ...], secret: bytes, text: bytes) -> Key | None:
    """The valid key with this text; how long that takes does not hang on how much of it is right."""
    hashed, found = _hash(secret, text), None
    for key in keys:
        if hmac.compare_digest(key.hash, hashed) and key.revoked is None:
            found = key
    return found


def _hash(secret: bytes, text: bytes) -> str:
    return digest(secret, b"key", text).hex()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _change(path: Path, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> tuple[Key, ...]:
    """Replace the file at once, while nobody else does."""
    try:
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = change(read_keys(path))
            handle, name = tempfile.mkstemp(prefix=".keys-", dir=path.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(_File(keys=keys).model_dump_json(indent=1) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(path)
            finally:
                Path(name).unlink(missing_ok=True)
            return keys
    except OSError as error:
        raise ConfigError(f"cannot write the keys {path}: {error.strerror}") from error
