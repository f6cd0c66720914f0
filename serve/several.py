"""Completions of several prompts in one request: each is asked for itself, and the answers are put together.

So each is scanned, refused or changed as if it had come alone, and what is done to one touches no other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import RequestError
from guard.types import Conversation, Grounds
from serve.body import read_body
from serve.inner import Replay, Taken
from serve.record import Record, record_of, with_record
from serve.replies import dump, send_body, send_error
from serve.strict_json import load_object

Json = dict[str, Any]
_PATH = "/v1/completions"
_MOST = 128
_AT_ONCE = 8


class Several:
    """`app`, which answers completions of one prompt."""

    def __init__(self, app: ASGIApp, *, max_body: int) -> None:
        """`max_body` in bytes."""
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", _PATH):
            await self._app(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, self._max_body)
            bodies = await asyncio.to_thread(_apart, body)
        except RequestError as error:
            await send_error(send, error)
            return
        if len(bodies) == 1:
            await self._app(scope, Replay(bodies[0], receive), send)
        else:
            await self._each(bodies, scope, receive, send)

    async def _each(self, bodies: Sequence[bytes], scope: Scope, receive: Receive, send: Send) -> None:
        records = [Record() for _ in bodies]
        some = asyncio.Semaphore(_AT_ONCE)

        async def asked(body: bytes, record: Record) -> Taken:
            taken = Taken()
            async with some:
                await self._app(with_record(scope, record), Replay(body, receive), taken)
            return taken

        answers = await asyncio.gather(*map(asked, bodies, records))
        _merge(record_of(scope), records)
        failed = next((answer for answer in answers if answer.status != 200), None)
        if failed is None:
            made = await asyncio.to_thread(_together, [bytes(answer.body) for answer in answers])
            await send_body(send, 200, made)
        elif failed.status:  # else the caller left
            await send_body(send, failed.status, bytes(failed.body))


def _apart(body: bytes) -> list[bytes]:
    """A body for every prompt; the very body where there is one.

    Raises:
        RequestError: it is not JSON, there are too many prompts, or a stream was asked for.
    """
    fields = load_object(body)
    prompts = fields.get("prompt")
    if not isinstance(prompts, list) or len(prompts) < 2 or not all(isinstance(one, str | list) for one in prompts):
        return [body]
    if len(prompts) > _MOST:
        raise RequestError(400, f"`prompt` may hold {_MOST} texts at most", code="invalid_value", param="prompt")
    if fields.get("stream"):
        told = "`stream` needs one prompt; send each in a request of its own, or leave it out"
        raise RequestError(400, told, code="invalid_value", param="stream")
    return [dump(fields | {"prompt": prompt}) for prompt in prompts]


def _together(answers: Sequence[bytes]) -> bytes:
    """One answer with the choices of all, in their order, and the sum of their usage."""
    read: list[Json] = [json.loads(answer) for answer in answers]
    choices = [choice for answer in read for choice in answer["choices"]]
    for index, choice in enumerate(choices):
        choice["index"] = index
    usage = read[0]["usage"]
    for name in ("prompt_tokens", "total_tokens", "completion_tokens"):
        usage[name] = sum(answer["usage"][name] for answer in read)
    return dump(read[0] | {"choices": choices, "usage": usage})


def _merge(whole: Record, parts: Sequence[Record]) -> None:
    """What became known of all prompts, as that of one request."""
    whole.policy = parts[0].policy
    whole.failed = next((part.failed for part in parts if part.failed), None)
    messages = [message for part in parts if part.conversation for message in part.conversation.messages]
    whole.conversation = Conversation(tuple(messages)) if messages else None
    for name in ("begun", "asked", "came"):
        setattr(whole, name, min((when for part in parts if (when := getattr(part, name)) is not None), default=None))
    known = [part.grounds for part in parts if part.grounds is not None]
    if known:
        topics = dict.fromkeys(topic for grounds in known for topic in grounds.topics)
        actions = dict.fromkeys(grounds.action for grounds in known if grounds.action != "pass")
        spent = sum(grounds.detect_s for grounds in known)
        whole.grounds = Grounds(tuple(topics), "+".join(actions) or "pass", spent)
