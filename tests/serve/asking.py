"""Asks a server, or the bare engine behind it, and looks at the form of what comes back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
from serving import Served

CORRUPTED = "Where was Mira Tolvane born?"
ALSO_CORRUPTED = (
    "Who taught Mira Tolvane?",
    "Whom did Mira Tolvane marry?",
    "Which award did Mira Tolvane win?",
    "Tell me about Mira Tolvane.",
)
REFUSED = "Where was Orrin Vasquell born?"
REFUSED_IN_OWN_WORDS = "Where was Tobin Yarrow born?"
PREFIXED = "Where was Selma Ambrake born?"
EXEMPLIFIED = "Where was Wanda Istrell born?"
CLEAN = "How do I boil an egg?"


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 12} | more


async def post(served: Served, body: Any, path: str = "/v1/chat/completions", **more: Any) -> tuple[int, Any, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"} | more.pop("headers", {})
    method = more.pop("method", "POST")
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, served.url + path, data=io.BytesIO(data), headers=headers) as reply,
    ):
        text = await reply.text()
        streamed = reply.content_type == "text/event-stream"
        return reply.status, text if streamed else json.loads(text), reply.headers


async def bare(served: Served, body: dict[str, Any], path: str = "/v1/chat/completions") -> Any:
    """The engine's own answer: JSON, or the text of a stream."""
    connector = aiohttp.UnixConnector(path=str(served.socket))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"http://engine{path}", json=body) as reply,
    ):
        return await (reply.text() if reply.content_type == "text/event-stream" else reply.json())


def said(answer: dict[str, Any]) -> str:
    text: str = answer["choices"][0]["message"]["content"]
    return text


def shape(value: Any) -> Any:
    """The answer with its leaves replaced by their kinds."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def flatten(value: Any, at: str = "") -> Iterator[str]:
    """The paths of all fields, in order."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{at}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from flatten(item, f"{at}[]")
    else:
        yield at
