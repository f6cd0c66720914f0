"""The fields of an Anthropic messages request that are understood, and nothing besides."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from serve.dialects.chat_schema import ChatBody, Stops
from serve.dialects.fields import MOST, Strict, checked
from serve.dialects.messages_blocks import Texts, Turn, chat_turns, texts
from serve.dialects.messages_thinking import Disabled, Enabled, OutputConfig, Thinking, chat_fields
from serve.dialects.messages_tools import Choice, Tool, chosen

# Known to Anthropic; named so that a caller learns that the field, not the spelling, is the trouble.
_LATER = frozenset((
    "output_format", "container", "context_management", "mcp_servers", "service_tier",
    "inference_geo", "speed", "cache_control", "diagnostics", "user_profile_id", "workspace_id",
))  # fmt: skip
# A client's own line about itself, which vLLM drops from lists of system texts too.
_BILLING = "x-anthropic-billing-header"


class AsChat(NamedTuple):
    """The same request as a chat, and what the caller calls each of its turns."""

    body: ChatBody
    names: list[str]


class MessagesBody(Strict):
    """A messages request; `metadata` is the caller's own note and stays here."""

    answered: ClassVar[bool] = True  # whether anything is to be written

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    system: Texts | None = None
    tools: list[Tool] | None = None
    tool_choice: Choice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=MOST)] | None = None
    stop_sequences: Stops | None = None
    stream: bool | None = None
    metadata: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _tools_fit_together(self) -> Self:
        chosen(self.tools, self.tool_choice)
        return self

    @field_validator("thinking")
    @classmethod
    def _leaves_room_for_an_answer(cls, thinking: Thinking | None, read: ValidationInfo) -> Thinking | None:
        most = read.data.get("max_tokens", math.inf)
        if cls.answered and isinstance(thinking, Enabled) and thinking.budget_tokens >= most:
            raise ValueError("`budget_tokens` must be less than `max_tokens`")
        return thinking

    def as_chat(self, unthinking: str) -> AsChat:
        """Made as vLLM makes one; `unthinking` is the effort with which the model does not think."""
        turns = [(turn, f"messages[{number}].content") for number, said in enumerate(self.messages)
                 for turn in chat_turns(said)]  # fmt: skip
        if system := self._system():
            turns.insert(0, ({"role": "system", "content": system}, "system"))
        fields = {
            "model": self.model, "messages": [turn for turn, _ in turns], "max_tokens": self.max_tokens,
            "temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k, "stop": self.stop_sequences,
            "stream": self.stream,
            # The last events of a stream tell the usage.
            "stream_options": {"include_usage": True} if self.stream else None,
        }  # fmt: skip
        held = chat_fields(self.thinking, self.output_config, unthinking)
        body = ChatBody.model_validate(fields | held | chosen(self.tools, self.tool_choice))
        return AsChat(body, [name for _, name in turns])

    @property
    def unthinking(self) -> bool:
        """Whether the model is not to think."""
        return isinstance(self.thinking, Disabled)

    def _system(self) -> str:
        """The texts of the system without anything between them, as vLLM joins them."""
        given = self.system or ""
        if isinstance(given, str):
            return given
        return texts([block for block in given if not block.text.startswith(_BILLING)], "")


class CountBody(MessagesBody):
    """A request of which only the prompt counts."""

    answered: ClassVar[bool] = False
    max_tokens: Annotated[int, Field(ge=1)] = 1


def parse(fields: dict[str, Any], form: type[MessagesBody] = MessagesBody) -> MessagesBody:
    """Check a request's fields.

    Raises:
        RequestError: 400, naming the field.
    """
    return checked(form, fields, _LATER)
