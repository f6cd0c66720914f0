"""Requests as the app behind the guard gets them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace

import torch
from starlette.types import Message, Receive, Scope

from guard.errors import RequestError
from guard.types import Ask, Corrupt, Pass, Refuse
from serve.dialects.base import AnswerWriter, Request
from serve.steering.sent import steered

COMPLETIONS = "/v1/completions"


@dataclass(frozen=True)
class Inner:
    """What the model server is asked: a path and a body, and what writes its answer anew, where that is needed."""

    path: str
    body: bytes
    writer: AnswerWriter | None


def inner(plan: Pass | Ask | Corrupt, request: Request, upstream: str) -> Inner | Refuse:
    """What becomes of a request that came for the path `upstream`; it is refused where there is no room for it.

    Turns stay turns, so that the model server's own parsers read what it answers; embeddings only completions take.
    CPU-bound, call it in a thread.

    Raises:
        RequestError: the chat template refuses the order of turns.
    """
    if isinstance(plan, Pass):
        # The guard reads chats, and a completion is made one of.
        return Inner(upstream, request.clean_body(), request.writer() if upstream == COMPLETIONS else None)
    ids = request.prompt_ids(plan.conversation) if isinstance(plan, Ask) else []
    tokens = len(plan.embeds) if isinstance(plan, Corrupt) else len(ids)
    if not request.has_room(tokens):
        return Refuse(plan.refusal, grounds=replace(plan.grounds, action="refuse"))
    more = steered(plan, request)
    if isinstance(plan, Ask) and upstream != COMPLETIONS:
        return Inner(upstream, request.turned_body(plan.conversation, more, tokens), request.turned_writer())
    prompt = {"prompt_embeds": encode_embeds(plan.embeds)} if isinstance(plan, Corrupt) else {"prompt": ids}
    return Inner(COMPLETIONS, request.changed_body({**prompt, **more}, tokens), request.writer())


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
    """Keeps what an app sends: a status, 0 where it sent nothing, and a body."""

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
