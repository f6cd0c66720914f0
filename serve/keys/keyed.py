"""Asks every caller for a key; a key that was revoked is none from the next request on."""

from __future__ import annotations

import logging
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import ConfigError, RequestError
from serve.caller import Caller, given_key, with_caller
from serve.dialects.errors import refuse
from serve.keys.store import Key, find_key, read_keys
from serve.metrics import Metrics

# They tell no more than whether the server works.
OPEN = tuple((method, path) for method in ("GET", "HEAD") for path in ("/health", "/ready"))
UNKNOWN = RequestError(401, "give a valid key as `Authorization: Bearer KEY`", code="invalid_api_key")
_UNREADABLE = RequestError(503, "keys cannot be checked; try again later", code="not_served")
_log = logging.getLogger(__name__)


class Keyring:
    """The keys of a file, read again whenever it was changed."""

    def __init__(self, path: Path, secret: bytes) -> None:
        self._path = path
        self._secret = secret
        self._seen: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def find(self, text: bytes) -> Key | None:
        """The valid key with this text.

        Raises:
            ConfigError: the file cannot be read.
        """
        return find_key(self._current(), self._secret, text)

    def _current(self) -> tuple[Key, ...]:
        # It is replaced as a whole, never written to.
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigError(f"cannot read the keys {self._path}: {error.strerror}") from error
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen != self._seen:
            self._keys = read_keys(self._path)
            self._seen = seen
        return self._keys


class Keyed:
    """`app`, for who has a key."""

    def __init__(self, app: ASGIApp, keyring: Keyring, metrics: Metrics) -> None:
        self._app = app
        self._keyring = keyring
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and (scope["method"], scope["path"]) not in OPEN:
            try:
                key = self._keyring.find(given_key(scope) or b"")
            except ConfigError as error:
                _log.error("a request was not served: %s", error)
                await refuse(scope, send, _UNREADABLE)
                return
            except RequestError as error:
                await refuse(scope, send, error)
                return
            if key is None:
                self._metrics.unauthorised.inc()
                await refuse(scope, send, UNKNOWN, {"www-authenticate": "Bearer"})
                return
            scope = with_caller(scope, Caller(key.id, key.role, key.grant))
        await self._app(scope, receive, send)
