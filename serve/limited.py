"""Limits of one server: how many requests are answered at once, and for how long."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import RequestError
from serve.dialects.errors import error_form, refuse
from serve.outlet import Outlet

_BUSY = RequestError(429, "too many requests are being answered; try again later", code="too_many_requests")
_LATE = RequestError(504, "the answer took too long", code="timeout")


class Limited:
    """`app`, for `most` requests at once and `seconds` each, from the first byte in to the last byte out.

    What is too late to be answered with status 504, since a stream has begun, ends with an error.
    """

    def __init__(self, app: ASGIApp, *, most: int, seconds: float) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._running >= self._most:
            await refuse(scope, send, _BUSY, {"retry-after": "1"})
        else:
            self._running += 1
            try:
                await self._in_time(scope, receive, Outlet(send, error_form(scope)))
            finally:
                self._running -= 1

    async def _in_time(self, scope: Scope, receive: Receive, outlet: Outlet) -> None:
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, outlet)
        except TimeoutError:
            if not limit.expired():
                raise
            await outlet.fail(_LATE)
