"""Asks the model server again, for choices whose answer told too much."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope

from guard.errors import EngineError
from guard.types import Output
from serve.dialects.base import Request
from serve.inner import Replay, Taken, encode_embeds
from serve.steering.sent import steered


class Renewed(NamedTuple):
    """A whole completion, and what guards the texts in it."""

    body: bytes
    output: Output


class Again:
    """Asks `app`, the model server, once more for one request; `scope` is that of its completions."""

    def __init__(
        self, app: ASGIApp, request: Request, output: Output, scope: Scope, receive: Receive, *, timeout: float
    ) -> None:
        """`timeout`, in seconds, is for making the prompt."""
        self._app = app
        self._request = request
        self._output = output
        self._scope = scope
        self._receive = receive
        self._timeout = timeout

    async def __call__(self, topics: frozenset[str], choices: int, number: int) -> Renewed | None:
        """Answers for so many choices, asked for the `number`th time after the first; None where there are none.

        Raises:
            EngineError: the model server failed.
            LetheError: the prompt could not be made.
            TimeoutError: nor in time.
        """
        async with asyncio.timeout(self._timeout):
            made = await asyncio.to_thread(self._body, topics, choices, number)
        if made is None:
            return None
        body, output = made
        taken = Taken()
        await self._app(self._scope, Replay(body, self._receive), taken)
        if not taken.status:
            return None  # the caller left
        if taken.status != 200:
            raise EngineError(f"the model server answers with status {taken.status} where it is asked again")
        return Renewed(bytes(taken.body), output)

    def _body(self, topics: frozenset[str], choices: int, number: int) -> tuple[bytes, Output] | None:
        if self._request.unread:
            return None  # a changed prompt would lack what was not read
        plan = self._output.again(topics, number, drawn=self._request.drawn)
        if plan is None or plan.output is None or not self._request.has_room(len(plan.embeds)):
            return None
        prompt = {"prompt_embeds": encode_embeds(plan.embeds), **steered(plan, self._request)}
        return self._request.again_body(prompt, len(plan.embeds), choices=choices, number=number), plan.output
