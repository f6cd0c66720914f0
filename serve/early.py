"""Gives a stream that begins with an error the error's status."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.replies import dump, send_body
from serve.sse import Decoder

# Of an event.
_ENDS = re.compile(rb"\r?\n\r?\n")


class Early:
    """`app`, a model server whose streams begin with status 200 before it has looked at all that was asked.

    So vLLM tells of a grammar that it cannot read. What it tells as the fault of who asked is told as such.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        await self._app(scope, receive, _Held(send))


class _Held:
    """A `send` that keeps the status of a stream back until its first event is there."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""
        self._refused = False

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message."""
        if self._refused:
            return
        if message["type"] == "http.response.start" and _streams(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False) or _ENDS.search(self._body):
                await self._begin({**message, "body": self._body})

    async def _begin(self, message: Message) -> None:
        start, self._start = self._start, None
        assert start is not None
        if (told := _fault(self._body)) is not None:
            self._refused = True
            await send_body(self._send, told["error"]["code"], dump(told))
            return
        await self._send(start)
        await self._send(message)


def _streams(start: Message) -> bool:
    kind: bytes = dict(start["headers"]).get(b"content-type", b"")
    return start["status"] < 400 and kind.startswith(b"text/event-stream")


def _fault(body: bytes) -> dict[str, Any] | None:
    """The error of the caller's that stands first in a stream; None where another event does."""
    try:
        told = json.loads(next(iter(Decoder().feed(body)), ""))
        return told if 400 <= told["error"]["code"] < 500 else None
    except (ValueError, KeyError, TypeError):
        return None  # whatever it is, others read it
