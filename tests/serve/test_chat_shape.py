"""The form of answers is learned from samples; a server that is ahead of its reader merges some of their events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from guard.errors import EngineError
from serve.prove import examine
from serve.upstream import Upstream


def event(**choice: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "finish_reason": None, **choice}]}


class Merging:
    """A model server whose streams hold no middle event until `patience` tokens or more are asked for."""

    def __init__(self, patience: int) -> None:
        self.patience = patience

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m", "max_model_len": 64}]})

    async def chat(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if not asked.get("stream"):
            return web.json_response({"choices": [{"index": 0, "message": {"content": "x"}}], "usage": {}})
        events = [event(delta={"role": "assistant", "content": ""})]
        if asked["max_tokens"] >= self.patience:
            events.append(event(delta={"content": "a"}))
        events.append(event(delta={"content": "b"}, finish_reason="length"))
        if asked.get("stream_options"):
            events.append({"id": "chatcmpl-1", "choices": [], "usage": {"total_tokens": 1}})
        body = "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n"
        return web.Response(text=body, content_type="text/event-stream")

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/chat/completions", self.chat)
        return TestServer(app)


async def test_longer_samples_are_asked_for_when_events_were_merged() -> None:
    async with Merging(patience=32).server() as server, Upstream(url=str(server.make_url("/"))) as upstream:
        facts = await examine(upstream, None)
    assert facts.shape.middle["choices"][0]["delta"] == {"content": "a"}


async def test_a_server_of_another_form_is_told_by_what_is_missing() -> None:
    async with Merging(patience=10_000).server() as server, Upstream(url=str(server.make_url("/"))) as upstream:
        with pytest.raises(EngineError, match="no middle among"):
            await examine(upstream, None)
