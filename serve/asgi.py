"""The guard as pure ASGI middleware: whatever generates stands behind it, and nothing passes that it did not read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import DetectorError, LetheError, RequestError
from guard.types import Ask, Conversation, Corrupt, Pass, Plan, Refuse
from serve.again import Again
from serve.body import read_body
from serve.dialects.base import Dialect, Request
from serve.dialects.errors import refuse
from serve.inner import Replay, at, encode_embeds
from serve.record import Asked, Record, record_of
from serve.release import Releasing
from serve.replies import WrongMethod, send_body, send_stream
from serve.rewrite import Rewriting
from serve.roles import check_fields
from serve.steering.sent import steered
from serve.translate import Translated

_COMPLETIONS = "/v1/completions"
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
        if isinstance(plan, Refuse):
            await _refuse(request, plan.text, send)
            return
        app: ASGIApp = Asked(self._app, record)
        path = dialect.upstream
        if isinstance(plan, Pass):
            body = await asyncio.to_thread(request.clean_body)
        else:
            prompt, tokens = await asyncio.to_thread(_changed, plan, request)
            if not await asyncio.to_thread(request.has_room, tokens):
                record.grounds = replace(plan.grounds, action="refuse")
                await _refuse(request, plan.refusal, send)
                return
            body = await asyncio.to_thread(request.changed_body, prompt, tokens)
            path = _COMPLETIONS
        if path == _COMPLETIONS:
            # The guard reads chats, and the caller's own form is made of one.
            app = Rewriting(app, await asyncio.to_thread(request.writer))
        if plan.output is not None:
            there = at(scope, _COMPLETIONS)
            again = Again(self._app, request, plan.output, there, receive, timeout=self._plan_timeout)
            app = Releasing(app, request.gate(plan.output), again, timeout=self._plan_timeout)
        await app(at(scope, path), Replay(body, receive), send)

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


def _changed(plan: Ask | Corrupt, request: Request) -> tuple[dict[str, Any], int]:
    """The prompt that the engine gets instead, as a field of its completions, and its length in tokens."""
    if isinstance(plan, Corrupt):
        return {"prompt_embeds": encode_embeds(plan.embeds), **steered(plan, request)}, len(plan.embeds)
    ids = request.prompt_ids(plan.conversation)
    return {"prompt": ids, **steered(plan, request)}, len(ids)


async def _refuse(request: Request, text: str, send: Send) -> None:
    if request.stream:
        await send_stream(send, await asyncio.to_thread(request.refusal_events, text))
    else:
        await send_body(send, 200, await asyncio.to_thread(request.refusal, text))
