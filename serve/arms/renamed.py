"""An arm's model under the name that callers know: theirs goes in, the model's own is asked, theirs comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from guard.errors import RequestError
from serve.changing import Changing
from serve.inner import Replay
from serve.replies import dump, send_body, send_error
from serve.sse import encode

_UNSERVED = RequestError(502, "the model server does not answer; try again later", code="upstream_unreachable")


class Renamed:
    """`app`, asked for the model `there`; its answers carry the fields `told`, wherever they have such fields."""

    def __init__(self, app: ASGIApp, there: str, told: Mapping[str, Any]) -> None:
        self._app = app
        self._there = there
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request, whose body comes in one piece."""
        body = json.loads((await receive())["body"]) | {"model": self._there}
        await self._app(scope, Replay(dump(body), receive), _Renaming(self._told, send))


class _Renaming(Changing):
    """Takes the inner app's messages; errors go through as they are, but for one that would name the model."""

    def __init__(self, told: Mapping[str, Any], send: Send) -> None:
        super().__init__(send)
        self._told = told

    async def _whole(self, status: int, body: bytes) -> None:
        if status == 404:
            await send_error(self._send, _UNSERVED)
            return
        made = body if status != 200 else self._changed(body.decode()).encode()
        await send_body(self._send, status, made, self._kind)

    def _event(self, data: str) -> bytes:
        return encode(self._changed(data))

    def _changed(self, data: str) -> str:
        if data == "[DONE]":
            return data
        answer: dict[str, Any] = json.loads(data)
        # Where a stream's event has none, its field is null or absent, and stays so.
        answer |= {name: value for name, value in self._told.items() if answer.get(name) is not None}
        return dump(answer).decode()
