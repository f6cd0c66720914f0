"""Stands in for the planner and for a model server that fails, so that faults can be provoked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from guard.types import Conversation, Plan
from serve.app import ModelCard, build_app
from serve.asgi import Guard
from serve.dialects.chat import ChatDialect
from serve.upstream import ReverseProxy, Upstream

PATH = "/v1/chat/completions"


class Planned:
    """A planner with one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def plan(self, conversation: Conversation) -> Plan:
        return self._plan


@asynccontextmanager
async def client(planner: Any, dialect: ChatDialect, upstream: Upstream) -> AsyncIterator[httpx.AsyncClient]:
    async with upstream:
        guard = Guard(ReverseProxy(upstream), planner=planner, dialects=[dialect], max_body=2**20, plan_timeout=1)
        app = build_app(guard, upstream, [ModelCard("m", 0, 128)], upstream.healthy)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
            yield made


@asynccontextmanager
async def misbehaving(folder: Path, handler: Any) -> AsyncIterator[Upstream]:
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(folder / "s")).start()
        yield Upstream(uds=folder / "s")
    finally:
        await runner.cleanup()
