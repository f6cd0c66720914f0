"""Lets the model server say of a refused request whether it can hold an answer to the caller's form."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope

from serve.inner import Replay, Taken


async def rejection(app: ASGIApp, body: bytes, scope: Scope, receive: Receive) -> bytes | None:
    """What the model server says of a form that it cannot read; None where it can, or does not tell.

    A refusal in its place would tell which requests are refused: all others are told of it.
    """
    taken = Taken()
    await app(scope, Replay(body, receive), taken)
    return bytes(taken.body) if taken.status == 400 else None
