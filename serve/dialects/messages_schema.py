"""The fields of an Anthropic messages request that are understood, and nothing besides."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from serve.dialects.chat_schema import ChatBody, Stops
from serve.dialects.fields import Strict, checked

# Known to Anthropic; named so that a caller learns that the field, not the spelling, is the trouble.
_LATER = frozenset((
    "tools", "tool_choice", "thinking", "output_config", "output_format", "container", "context_management",
    "mcp_servers", "service_tier", "inference_geo", "speed", "cache_control", "diagnostics", "user_profile_id",
    "workspace_id",
))  # fmt: skip
# A client's own line about itself, which vLLM drops from lists of system texts too.
_BILLING = "x-anthropic-billing-header"


def _texts(value: list[Any]) -> list[str]:
    """The texts of a list of text blocks, but empty ones, which vLLM drops.

    Raises:
        ValueError: the list holds something else.
    """
    texts = []
    for block in value:
        if not isinstance(block, dict) or block.get("type") != "text":
            raise ValueError("may hold blocks of type text only; images, documents, tools and thinking are not read")
        # `cache_control` asks for nothing that changes an answer.
        more = sorted(block.keys() - {"type", "text", "cache_control", "citations"})
        cited = block.get("citations") not in (None, [])
        if more or cited or not isinstance(block.get("text"), str):
            raise ValueError(f"a text block holds `type` and `text`, a string; not `{(more or ['citations'])[0]}`")
        texts.append(block["text"])
    return [text for text in texts if text]


def _turn(value: Any) -> Any:
    """Join the texts of blocks by line breaks, as those of a chat are joined."""
    if not isinstance(value, list):
        return value
    texts = _texts(value)
    if not texts:
        raise ValueError("has no text")
    return "\n".join(texts)


def _system(value: Any) -> Any:
    """Join the texts of blocks without anything between them, as vLLM does."""
    if not isinstance(value, list):
        return value
    return "".join(text for text in _texts(value) if not text.startswith(_BILLING))


class TextBlock(Strict):
    """A block of a text; blocks are read by `_texts`."""

    type: Literal["text"]
    text: str
    cache_control: Any = None
    citations: Annotated[list[Any], Field(max_length=0)] | None = None


_NotEmpty = Annotated[list[TextBlock], Field(min_length=1)]


class Turn(Strict):
    """What a user or the model said."""

    role: Literal["user", "assistant"]
    content: Annotated[str, BeforeValidator(_turn, json_schema_input_type=str | _NotEmpty)]


class MessagesBody(Strict):
    """A messages request; `metadata` is the caller's own note and stays here."""

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    system: Annotated[str, BeforeValidator(_system, json_schema_input_type=str | list[TextBlock])] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    stop_sequences: Stops | None = None
    stream: bool | None = None
    metadata: dict[str, Any] | None = None

    def as_chat(self) -> ChatBody:
        """The same request as a chat, made of it as vLLM makes one."""
        turns = [turn.model_dump() for turn in self.messages]
        system = [{"role": "system", "content": self.system}] if self.system else []
        fields = {
            "model": self.model, "messages": [*system, *turns], "max_tokens": self.max_tokens,
            "temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k, "stop": self.stop_sequences,
            "stream": self.stream,
            # The last events of a stream tell the usage.
            "stream_options": {"include_usage": True} if self.stream else None,
        }  # fmt: skip
        return ChatBody.model_validate(fields)


class CountBody(MessagesBody):
    """A request of which only the prompt counts."""

    max_tokens: Annotated[int, Field(ge=1)] = 1


def parse(fields: dict[str, Any], form: type[MessagesBody] = MessagesBody) -> MessagesBody:
    """Check a request's fields.

    Raises:
        RequestError: 400, naming the field.
    """
    return checked(form, fields, _LATER)
