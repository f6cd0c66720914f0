"""Answers to a raw or changed prompt: the model server's completion goes in, a chat answer comes out."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import RequestError
from serve.changing import Changing
from serve.dialects.base import AnswerWriter
from serve.replies import send_body, send_error
from serve.sse import encode


class Rewriting:
    """`app`, whose completion `writer` writes anew, for one request."""

    def __init__(self, app: ASGIApp, writer: AnswerWriter) -> None:
        self._app = app
        self._writer = writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        await self._app(scope, receive, _Rewriter(self._writer, send))


class _Rewriter(Changing):
    """Takes the inner app's completion and sends a chat answer; errors go through as they are."""

    def __init__(self, writer: AnswerWriter, send: Send) -> None:
        super().__init__(send)
        self._writer = writer

    async def _whole(self, status: int, body: bytes) -> None:
        if status == 200:
            await send_body(self._send, status, self._writer.whole(body))
        elif b"embed" in body or b"prompt" in body:
            # An error that speaks of the prompt would tell how it was sent.
            await send_error(self._send, RequestError(502, "the model server failed", code="upstream_failed"))
        else:
            await send_body(self._send, status, body, self._kind)

    def _event(self, data: str) -> bytes:
        return b"".join(map(encode, self._writer.event(data)))
