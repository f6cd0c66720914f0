"""A guard in front of the served engine, and what the engine sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from serving import Served
from stubs import Planned

from guard.types import Plan
from serve.asgi import Guard
from serve.dialects.chat import ChatDialect
from serve.model_text import ModelText
from serve.prove import examine
from serve.upstream import ReverseProxy, Upstream


class Noting:
    """An ASGI app that notes what `app` sends."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.sent = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            self.sent += message.get("body", b"")
            await send(message)

        await self._app(scope, receive, note)


@asynccontextmanager
async def guarded(served: Served, checkpoint: Path, plan: Plan) -> AsyncIterator[tuple[httpx.AsyncClient, Noting]]:
    """A client of a guard in front of the served engine, and what the engine sends."""
    async with Upstream(uds=served.socket) as upstream:
        facts = await examine(upstream, "m")
        dialect = ChatDialect(("m",), facts.context, ModelText.from_checkpoint(str(checkpoint)), facts.shape)
        engine = Noting(ReverseProxy(upstream))
        guard = Guard(engine, planner=Planned(plan), dialects=[dialect], max_body=2**20, plan_timeout=5)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://t", timeout=60) as http:
            yield http, engine


def events(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in stream.decode().split("\n\n")[:-2]]


def text_of(stream: bytes) -> str:
    return "".join(c["delta"].get("content") or "" for e in events(stream) for c in e["choices"])
