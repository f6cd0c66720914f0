"""Lets the model server say of a request that is changed or refused whether it takes the caller's form and tools."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope

from serve.dialects.base import Request
from serve.inner import Replay, Taken, at


async def rejection(app: ASGIApp, request: Request, upstream: str, scope: Scope, receive: Receive) -> bytes | None:
    """What the model server says of a form, or of tools, that it cannot read; None where it can, or does not tell.

    An answer in its place, maybe to what has no tools any more, would tell which those are: all others
    are told.
    """
    body = await asyncio.to_thread(request.trial_body)
    if body is None:
        return None
    taken = Taken()
    await app(at(scope, upstream), Replay(body, receive), taken)
    return bytes(taken.body) if taken.status == 400 else None
