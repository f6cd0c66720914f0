"""Asks a guard in OpenAI's Responses dialect, and writes what is expected of it."""

from __future__ import annotations

import json
from typing import Any

from streams import Sending, reply

from guard.types import Plan
from serve.dialects.responses import ResponsesDialect, ResponsesRequest

BASE = {"model": "m", "max_output_tokens": 8, "input": "Hello?"}
SCOPE: dict[str, Any] = {"headers": [], "client": ("10.0.0.1", 5)}
# What the shared helper asks of a chat.
NOT_CHAT = {"messages": None, "max_tokens": None}


def read(dialect: ResponsesDialect, scope: Any = SCOPE, **change: Any) -> ResponsesRequest:
    return dialect.read(json.dumps(BASE | change).encode(), scope)


async def answered(plan: Plan, dialect: ResponsesDialect, server: Sending, **asked: Any) -> Any:
    return await reply(plan, dialect, server, **NOT_CHAT, **BASE | asked)


def parsed(body: bytes) -> list[tuple[str, Any]]:
    """The name and data of every event of a stream."""
    blocks = [block.split("\n") for block in body.decode().removesuffix("\n\n").split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def expected(asked: dict[str, Any], text: str, **change: Any) -> dict[str, Any]:
    """The response to a request, whole or complete, in an answer of the model server's."""
    read = {"cached_tokens": 0, "cache_write_tokens": 0, "input_tokens_per_turn": [], "cached_tokens_per_turn": []}
    written = {"reasoning_tokens": 0, "tool_output_tokens": 0, "output_tokens_per_turn": []}
    usage = {"input_tokens": 9, "input_tokens_details": read, "output_tokens": 30, "total_tokens": 39}
    usage |= {"output_tokens_details": written | {"tool_output_tokens_per_turn": []}}
    part = {"annotations": [], "text": text, "type": "output_text", "logprobs": None}
    message = {"id": "msg_7", "role": "assistant", "status": "completed", "type": "message", "phase": None}
    never = ("instructions", "metadata", "user", "previous_response_id", "temperature", "top_p", "text", "error")
    never += ("incomplete_details", "max_tool_calls", "prompt", "reasoning", "top_logprobs", "kv_transfer_params")
    never += ("ec_transfer_params", "input_messages", "output_messages")
    told = {name: value for name, value in asked.items() if name not in ("input", "store", "stream")}
    return dict.fromkeys(never) | told | {
        "id": "resp_7", "created_at": 1700000000, "object": "response", "model": "m", "status": "completed",
        "output": [message | {"content": [part] if text else []}], "usage": usage, "parallel_tool_calls": True,
        "tool_choice": "none", "tools": [], "background": False, "service_tier": "auto", "truncation": "disabled",
        "presence_penalty": 0.0, "frequency_penalty": 0.0,
    } | change  # fmt: skip


CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
