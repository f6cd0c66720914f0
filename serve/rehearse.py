"""Lets the model server say of a request that is changed or refused whether it takes the caller's form and tools."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope

from serve.dialects.base import Request
from serve.inner import Replay, Taken, at


async def rejection(
    app: ASGIApp, request: Request, upstream: str, scope: Scope, receive: Receive
) -> tuple[int, bytes] | None:
    """The status and body with which the model server turns down a form or tools; None where it takes them.

    An answer in its place, maybe to what has no tools any more, would tell which those are: all others
    are told.
    """
    body = await asyncio.to_thread(request.trial_body)
    if body is None:
        return None
    taken = Taken()
    await app(at(scope, upstream), Replay(body, receive), taken)
    # Of some that it cannot read it says that it failed itself.
    return (taken.status, bytes(taken.body)) if taken.status >= 400 else None
