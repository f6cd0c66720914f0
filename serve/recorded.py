"""Keeps a record of every request, before the last of its answer leaves: what cannot be recorded is not served."""

from __future__ import annotations

import logging
import secrets
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.errors import AuditError, RequestError
from guard.secret import digest
from guard.types import Conversation
from serve.audit.log import AuditLog
from serve.caller import caller_of, known_as
from serve.dialects.errors import error_form
from serve.flagged.store import Flagged, FlaggedStore, messages_of, now
from serve.measured import Measured
from serve.metrics import Metrics
from serve.outlet import Outlet
from serve.record import Record, with_record
from serve.traces import Traces

_UNRECORDED = RequestError(503, "the request could not be served; try again later", code="not_served")
# As others call it: the caller left before anything was answered.
_GONE = 499
_log = logging.getLogger(__name__)


class Recorded:
    """`app`, of whose answers the audit log keeps a line each; they are counted, and traced if there are `traces`."""

    def __init__(
        self,
        app: ASGIApp,
        audit: AuditLog,
        metrics: Metrics,
        secret: bytes,
        *,
        traces: Traces | None = None,
        flagged: FlaggedStore | None = None,
    ) -> None:
        """`flagged` keeps the text of requests in which topics were found, if there is one."""
        self._app = app
        self._audit = audit
        self._metrics = metrics
        self._secret = secret
        self._traces = traces
        self._flagged = flagged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        outlet = Outlet(send, error_form(scope))
        try:
            self._audit.settle()
        except AuditError as error:
            _log.error("a request was not served: %s", error)
            self._metrics.unrecorded.inc()
            await outlet.fail(_UNRECORDED)
            return
        with self._metrics.in_flight.track_inprogress():
            await self._answered(scope, receive, outlet)

    async def _answered(self, scope: Scope, receive: Receive, outlet: Outlet) -> None:
        record, began = Record(), perf_counter()
        span = self._traces.begin(scope, record) if self._traces else None
        lacking: int | None = None

        async def leaving(message: Message) -> None:
            if record.left is None and message.get("body"):
                record.left = perf_counter()
            await outlet(message)

        def keep(measured: Measured) -> None:
            status, seconds = lacking or measured.status, perf_counter() - began
            if lacking is None and record.left is None:
                record.left = perf_counter()  # a whole answer, which leaves next
            row = self._row(scope, record, measured.id) | {"status": status, "milliseconds": round(seconds * 1000, 1)}
            self._metrics.count(record, status, seconds)
            if self._traces is not None and span is not None:
                self._traces.end(span, record, scope["path"], status)
            self._keep_text(row, record)
            try:
                self._audit.append(row)
            except AuditError as error:
                _log.error("an answer was not served: %s", error)
                self._metrics.unrecorded.inc()
                outlet.instead = _UNRECORDED
                self._audit.owe(row if record.stream else row | {"status": _UNRECORDED.status})

        measured = Measured(leaving, keep)
        try:
            await self._app(with_record(scope, record), receive, measured)
        except BaseException:
            lacking = None if outlet.begun else 500
            raise
        finally:
            lacking = lacking or (None if outlet.begun else _GONE)
            measured.end()

    def _row(self, scope: Scope, record: Record, told: str | None) -> dict[str, Any]:
        grounds, caller = record.grounds, caller_of(scope)
        return {
            "event": "request",
            "id": told or f"lethe-{secrets.token_hex(8)}",
            "caller": self._caller(scope),
            "role": caller.role if caller else None,
            "policy": record.policy,
            "topics": list(grounds.topics) if grounds else [],
            "action": grounds.action if grounds else None,
            "stream": record.stream,
            "prompt": prompt_hash(self._secret, record.conversation) if record.conversation else None,
        }

    def _keep_text(self, row: dict[str, Any], record: Record) -> None:
        if self._flagged is not None and row["topics"] and record.conversation is not None:
            said = messages_of(record.conversation)
            self._flagged.keep(Flagged(row["id"], now(), row["policy"], row["topics"], row["action"], said))

    def _caller(self, scope: Scope) -> str | None:
        try:
            return known_as(self._secret, scope)
        except RequestError:
            return None


def prompt_hash(secret: bytes, conversation: Conversation) -> str:
    """A keyed hash of all that a model would have read: who holds the secret can tell whether it was a given prompt."""
    parts = [part.encode("utf-8", "surrogatepass") for turn in conversation.messages for part in (turn.role, turn.text)]
    return digest(secret, b"prompt", *parts).hex()
