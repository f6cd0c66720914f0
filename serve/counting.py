"""POST /v1/messages/count_tokens: how long the prompt of a messages request is. It generates nothing."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import RequestError
from serve.body import read_body
from serve.dialects.errors import refuse
from serve.dialects.messages import MessagesDialect
from serve.record import record_of
from serve.replies import WrongMethod, dump, send_body

PATH = "/v1/messages/count_tokens"


class Counting:
    """`app`, in front of which tokens of messages are counted."""

    def __init__(self, app: ASGIApp, dialect: MessagesDialect, *, max_body: int) -> None:
        """`max_body` in bytes."""
        self._app = app
        self._dialect = dialect
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        try:
            await send_body(send, 200, await self._counted(scope, receive))
        except RequestError as error:
            await refuse(scope, send, error)

    async def _counted(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise WrongMethod(PATH, "POST")
        body = await read_body(scope, receive, self._max_body)
        request = await asyncio.to_thread(self._dialect.read_counted, body)
        record_of(scope).conversation = request.conversation
        count = await asyncio.to_thread(lambda: request.own_tokens)
        return dump({"input_tokens": count, "context_management": {"original_input_tokens": count}})
