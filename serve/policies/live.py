"""The guard under the version of a policy that is in force: a new one is built beside the old one, then takes over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import LetheError
from guard.types import Conversation, Detection
from serve.policies.store import Store
from serve.policies.version import Version

if TYPE_CHECKING:
    from serve.parts import Parts

_POLL_S = 0.5
# A version that was refused may be well later: the disk was full, or the model server away.
_RETRY_S = 60.0
_log = logging.getLogger(__name__)


@dataclass
class Serving:
    """A version as it is served: `parts` behind `guard`; `stack` closes what was opened for it alone."""

    parts: Parts
    guard: ASGIApp
    stack: AsyncExitStack
    users: int = 0


Make = Callable[[Version, "Parts"], Awaitable[Serving]]
News = Callable[[Serving, str], None]


class Live:
    """An ASGI app: each request has, to its end, the one guard that was there when it came."""

    def __init__(self, store: Store, first: Serving, make: Make, news: News) -> None:
        """`make` builds what serves a version, from the parts that serve now; `news` is told what takes over and why.

        The reason is `start`, `change` or `expiry`.
        """
        self.store = store
        self.serving = first
        self._make = make
        self._news = news
        self._lock = asyncio.Lock()
        self._refused: tuple[int | None, float, str] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        news(first, "start")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        serving = self.serving
        serving.users += 1
        try:
            await serving.guard(scope, receive, send)
        finally:
            serving.users -= 1
            self._leave(serving)

    def detect(self, conversation: Conversation) -> tuple[Detection, ...]:
        """Ask the detector of the version that is served.

        Raises:
            DetectorError: detection failed.
        """
        return self.serving.parts.detector.detect(conversation)

    async def refresh(self, *, again: bool = False) -> str | None:
        """Serve the version in force; returns why it cannot be served, where it cannot: then the old one stays.

        One that was refused is tried `again`, or after a minute.
        """
        async with self._lock:
            number: int | None = None
            try:
                number = self.store.pointer()
                same = number == self.serving.parts.number
                if same and not self.serving.parts.expired(datetime.now(UTC)):
                    self._refused = None
                    return None
                if not again and self._refused is not None:
                    before, until, reason = self._refused
                    if before == number and time.monotonic() < until:
                        return reason
                made = await self._make(self.store.in_force(), self.serving.parts)
            except LetheError as error:
                return self._refuse(number, str(error))
            except Exception as error:
                _log.exception("a version of the policy could not be loaded")
                return self._refuse(number, type(error).__name__)
            self._switch(made, "expiry" if same else "change")
            return None

    async def take(self, number: int) -> str | None:
        """Serve version `number`, just made; returns why it cannot be: then what is served stays in force instead."""
        refused = await self.refresh(again=True)
        before = self.serving.parts.number
        if refused is not None and before is not None:
            await asyncio.to_thread(self.store.put_back, number, before)
            await self.refresh(again=True)
        return refused

    async def watch(self) -> None:
        """Keep serving the version in force, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            await self.refresh()

    async def close(self) -> None:
        """Close what serves now, and what is still closing."""
        await self.serving.stack.aclose()
        await asyncio.gather(*self._closing)

    def _switch(self, made: Serving, why: str) -> None:
        self._news(made, why)
        old, self.serving, self._refused = self.serving, made, None
        _log.warning("version %s of the policy %s is in force", made.parts.number, made.parts.of)
        self._leave(old)

    def _leave(self, serving: Serving) -> None:
        """Close a version that no request needs any more."""
        if serving is not self.serving and not serving.users:
            task = asyncio.create_task(serving.stack.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _refuse(self, number: int | None, reason: str) -> str:
        if self._refused is None or self._refused[0] != number:
            _log.error(
                "version %s of the policy %s is refused, and version %s goes on: %s",
                number,
                self.serving.parts.of,
                self.serving.parts.number,
                reason,
            )
        self._refused = (number, time.monotonic() + _RETRY_S, reason)
        return reason
