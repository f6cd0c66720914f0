"""The fields of a chat completion request that are understood, and nothing besides."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from serve.dialects.constraints_schema import ResponseFormat, StructuredOutputs
from serve.dialects.fields import MOST, Strict, TopK, checked
from serve.dialects.tools_schema import Call, Choice, Label, Tool

# Known to OpenAI or vLLM; named so that a caller learns that the field, not the spelling, is the trouble.
_LATER = frozenset((
    "functions", "function_call", "logit_bias", "repetition_penalty", "modalities", "audio", "prediction", "store",
    "service_tier", "web_search_options", "stop_token_ids", "min_tokens", "ignore_eos", "bad_words",
    "prompt_logprobs", "echo", "chat_template", "chat_template_kwargs", "add_generation_prompt",
    "continue_final_message", "add_special_tokens", "documents",
))  # fmt: skip


def one_text(value: Any) -> Any:
    """Join text parts by line breaks, as vLLM does; the joined text is what is checked and what is sent.

    What is no list is returned as it is.

    Raises:
        ValueError: the list holds something else than text parts.
    """
    if not isinstance(value, list):
        return value
    if not value:
        raise ValueError("has no parts")
    texts = []
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise ValueError("may hold parts of type text only; other kinds are not supported yet")
        if set(part) != {"type", "text"} or not isinstance(part["text"], str):
            raise ValueError("a text part holds `type` and `text`, and `text` is a string")
        texts.append(part["text"])
    return "\n".join(texts)


class TextPart(Strict):
    """A part of a text; parts are read by `one_text`."""

    type: Literal["text"]
    text: str


_TextParts = Annotated[list[TextPart], Field(min_length=1)]
Text = Annotated[str, BeforeValidator(one_text, json_schema_input_type=str | _TextParts)]
_NoList = Annotated[list[Any], Field(max_length=0)]


class Typed(Strict):
    """A message; some clients say of what type it is."""

    type: Literal["text"] | None = None


class Turn(Typed):
    """A system, developer or user message."""

    role: Literal["system", "developer", "user"]
    content: Text


class AssistantTurn(Typed):
    """An earlier answer, which may come back with the empty fields it was given with.

    What was thought is `reasoning`, or `reasoning_content` in servers of another age.
    """

    role: Literal["assistant"]
    content: Text | None = None
    tool_calls: list[Call] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: None = None
    annotations: _NoList | None = None
    audio: None = None
    function_call: None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and not self.tool_calls:
            raise ValueError("needs `content` or `tool_calls`")
        return self


class ToolTurn(Typed):
    """What a tool gave back."""

    role: Literal["tool"]
    content: Text
    tool_call_id: Label
    name: Label | None = None


_MOST_STOPS = 4  # As many as vLLM takes.


def _stoppable(given: str | list[str]) -> str | list[str]:
    stops = [given] if isinstance(given, str) else given
    if len(stops) > _MOST_STOPS:
        raise ValueError(f"takes at most {_MOST_STOPS} strings, not {len(stops)}")
    if "" in stops:
        raise ValueError("holds an empty string, which stands everywhere; remove it")
    return given


_STOP = {"type": "string", "minLength": 1}
_STOPS = {"type": "array", "items": _STOP, "maxItems": _MOST_STOPS}
Stops = Annotated[list[str], AfterValidator(_stoppable), WithJsonSchema(_STOPS)]
StopOrStops = Annotated[str | list[str], AfterValidator(_stoppable), WithJsonSchema({"anyOf": [_STOP, _STOPS]})]


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class StreamOptions(Strict):
    """What a stream ends with."""

    include_usage: bool = False


class Sampled(Strict):
    """What chats and completions have in common; `user` is the caller's own note and stays here."""

    model: str
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: TopK | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: StopOrStops | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    user: str | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("`stream_options` needs `stream`: true")
        if (self.n or 1) > 1 and self.temperature == 0:
            raise ValueError("`n` must be 1 when `temperature` is 0")
        return self


class ChatBody(Sampled):
    """A chat completion request; `metadata` is the caller's own note and stays here."""

    messages: Annotated[
        list[Annotated[Turn | AssistantTurn | ToolTurn, Field(discriminator="role")]], Field(min_length=1)
    ]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    tools: Annotated[list[Tool], Field(min_length=1)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Choice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    include_reasoning: bool | None = None
    thinking_token_budget: Annotated[int, Field(ge=-1, le=MOST)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    metadata: dict[str, str] | None = None

    @model_validator(mode="after")
    def _tools_fit_together(self) -> Self:
        names = {tool.function.name for tool in self.tools or ()}
        if self.tool_choice not in (None, "none") and not names:
            raise ValueError("`tool_choice` needs `tools`")
        if isinstance(self.tool_choice, Choice) and self.tool_choice.function.name not in names:
            raise ValueError("`tool_choice` names none of the `tools`")
        return self

    @model_validator(mode="after")
    def _likelihoods_fit_together(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("`top_logprobs` needs `logprobs`: true")
        return self


def parse(fields: dict[str, Any]) -> ChatBody:
    """Check a request's fields.

    Raises:
        RequestError: 400, naming the field.
    """
    return checked(ChatBody, fields, _LATER)
