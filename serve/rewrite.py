"""Answers to a raw or changed prompt: the model server's completion goes in, a chat answer comes out."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.errors import RequestError
from serve.dialects.base import AnswerWriter
from serve.replies import send_body, send_error
from serve.sse import Decoder, encode


class Rewriting:
    """`app`, whose completion `writer` writes anew, for one request."""

    def __init__(self, app: ASGIApp, writer: AnswerWriter) -> None:
        self._app = app
        self._writer = writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        await self._app(scope, receive, _Rewriter(self._writer, send))


class _Rewriter:
    """Takes the inner app's completion and sends a chat answer; errors go through as they are."""

    def __init__(self, writer: AnswerWriter, send: Send) -> None:
        self._writer = writer
        self._send = send
        self._start: Message = {}
        self._body = bytearray()
        self._events: Decoder | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            if self._kind.startswith(b"text/event-stream"):
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
        if status == 200:
            await send_body(self._send, status, self._writer.whole(body))
        elif b"embed" in body or b"prompt" in body:
            # An error that speaks of the prompt would tell how it was sent.
            await send_error(self._send, RequestError(502, "the model server failed", code="upstream_failed"))
        else:
            await send_body(self._send, status, body, self._kind.decode("latin-1"))

    async def _pass_events(self, message: Message) -> None:
        assert self._events is not None
        read = self._events.feed(message.get("body", b""))
        made = b"".join(encode(event) for data in read for event in self._writer.event(data))
        more = message.get("more_body", False)
        if made or not more:
            await self._send({"type": "http.response.body", "body": made, "more_body": more})
