"""The installation's secret: it keys artifact hashes, corruption noise and the choice of refusals."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from guard.errors import ConfigError
from guard.paths import state_dir, state_place

SECRET_BYTES = 32
_FILE = "secret"


def load_secret() -> bytes:
    """Return the 32 secret bytes in `state_dir()/secret`, drawn and written (mode 0600) on first use.

    Raises:
        ConfigError: the file is unreadable, readable by others, or of another length.
    """
    path = state_dir() / _FILE
    try:
        if not path.exists():
            _create(path)
        mode = path.stat().st_mode & 0o777
        value = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read or create the secret {path}: {error}") from error
    if mode & 0o077:
        raise ConfigError(f"the secret {path} is open to other users; run: chmod 600 {path}")
    if len(value) != SECRET_BYTES:
        raise ConfigError(
            f"the secret {path} holds {len(value)} bytes instead of {SECRET_BYTES}; remove it to draw a new one, "
            "then run `lethe fit` again"
        )
    return value


def drawn_secret() -> bytes:
    """The secret that is there, for what reads what was written with it; none is drawn.

    Raises:
        ConfigError: there is none, or as `load_secret`.
    """
    if not (state_place() / _FILE).is_file():
        raise ConfigError(f"there is no secret in {state_place()}; set LETHE_STATE to the folder that the server has")
    return load_secret()


def digest(secret: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 over `parts`, each preceded by its length so that no two lists of parts collide."""
    mac = hmac.new(secret, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.digest()


def _create(path: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".secret-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two processes that start at once, the second must take the first one's secret.
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
