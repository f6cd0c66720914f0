"""What changes answers on their way out: a whole one once all of it is there, a stream event by event."""

from __future__ import annotations

from abc import ABC, abstractmethod

from starlette.types import Message, Send

from serve.sse import Decoder


class Changing(ABC):
    """A `send` that takes an app's messages for one request. Errors with a status of their own are whole answers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = bytearray()
        self._events: Decoder | None = None

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self._start = message
            if message["status"] < 400 and self._kind.startswith("text/event-stream"):
                self._events = Decoder()
                await self._send(message)
        elif message["type"] == "http.response.body":
            await self._take(message.get("body", b""), message.get("more_body", False))

    @abstractmethod
    async def _whole(self, status: int, body: bytes) -> None:
        """Send what becomes of a whole answer."""

    @abstractmethod
    def _event(self, data: str) -> bytes:
        """What is sent for the data of one event: none, one or more events."""

    @property
    def _kind(self) -> str:
        """The content type of the app's answer."""
        headers: dict[bytes, bytes] = dict(self._start["headers"])
        return headers.get(b"content-type", b"application/json").decode("latin-1")

    async def _take(self, chunk: bytes, more: bool) -> None:
        if self._events is not None:
            made = b"".join(self._event(data) for data in self._events.feed(chunk))
            if made or not more:
                await self._send({"type": "http.response.body", "body": made, "more_body": more})
            return
        self._body += chunk
        if not more:
            await self._whole(self._start["status"], bytes(self._body))
