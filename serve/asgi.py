"""The guard as pure ASGI middleware: whatever generates stands behind it, and nothing passes that it did not read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from time import perf_counter
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import DetectorError, LetheError, RequestError
from guard.types import Ask, Conversation, Corrupt, Pass, Plan, Refuse
from serve.again import Again
from serve.body import read_body
from serve.dialects.base import Dialect, Request
from serve.dialects.errors import refuse
from serve.early import Early
from serve.inner import COMPLETIONS, Replay, at, inner
from serve.record import Asked, Record, record_of
from serve.rehearse import rejection
from serve.release import Releasing
from serve.replies import WrongMethod, send_body, send_stream
from serve.rewrite import Rewriting
from serve.roles import check_fields
from serve.translate import Translated

_log = logging.getLogger(__name__)


class Planner(Protocol):
    """What the guard asks; `guard.pipeline.Pipeline` is one."""

    def plan(self, conversation: Conversation) -> Plan:
        """Decide what becomes of a conversation."""
        ...


class Guard:
    """Reads, plans, and acts on every request for `app`; denies each path that no dialect covers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        planner: Planner,
        dialects: Iterable[Dialect],
        max_body: int,
        plan_timeout: float,
        policy: str | None = None,
    ) -> None:
        """`max_body` in bytes, `plan_timeout` in seconds; `policy` is the version that records name."""
        self._app = app
        self._planner = planner
        self._dialects = {dialect.path: dialect for dialect in dialects}
        self._max_body = max_body
        self._plan_timeout = plan_timeout
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        dialect = self._dialects.get(scope["path"])
        if dialect is None:
            await refuse(scope, send, self._not_served(scope))
            return
        try:
            await self._http(dialect, scope, receive, send)
        except RequestError as error:
            await refuse(scope, send, error)

    async def _http(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise WrongMethod(dialect.path, "POST")
        body = await read_body(scope, receive, self._max_body)
        request = await asyncio.to_thread(dialect.read, body, scope)
        check_fields(scope, request.reserved)
        record = record_of(scope)
        record.policy, record.conversation, record.stream = self._policy, request.conversation, request.stream
        await asyncio.to_thread(request.check_room)
        plan = await self._plan(request.conversation, record)
        if request.unread:
            plan = _whole_or_not(plan)
            record.grounds = plan.grounds
        translator = await asyncio.to_thread(request.translator)
        send = send if translator is None else Translated(translator, send)
        made = plan if isinstance(plan, Refuse) else await asyncio.to_thread(inner, plan, request, dialect.upstream)
        if not isinstance(plan, Pass):
            told = await rejection(self._app, request, dialect.upstream, scope, receive)
            if told is not None:
                await send_body(send, *told)
                return
        if isinstance(made, Refuse):
            record.grounds = made.grounds
            await _refuse(request, made.text, send)
            return
        app: ASGIApp = Asked(Early(self._app) if request.stream else self._app, record)
        if made.writer is not None:
            app = Rewriting(app, made.writer)
        if not isinstance(plan, Refuse) and plan.output is not None:
            there = at(scope, COMPLETIONS)
            again = Again(self._app, request, plan.output, there, receive, timeout=self._plan_timeout)
            app = Releasing(app, request.gate(plan.output), again, timeout=self._plan_timeout)
        await app(at(scope, made.path), Replay(made.body, receive), send)

    def _not_served(self, scope: Scope) -> RequestError:
        told = f"{scope['method']} {scope['path']} is not served; what generates here is {', '.join(self._dialects)}"
        return RequestError(403, told, code="route_not_served")

    async def _plan(self, conversation: Conversation, record: Record) -> Plan:
        record.begun = perf_counter()
        try:
            async with asyncio.timeout(self._plan_timeout):
                plan = await asyncio.to_thread(self._planner.plan, conversation)
            record.grounds = plan.grounds
            return plan
        except RequestError:
            raise
        except (DetectorError, TimeoutError) as error:
            record.failed = type(error).__name__
            # The operator's log; the reply tells nothing of what was looked for.
            _log.error("a request could not be checked and was not served: %s", type(error).__name__)
            raise RequestError(503, "the request could not be checked; try again later", code="not_checked") from error
        except LetheError as error:
            _log.error("a request could not be prepared and was not served: %s", error)
            raise RequestError(503, "the request could not be prepared", code="not_prepared") from error
        except Exception as error:
            _log.exception("the guard failed; the request was not served")
            raise RequestError(500, "the request could not be served", code="internal_error") from error


def _whole_or_not(plan: Plan) -> Plan:
    """The plan for a request of which a part was not read: what the model would be asked instead lacks that part."""
    if isinstance(plan, Ask | Corrupt):
        return Refuse(plan.refusal, grounds=replace(plan.grounds, action="refuse"))
    if isinstance(plan, Pass):
        return replace(plan, grounds=replace(plan.grounds, action=f"{plan.grounds.action}-unread"))
    return plan


async def _refuse(request: Request, text: str, send: Send) -> None:
    if request.stream:
        await send_stream(send, await asyncio.to_thread(request.refusal_events, text))
    else:
        await send_body(send, 200, await asyncio.to_thread(request.refusal, text))
