"""The fields of a Responses request that are understood, and nothing besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from guard.types import Message
from serve.dialects.chat_schema import ChatBody
from serve.dialects.fields import Strict, checked

# Known to OpenAI or vLLM; named so that a caller learns that the field, not the spelling, is the trouble.
_LATER = frozenset((
    "tools", "tool_choice", "parallel_tool_calls", "max_tool_calls", "reasoning", "include", "include_reasoning",
    "background", "conversation", "prompt", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "service_tier", "stream_options", "top_logprobs", "logit_bias", "min_p", "frequency_penalty", "presence_penalty",
    "repetition_penalty", "seed", "stop", "stop_token_ids", "ignore_eos", "structured_outputs",
    "skip_special_tokens", "include_stop_str_in_output", "chat_template_kwargs", "previous_input_messages",
    "enable_response_messages", "context_management", "moderation",
))  # fmt: skip


def _one_text(value: Any, kind: str, empty: tuple[str, ...] = ()) -> Any:
    """Join the texts of parts of one kind by line breaks, as vLLM does; fields named in `empty` may hold nothing.

    Raises:
        ValueError: the list holds something else.
    """
    if not isinstance(value, list):
        return value
    if not value:
        raise ValueError("has no parts")
    texts = []
    for part in value:
        if not isinstance(part, dict) or part.get("type") != kind:
            raise ValueError(f"may hold parts of type {kind} only; other kinds are not supported")
        held = {name for name in part if name not in empty or part[name]}
        if held != {"type", "text"} or not isinstance(part["text"], str):
            raise ValueError(f"a part of type {kind} holds `type` and `text`, and `text` is a string")
        texts.append(part["text"])
    return "\n".join(texts)


def _said(value: Any) -> Any:
    return _one_text(value, "input_text")


def _answered(value: Any) -> Any:
    return _one_text(value, "output_text", ("annotations", "logprobs"))


class _Item(Strict):
    type: Literal["message"] | None = None
    # vLLM would write on where the last message is told to be unfinished.
    status: Literal["completed"] | None = None
    phase: None = None


class Turn(_Item):
    """A system, developer or user message."""

    role: Literal["system", "developer", "user"]
    content: Annotated[str, BeforeValidator(_said)]


class AssistantTurn(_Item):
    """An earlier answer, which may come back as it was given."""

    role: Literal["assistant"]
    content: Annotated[str, BeforeValidator(_answered)]
    id: str | None = None


def _speaker(value: Any) -> str | None:
    role = value.get("role") if isinstance(value, dict) else None
    return role if role == "assistant" else "user" if role in ("system", "developer", "user") else None


Item = Annotated[
    Annotated[Turn, Tag("user")] | Annotated[AssistantTurn, Tag("assistant")],
    Discriminator(
        _speaker,
        custom_error_type="item",
        custom_error_message="must be a message by system, developer, user or assistant; other items are not supported",
    ),
]
Items = Annotated[list[Item], Field(min_length=1)]


def _kind(value: Any) -> str:
    return "string" if isinstance(value, str) else "items"


class TextFormat(Strict):
    """How the answer is written: as text."""

    type: Literal["text"]


class TextConfig(Strict):
    """What the answer is to be like."""

    format: TextFormat | None = None


# OpenAI's own bounds.
_Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class ResponsesBody(Strict):
    """A Responses request; `metadata` and `user` are the caller's own notes, which come back and go no further."""

    model: str
    input: Annotated[Annotated[str, Tag("string")] | Annotated[Items, Tag("items")], Discriminator(_kind)]
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    stream: bool | None = None
    store: bool | None = None
    user: str | None = None
    metadata: _Metadata | None = None
    text: TextConfig | None = None
    truncation: Literal["disabled"] | None = None

    def as_chat(self, earlier: Iterable[Message]) -> ChatBody:
        """The same request as a chat, made of it and of `earlier` turns as vLLM makes one."""
        told = [{"role": "system", "content": self.instructions}] if self.instructions else []
        before = [{"role": message.role, "content": message.text} for message in earlier]
        said = [{"role": "user", "content": self.input}] if isinstance(self.input, str) else [
            {"role": turn.role, "content": turn.content} for turn in self.input
        ]  # fmt: skip
        fields = {
            "model": self.model, "messages": [*told, *before, *said], "max_tokens": self.max_output_tokens,
            "temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k, "stream": self.stream,
            # The last event of a stream tells the usage.
            "stream_options": {"include_usage": True} if self.stream else None,
        }  # fmt: skip
        return ChatBody.model_validate(fields)


def parse(fields: dict[str, Any]) -> ResponsesBody:
    """Check a request's fields.

    Raises:
        RequestError: 400, naming the field.
    """
    return checked(ResponsesBody, fields, _LATER)
