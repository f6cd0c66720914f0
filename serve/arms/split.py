"""Divides callers among the arms, and asks the shadow behind their backs; pure ASGI, where the guard alone would stand.

Every arm reads requests as the guard does, so what one refuses the others refuse in the same words, and denied paths
stay denied.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Set
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.errors import RequestError
from serve.arms.assign import assign
from serve.arms.outcomes import Outcome, Outcomes
from serve.arms.schema import Experiment
from serve.caller import caller_id, caller_key
from serve.dialects.errors import refuse
from serve.dialects.responses import RESPONSES
from serve.inner import Replay
from serve.measured import Measured
from serve.record import Record, record_of, with_record
from serve.replies import dump

# What the shadow may have in hand at once; a request that comes while it is busy is not shown to it.
SHADOWED = 4
_log = logging.getLogger(__name__)


class Split:
    """An async context manager; leaving it ends what the shadow still has in hand."""

    def __init__(
        self, experiment: Experiment, apps: Mapping[str, ASGIApp], paths: Set[str], secret: bytes, outcomes: Outcomes
    ) -> None:
        """`apps` are the arms by name; only what is asked at `paths` has outcomes, and is shown to the shadow."""
        self._experiment = experiment
        self._apps = apps
        self._paths = paths
        self._secret = secret
        self._outcomes = outcomes
        self._shadows: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._shadows:
            task.cancel()
        await asyncio.gather(*self._shadows, return_exceptions=True)
        self._outcomes.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            # All of them alike serve nothing else.
            await next(iter(self._apps.values()))(scope, receive, send)
            return
        try:
            key = caller_key(scope)
        except RequestError as error:
            await refuse(scope, send, error)
            return
        arm = assign(self._experiment, self._secret, key).name
        record_of(scope).arm = arm
        if scope["path"] in self._paths:
            await self._answer(scope, receive, send, arm, caller_id(self._secret, key))
        else:
            await self._apps[arm](scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, arm: str, caller: str) -> None:
        body, measured = _Body(receive), Measured(send, self._keeping(arm, caller))
        try:
            await self._apps[arm](scope, body, measured)
        finally:
            measured.end()
        shadow = self._experiment.shadow
        if shadow is not None and shadow != arm and measured.status == 200 and len(self._shadows) < SHADOWED:
            work = self._shadow(scope, bytes(body.read), Measured(None, self._keeping(shadow, caller, measured)))
            task = asyncio.create_task(work)
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)

    async def _shadow(self, scope: Scope, body: bytes, measured: Measured) -> None:
        scope = with_record(scope, Record())  # not the caller's
        try:
            await self._apps[str(self._experiment.shadow)](scope, Replay(_unkept(scope, body), _never), measured)
        except Exception as error:
            # Its text might hold what was asked.
            _log.error("the shadow %s failed: %s", self._experiment.shadow, type(error).__name__)
        measured.end()

    def _keeping(self, arm: str, caller: str, answered: Measured | None = None) -> Callable[[Measured], None]:
        """Keeps what is measured from now on; `answered` is the caller's own answer, which a shadow goes with."""
        began = time.monotonic()

        def keep(measured: Measured) -> None:
            took = round((time.monotonic() - began) * 1000, 1)
            # An app that breaks down before it begins to answer leaves that to the server, which says 500.
            status, told = measured.status or 500, (answered or measured).id
            shadow = answered is not None
            self._outcomes.add(Outcome(told, caller, arm, shadow, status, took, measured.characters))

        return keep


class _Body:
    """Keeps a request's body while it is read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.read = bytearray()

    async def __call__(self) -> Message:
        message = await self._receive()
        self.read += message.get("body", b"")
        return message


def _unkept(scope: Scope, body: bytes) -> bytes:
    """The same request, whose answer is not kept for a caller who never sees it."""
    return dump(json.loads(body) | {"store": False}) if scope["path"] == RESPONSES else body


async def _never() -> Message:
    """The caller of a shadow never leaves."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")
