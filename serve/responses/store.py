"""Keeps responses for the callers who got them: in memory alone, a bounded number, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, NamedTuple

from cachetools import TTLCache
from starlette.types import Scope

from guard.errors import RequestError
from serve.caller import known_as
from serve.replies import dump

SECONDS = 24 * 3600.0
MOST = 10_000
BYTES = 2**28


class Kept(NamedTuple):
    """A response as its caller saw it, and the turns of the chat up to it, without instructions.

    `version` is that of the policy which it was guarded under, None behind an arm without a guard.
    """

    response: bytes
    turns: tuple[dict[str, Any], ...]
    version: str | None = None


class ResponseStore:
    """What one server keeps. Who goes beyond a bound pushes out what was asked for least recently, whoever's it is."""

    def __init__(
        self,
        secret: bytes,
        *,
        seconds: float = SECONDS,
        most: int = MOST,
        size: int = BYTES,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`size` in bytes, of all responses and turns together; `secret` keys what stands for callers."""

        def weight(kept: Kept) -> int:
            # One that is small takes up its place in the number.
            return max(size // most, len(kept.response) + sum(len(dump(turn)) for turn in kept.turns))

        self._secret = secret
        self._kept: TTLCache[tuple[str, str], Kept] = TTLCache(size, seconds, timer, weight)
        # Requests are read in threads.
        self._lock = Lock()

    def of(self, scope: Scope) -> Shelf:
        """What is kept for who sent a request.

        Raises:
            RequestError: 400, it does not say who, since there are two `Authorization` headers.
        """
        return Shelf(self._kept, self._lock, known_as(self._secret, scope))


class Shelf:
    """What is kept for one caller; nobody else's can be told from what never was."""

    def __init__(self, kept: TTLCache[tuple[str, str], Kept], lock: Lock, owner: str) -> None:
        self._kept = kept
        self._lock = lock
        self._owner = owner

    def put(self, id: str, kept: Kept) -> None:
        """Keep a response, unless it is larger than all that may be kept."""
        with self._lock, suppress(ValueError):
            self._kept[self._owner, id] = kept

    def find(self, id: str, param: str) -> Kept:
        """The response of this id, which the request names as `param`.

        Raises:
            RequestError: 404, it is not kept for this caller, or no longer.
        """
        with self._lock:
            kept = self._kept.get((self._owner, id))
        if kept is None:
            raise absent(id, param)
        return kept

    def drop(self, id: str) -> None:
        """Keep it no longer."""
        with self._lock:
            self._kept.pop((self._owner, id), None)


def absent(id: str, param: str) -> RequestError:
    """What is told of a response that a caller does not get, whatever the reason."""
    return RequestError(404, f"there is no response {id!r} here, or no longer", code="response_not_found", param=param)
