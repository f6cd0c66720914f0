"""vLLM's own metrics beside a guard inside it, which denies the route that tells them."""

from __future__ import annotations

from typing import Any


class Gauges:
    """A middleware around all others that answers GET /gauges."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/gauges":
            await self._app(scope, receive, send)
            return
        from prometheus_client import generate_latest

        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": generate_latest()})
