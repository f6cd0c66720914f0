"""Requests as the app behind the guard gets them."""

from __future__ import annotations

import base64
import io

import torch
from starlette.types import Message, Receive, Scope

from guard.errors import RequestError


class Replay:
    """Gives the inner app a body read before, then the caller's own messages (which tell when the caller leaves)."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class Taken:
    """Keeps what an app sends; its status is 0 until there is one."""

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


def encode_embeds(embeds: torch.Tensor) -> str:
    """Prompt embeddings as vLLM takes them: base64 of torch.save's bytes.

    Raises:
        RequestError: 500; a value is not finite, which would spoil the engine's cache for other callers.
    """
    if not bool(torch.isfinite(embeds).all()):
        raise RequestError(500, "the request could not be served", code="internal_error")
    buffer = io.BytesIO()
    # A view would be saved with all of its storage.
    torch.save(embeds.detach().contiguous().clone(), buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def at(scope: Scope, path: str) -> Scope:
    """The same request at `path`, without query or headers: what they say was not read, so it is not passed on."""
    kept = [(b"content-type", b"application/json")]
    return {**scope, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": kept}
