"""The objects and events of OpenAI's Responses, field for field as vLLM 0.32 writes them."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from serve.dialects.responses_schema import ResponsesBody
from serve.dialects.responses_tools import Choice
from serve.replies import dump
from serve.sse import encode

Json = dict[str, Any]


class Head(NamedTuple):
    """What a response has of the chat answer that it is made of; `number` tells it from all others."""

    number: str
    created: int
    model: str

    @classmethod
    def of(cls, answer: Json) -> Self:
        """That of a chat answer, or of an event of one."""
        return cls(answer["id"].partition("-")[2], answer["created"], answer["model"])

    @property
    def id(self) -> str:
        """The response's id."""
        return f"resp_{self.number}"

    def item(self, kind: str, place: int) -> str:
        """The id of the item at a place of it, which is thoughts (rs), a message (msg) or a call (fc)."""
        return f"{kind}_{self.number}" + (f"_{place}" if place else "")


def response(asked: ResponsesBody, head: Head, output: list[Json], finish: str | None, usage: Json | None) -> Json:
    """A response, which is in progress where there is no reason to `finish` yet.

    Temperature, top_p and the limit of tokens are told as they were asked for, null where they were not.
    """
    cut = finish == "length"
    status = "in_progress" if finish is None else "incomplete" if cut else "completed"
    return {
        "id": head.id, "created_at": head.created, "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": asked.instructions, "metadata": asked.metadata, "model": head.model, "object": "response",
        "output": output, "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "temperature": asked.temperature, "tool_choice": _choice(asked),
        "tools": [tool.told() for tool in asked.tools or ()], "top_p": asked.top_p, "background": False,
        "max_output_tokens": asked.max_output_tokens, "max_tool_calls": None,
        "previous_response_id": asked.previous_response_id, "prompt": None,
        "reasoning": None if asked.reasoning is None else asked.reasoning.model_dump(),
        "service_tier": asked.service_tier or "auto", "status": status, "text": _text(asked), "top_logprobs": None,
        "truncation": "disabled", "usage": usage, "user": asked.user, "presence_penalty": 0.0,
        "frequency_penalty": 0.0, "kv_transfer_params": None, "ec_transfer_params": None, "input_messages": None,
        "output_messages": None,
    }  # fmt: skip


def _text(asked: ResponsesBody) -> Json | None:
    return None if asked.text is None else asked.text.told()


def _choice(asked: ResponsesBody) -> Any:
    if not asked.tools:
        return "none"
    return asked.tool_choice.model_dump() if isinstance(asked.tool_choice, Choice) else asked.tool_choice or "auto"


def written(kind: str, id: str, text: str, *, done: bool) -> Json:
    """A message of a response, or what was thought for it (`kind` reasoning)."""
    status = "completed" if done else "in_progress"
    if kind == "reasoning":
        told = {"id": id, "summary": [], "type": kind, "content": [part(kind, text, done=True)] if text else None}
        return told | {"encrypted_content": None, "status": status}
    told = {"role": "assistant", "status": status, "type": kind, "phase": None}
    return {"id": id, "content": [part(kind, text, done=True)] if text else []} | told


def call(id: str, call_id: str, name: str, arguments: str, status: str) -> Json:
    """The call of a function in a response."""
    told = {"arguments": arguments, "call_id": call_id, "name": name, "type": "function_call", "id": id}
    return told | {"async": None, "caller": None, "namespace": None, "status": status}


def part(kind: str, text: str, *, done: bool) -> Json:
    """The text of a message, or of what was thought (`kind` reasoning)."""
    if kind == "reasoning":
        return {"text": text, "type": "reasoning_text"}
    return {"annotations": [], "text": text, "type": "output_text", "logprobs": None if done else []}


def usage(told: Json) -> Json:
    """That of a chat, in their form. What the engine had in its cache is told to nobody."""
    prompt, completion = told["prompt_tokens"], told["completion_tokens"]
    thought = (told.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    read = {"cached_tokens": 0, "cache_write_tokens": 0, "input_tokens_per_turn": [], "cached_tokens_per_turn": []}
    own: Json = {
        "reasoning_tokens": thought, "tool_output_tokens": 0, "output_tokens_per_turn": [],
        "tool_output_tokens_per_turn": [],
    }  # fmt: skip
    return {
        "input_tokens": prompt, "input_tokens_details": read, "output_tokens": completion,
        "output_tokens_details": own, "total_tokens": prompt + completion,
    }  # fmt: skip


def event(kind: str, number: int, **fields: Any) -> bytes:
    """The event of a stream that so many came before; fields stand in order of their names."""
    told = fields | {"sequence_number": number, "type": kind}
    return encode(dump(dict(sorted(told.items()))).decode(), kind)


def error_event(code: str | None, message: str, number: int) -> bytes:
    """The event that ends a stream in which something failed."""
    return event("error", number, code=code, message=message, param=None)
