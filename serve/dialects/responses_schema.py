"""The fields of a Responses request that are understood, and nothing besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Field, Tag, model_validator

from serve.dialects.chat_schema import ChatBody, Effort
from serve.dialects.fields import Off, Strict, TopK, checked
from serve.dialects.responses_items import Items, chat_turns
from serve.dialects.responses_text import TextConfig
from serve.dialects.responses_tools import Choice, Tool

Json = dict[str, Any]
# Known to OpenAI or vLLM; named so that a caller learns that the field, not the spelling, is the trouble.
_LATER = frozenset((
    "max_tool_calls", "include_reasoning", "conversation", "prompt", "prompt_cache_retention", "logit_bias", "min_p",
    "frequency_penalty", "presence_penalty", "repetition_penalty", "seed", "stop", "stop_token_ids", "ignore_eos",
    "structured_outputs", "skip_special_tokens", "include_stop_str_in_output", "chat_template_kwargs",
    "previous_input_messages", "enable_response_messages", "context_management", "moderation",
))  # fmt: skip


def _kind(value: Any) -> str:
    return "string" if isinstance(value, str) else "items"


class Reasoning(Strict):
    """How much the model is to think; it is told as it was thought, and not summed up."""

    context: None = None
    effort: Effort | None = None
    generate_summary: None = None
    mode: None = None
    summary: None = None


class StreamOptions(Strict):
    """How a stream is written."""

    include_obfuscation: Off | None = None


# OpenAI's own bounds.
_Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]
# What no answer here has, so that to ask for it changes none.
_Included = Literal[
    "code_interpreter_call.outputs", "computer_call_output.output.image_url", "file_search_call.results",
    "message.input_image.image_url", "reasoning.encrypted_content", "web_search_call.action.sources",
    "web_search_call.results",
]  # fmt: skip


class AsChat(NamedTuple):
    """The same request as a chat, and what the caller calls each of its turns."""

    body: ChatBody
    names: list[str]


class ResponsesBody(Strict):
    """A Responses request; what is the caller's own note, or has one value alone, goes no further."""

    model: str
    input: Annotated[Annotated[str, Tag("string")] | Annotated[Items, Tag("items")], Discriminator(_kind)]
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | Choice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: TopK | None = None
    stream: bool | None = None
    store: bool | None = None
    user: str | None = None
    metadata: _Metadata | None = None
    text: TextConfig | None = None
    truncation: Literal["disabled"] | None = None
    reasoning: Reasoning | None = None
    include: list[_Included] | None = None
    background: Off | None = None
    service_tier: Literal["auto", "default"] | None = None
    stream_options: StreamOptions | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None

    @model_validator(mode="after")
    def _tools_fit_together(self) -> Self:
        names = {tool.name for tool in self.tools or ()}
        if self.tool_choice not in (None, "none", "auto") and not names:
            raise ValueError("`tool_choice` needs `tools`")
        if isinstance(self.tool_choice, Choice) and self.tool_choice.name not in names:
            raise ValueError("`tool_choice` names none of the `tools`")
        return self

    def as_chat(self, earlier: Iterable[Json]) -> AsChat:
        """Made of it and of `earlier` turns as vLLM makes one."""
        told = [({"role": "system", "content": self.instructions}, "instructions")] if self.instructions else []
        before = [(turn, "previous_response_id") for turn in earlier]
        said = (
            [({"role": "user", "content": self.input}, "input")]
            if isinstance(self.input, str)
            else chat_turns(self.input)
        )
        turns = [*told, *before, *said]
        fields = {
            "model": self.model, "messages": [turn for turn, _ in turns], "max_tokens": self.max_output_tokens,
            "temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k, "stream": self.stream,
            # The last event of a stream tells the usage.
            "stream_options": {"include_usage": True} if self.stream else None,
            "reasoning_effort": None if self.reasoning is None else self.reasoning.effort,
            "response_format": None if self.text is None else self.text.fields(),
        }  # fmt: skip
        return AsChat(ChatBody.model_validate(fields | self._chosen()), [name for _, name in turns])

    def _chosen(self) -> Json:
        """Tools as fields of a chat, in which a choice stands only beside them."""
        if not self.tools:
            return {}
        choice = self.tool_choice.fields() if isinstance(self.tool_choice, Choice) else self.tool_choice
        given = {"tool_choice": choice, "parallel_tool_calls": self.parallel_tool_calls}
        return {"tools": [tool.fields() for tool in self.tools]} | given


def parse(fields: dict[str, Any]) -> ResponsesBody:
    """Check a request's fields.

    Raises:
        RequestError: 400, naming the field.
    """
    return checked(ResponsesBody, fields, _LATER)
