"""Looks at an answer on its way out: its status, its identity and its length; nothing of it is changed or kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from starlette.types import Message, Send

from serve.dialects.measure import told
from serve.sse import Decoder


class Measured:
    """Passes ASGI messages to `send`, or nowhere if that is None."""

    def __init__(self, send: Send | None, ended: Callable[[Measured], None]) -> None:
        """`ended` is called once, before the end of the answer is passed on: who has all of it finds it measured."""
        self._send = send
        self._ended: Callable[[Measured], None] | None = ended
        self._body = bytearray()
        self._events: Decoder | None = None
        self.status = 0
        self.id: str | None = None
        self.characters = 0

    async def __call__(self, message: Message) -> None:
        """Take one message; a whole answer is passed on once it is complete."""
        more = message.get("more_body", False)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kind = dict(message["headers"]).get(b"content-type", b"")
            self._events = Decoder() if kind.startswith(b"text/event-stream") else None
        elif self._events is None:
            self._body += message.get("body", b"")
            if more:
                return
            message = {**message, "body": bytes(self._body)}
            self._measure([self._body.decode(errors="replace")])
        else:
            with suppress(UnicodeDecodeError):
                self._measure(self._events.feed(message.get("body", b"")))
        if message["type"] == "http.response.body" and not more:
            self.end()
        if self._send is not None:
            await self._send(message)

    def end(self) -> None:
        """Nothing more comes, whether or not there was a last message."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self)

    def _measure(self, texts: list[str]) -> None:
        for data in texts if self.status == 200 else []:
            try:
                seen = told(data)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # what cannot be read is not measured, and reaches the caller all the same
            self.id = self.id or seen.id
            self.characters += seen.characters
            if seen.last:
                self.end()
