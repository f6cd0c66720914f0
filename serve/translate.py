"""The way out of an answer whose caller speaks another dialect than the guard works in."""

from __future__ import annotations

from starlette.types import Message, Send

from serve.dialects.base import Translator
from serve.replies import send_body
from serve.sse import Decoder


class Translated:
    """A `send` that `translator` puts into the caller's dialect: whole answers, streams and errors alike."""

    def __init__(self, translator: Translator, send: Send) -> None:
        self._translator = translator
        self._send = send
        self._start: Message = {}
        self._body = bytearray()
        self._events: Decoder | None = None

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self._start = message
            if message["status"] < 400 and self._kind.startswith(b"text/event-stream"):
                self._events = Decoder()
                await self._send(message)
        elif message["type"] == "http.response.body":
            await (self._pass_whole if self._events is None else self._pass_events)(message)

    @property
    def _kind(self) -> bytes:
        headers: dict[bytes, bytes] = dict(self._start["headers"])
        return headers.get(b"content-type", b"application/json")

    async def _pass_whole(self, message: Message) -> None:
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        status, body = self._start["status"], bytes(self._body)
        made = self._translator.error(status, body) if status >= 400 else self._translator.whole(body)
        await send_body(self._send, status, made)

    async def _pass_events(self, message: Message) -> None:
        assert self._events is not None
        made = b"".join(self._translator.event(data) for data in self._events.feed(message.get("body", b"")))
        more = message.get("more_body", False)
        if made or not more:
            await self._send({"type": "http.response.body", "body": made, "more_body": more})
