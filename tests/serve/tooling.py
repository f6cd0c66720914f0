"""A server that parses tools and thoughts, and chats with tools for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import openai
from asking import CLEAN
from serving import Served, make_checkpoint, start_server

from serve.keys.store import add_key

TEMPLATE = """
{%- if tools %}<|system|>{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|end|>{% endif -%}
{%- for m in messages %}<|{{ 'user' if m.role == 'tool' else m.role }}|>
{%- if m.reasoning %}<think>{{ m.reasoning }}</think>{% endif %}{{ m.content or '' }}
{%- for call in m.tool_calls or [] %}<tool_call>{{ call.id }} {{ call.function.name }}
{{- call.function.arguments | tojson }}</tool_call>{% endfor %}<|end|>{% endfor -%}
{%- if add_generation_prompt %}<|assistant|>{% if reasoning_effort %}{{ reasoning_effort }}: {% endif %}{% endif -%}
"""
FLAGS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3")
# Does not think, and writes enough for a call.
BRIEF: dict[str, Any] = {"reasoning_effort": "none", "max_tokens": 90}
NAMED = {"type": "function", "function": {"name": "look_up"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"town": "Paris"}'}}


def tool(town: Any = "a town", **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"town": town}, "required": ["town"], "additionalProperties": False}
    return {"type": "function", "function": {"name": "look_up", "parameters": schema} | more}


TOWNS = tool({"type": "string", "enum": ["Paris", "Rome"]}, strict=True, description="Tells what a town is known for.")


def turns(question: str = CLEAN, arguments: str = '{"town": "Paris"}', result: str = "A tower.") -> list[Any]:
    """A chat in which a tool was called and has answered."""
    call = CALL | {"function": {"name": "look_up", "arguments": arguments}}
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "I look it up."},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]


class Tooled(NamedTuple):
    """The server, and clients for a caller, for an evaluator, and for a caller in Anthropic's form."""

    server: Served
    model: Path
    caller: openai.OpenAI
    evaluator: openai.OpenAI
    anthropic: anthropic.Anthropic


@contextmanager
def serving_tools(folder: Path, policy: Path, state: Path) -> Iterator[Tooled]:
    model = make_checkpoint(folder / "model")
    (model / "chat_template.jinja").write_text(TEMPLATE)
    secret = (state / "secret").read_bytes()
    keys = [add_key(state / "keys.json", secret, role=role, name="")[1] for role in ("caller", "evaluator")]
    server = start_server(model, policy, "--keys", "--", *FLAGS, state=state)
    try:
        server.wait_ready()
        clients = [openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) for key in keys]
        other = anthropic.Anthropic(base_url=server.url, api_key=keys[0], max_retries=0)
        yield Tooled(server, model, clients[0], clients[1], other)
    finally:
        server.close()
