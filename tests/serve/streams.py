"""Answers in the form in which vLLM 0.32 writes them, and a model server that sends them piece by piece."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from stubs import Planned

from guard.types import Plan
from serve.asgi import Guard
from serve.dialects.base import Dialect

HEAD = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
DONE = b"data: [DONE]\n\n"


def chunk(text: str | None, index: int = 0, *, finish: str | None = None, role: bool = False, **more: Any) -> dict:
    """One event of one choice; `more` are fields of its delta."""
    delta = ({"role": "assistant"} if role else {}) | {"content": text} | more
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    if role:
        return HEAD | {"choices": [choice], "prompt_token_ids": None, "prompt_text": None}
    return HEAD | {"choices": [choice | ({"stop_reason": None} if finish else {}) | {"token_ids": None}]}


def usage_event(prompt: int, completion: int) -> dict:
    usage = {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}
    return HEAD | {"choices": [], "usage": usage, "system_fingerprint": "vllm-1"}


def whole(*texts: str | None, finish: str = "stop", **more: Any) -> dict:
    """A whole answer, a choice a text; `more` are fields of every message."""
    message = {"role": "assistant", "refusal": None, "annotations": None, "reasoning": None} | more
    end = {"logprobs": None, "finish_reason": finish, "stop_reason": None, "token_ids": None}
    choices = [{"index": i, "message": message | {"content": text}} | end for i, text in enumerate(texts)]
    usage = {"prompt_tokens": 9, "total_tokens": 39, "completion_tokens": 30, "prompt_tokens_details": None}
    tail = {"system_fingerprint": "vllm-1", "usage": usage, "prompt_logprobs": None}
    return HEAD | {"object": "chat.completion", "choices": choices} | tail


def sse(*events: dict | str) -> list[bytes]:
    """The events as bytes, each for itself."""
    return [f"data: {e if isinstance(e, str) else compact(e)}\n\n".encode() for e in events]


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def story(*texts: str, index: int = 0, finish: str = "stop") -> list[dict]:
    """A choice's events: its role, its texts, its end."""
    return [chunk("", index, role=True), *(chunk(text, index) for text in texts), chunk("", index, finish=finish)]


@dataclass
class Sending:
    """A model server, as an ASGI app, that sends `pieces`; then raises where it `breaks`."""

    pieces: list[bytes]
    kind: str = "text/event-stream; charset=utf-8"
    status: int = 200
    breaks: bool = False
    log: list[tuple[str, bytes]] = field(default_factory=list)
    path: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.path = scope["path"]
        headers = [(b"content-type", self.kind.encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for piece in self.pieces:
            self.log.append(("in", piece))
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self.breaks:
            raise ConnectionResetError("the model server is gone")
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Reply:
    """What a caller got; `log` tells in which order events came in and went out."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    complete: bool
    log: list[tuple[str, bytes]]

    @property
    def events(self) -> list[dict]:
        """The events of a stream but [DONE]."""
        datas = self.body.decode().removesuffix("\n\n").split("\n\n")
        return [json.loads(data.removeprefix("data: ")) for data in datas if data != "data: [DONE]"]

    def said(self, index: int = 0) -> str:
        """The text of a choice of a stream."""
        choices = [choice for event in self.events for choice in event.get("choices", [])]
        return "".join(choice["delta"].get("content") or "" for choice in choices if choice["index"] == index)

    def finish(self, index: int = 0) -> list[str]:
        """The finish reasons told of a choice."""
        choices = [choice for event in self.events for choice in event.get("choices", [])]
        return [c["finish_reason"] for c in choices if c["index"] == index and c["finish_reason"] is not None]


class Server(Protocol):
    """A model server, as an ASGI app; `log` tells in which order events came in and went out."""

    log: list[tuple[str, bytes]]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


async def reply(plan: Plan, dialect: Dialect, server: Server, **asked: Any) -> Reply:
    """Ask the guard in front of `server`, which has made `plan`; a field that is None is left out."""
    guard = Guard(server, planner=Planned(plan), dialects=[dialect], max_body=2**20, plan_timeout=1)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}], "max_tokens": 40} | asked
    body = {name: value for name, value in body.items() if value is not None}
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    inbox.put_nowait({"type": "http.request", "body": json.dumps(body).encode()})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        assert not sent or sent[-1]["type"] == "http.response.start" or sent[-1].get("more_body"), "sent after the end"
        sent.append(message)
        if message.get("body"):
            server.log.append(("out", message["body"]))

    scope = {
        "type": "http",
        "method": "POST",
        "path": dialect.path,
        "headers": [(b"content-type", b"application/json")],
    }
    await guard(scope, inbox.get, send)
    out = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(sent[0]["status"], dict(sent[0]["headers"]), out, not sent[-1].get("more_body"), server.log)
