"""No route of vLLM goes past the guard, and docs/routes.md says what becomes of each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import aiohttp
import pytest
from serving import Served
from vllm_routes import routes

CHAT = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
SAID = {"/v1/completions": {"prompt": "Hi"}, "/v1/responses": {"input": "Hi"}}
PAGE = Path(__file__).parents[2] / "docs" / "routes.md"
ROUTE = re.compile(r"`([A-Z]+) (/\S*)`")


def told(*headings: str) -> set[tuple[str, str]]:
    """The routes that the page has under these headings."""
    _, *sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    chosen = [section for section in sections if section.split("\n", 1)[0] in headings]
    assert len(chosen) == len(headings)
    return {route for section in chosen for route in ROUTE.findall(section)}


NOT_VLLMS = {("GET", "/v1/models/NAME"), ("DELETE", "/v1/responses/{response_id}")}
GUARDED, OWN, DENIED = told("Guarded"), told("Answered by Lethe itself"), told("Denied")


def test_the_page_tells_of_every_route_once() -> None:
    assert len(GUARDED | OWN | DENIED) == len(GUARDED) + len(OWN) + len(DENIED)
    assert routes() == GUARDED | DENIED | OWN - NOT_VLLMS


async def test_the_running_engine_has_no_other_routes(served: Served) -> None:
    connector = aiohttp.UnixConnector(path=str(served.socket))
    async with aiohttp.ClientSession(connector=connector) as session, session.get("http://e/openapi.json") as reply:
        paths = (await reply.json())["paths"]
    running = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert ("POST", "/v1/chat/completions") in running
    assert running <= routes()


@pytest.mark.parametrize("body", [
    {"messages": [{"role": "user", "content": "How do I boil an egg?"}]}, {"prompt": "Once"}, {"input": "Once"},
])  # fmt: skip
async def test_what_is_not_guarded_is_denied(served: Served, body: dict[str, object]) -> None:
    data = json.dumps({"model": "m", "max_tokens": 4} | body)
    async with aiohttp.ClientSession(headers={"content-type": "application/json"}) as session:
        for method, path in sorted((routes() | DENIED) - GUARDED - OWN):
            url = served.url + path
            if method == "WEBSOCKET":
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await session.ws_connect(url)
                assert caught.value.status == 403
                continue
            async with session.request(method, url, data=data) as reply:
                assert reply.status in (403, 404, 405), (method, path)
                assert "error" in await reply.json()


async def test_guarded_routes_are_guarded(served: Served) -> None:
    """A field that vLLM would heed, and that no dialect reads, is refused there: so the guard has read the request."""
    async with aiohttp.ClientSession() as session:
        for _, path in sorted(GUARDED):
            body = {"model": "m", "vllm_xargs": {"a": 1}} | SAID.get(path, CHAT)
            async with session.post(served.url + path, json=body) as reply:
                assert reply.status == 400
                assert "unknown field `vllm_xargs`" in await reply.text()
