"""Lets keys of role `admin` in to the admin routes; for everybody else there are none."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import AuditError, RequestError
from serve.audit.log import AuditLog
from serve.body import gathered
from serve.caller import Caller, caller_of
from serve.inner import Replay
from serve.keys.roles import may
from serve.replies import send_error

_PREFIX = "/admin/"
_UNRECORDED = RequestError(503, "the request could not be served; try again later", code="not_served")
_log = logging.getLogger(__name__)


class Door:
    """`admin` for whom it is there, `app` for the rest. What an admin asks is in the audit log before it is done."""

    def __init__(self, app: ASGIApp, admin: ASGIApp, audit: AuditLog, *, max_body: int) -> None:
        """`max_body` in bytes."""
        self._app = app
        self._admin = admin
        self._audit = audit
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        caller = caller_of(scope) if scope["type"] == "http" and scope["path"].startswith(_PREFIX) else None
        if caller is None or not may(caller.role, "administer"):
            await self._app(scope, receive, send)
            return
        try:
            body = await gathered(receive, self._max_body)
            self._record(scope, caller)
        except RequestError as error:
            await send_error(send, error)
            return
        await self._admin(scope, Replay(body, receive), send)

    def _record(self, scope: Scope, caller: Caller) -> None:
        query = scope["query_string"].decode("latin-1")
        row = {
            "event": "admin",
            "caller": caller.id,
            "role": caller.role,
            "method": scope["method"],
            # What stands in the query may say which policy is changed.
            "path": scope["path"] + (f"?{query}" if query else ""),
        }
        try:
            self._audit.settle()
            self._audit.append(row)
        except AuditError as error:
            _log.error("an admin's request was not served: %s", error)
            raise _UNRECORDED from error
