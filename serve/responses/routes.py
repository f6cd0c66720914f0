"""What may be done with a response that is kept: read it again, drop it. None of it asks the guard or the model."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import RequestError
from serve.dialects.errors import refuse
from serve.replies import WrongMethod, dump, send_body
from serve.responses.store import ResponseStore, absent

_PATH = re.compile(r"/v1/responses/([^/]+)(/cancel)?")


class Retrieving:
    """`app`, beside the routes of responses in `store`.

    One that another version of the policy let out is not shown again: it might tell what this `version` keeps back.
    """

    def __init__(self, app: ASGIApp, store: ResponseStore, version: str | None = None) -> None:
        self._app = app
        self._store = store
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        try:
            body = self._answer(scope, found[1], cancels=found[2] is not None)
        except RequestError as error:
            await refuse(scope, send, error)
        else:
            await send_body(send, 200, body)

    def _answer(self, scope: Scope, id: str, *, cancels: bool) -> bytes:
        method, served = scope["method"], ("POST",) if cancels else ("GET", "DELETE")
        if method not in served:
            raise WrongMethod(scope["path"], *served)
        if scope.get("query_string"):
            raise RequestError(400, "nothing may stand in the query here", code="unsupported_parameter")
        shelf = self._store.of(scope)
        kept = shelf.find(id, "response_id")
        if cancels:
            told = "only a response in the background can be cancelled, and there are none here"
            raise RequestError(400, told, code="not_cancellable", param="response_id")
        if method == "DELETE":
            shelf.drop(id)
            return dump({"id": id, "object": "response", "deleted": True})
        if kept.version != self._version:
            raise absent(id, "response_id")
        return kept.response
