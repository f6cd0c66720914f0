"""The turns of an Anthropic messages request: texts, thoughts, what tools were called with and what they gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from serve.dialects.fields import Strict
from serve.dialects.tools_schema import Label
from serve.replies import dump

Json = dict[str, Any]


class _Block(Strict):
    # It asks for nothing that changes an answer.
    cache_control: Any = None


class TextBlock(_Block):
    """A text."""

    type: Literal["text"]
    text: str
    citations: None = None


class ToolUse(_Block):
    """A call of an earlier answer."""

    type: Literal["tool_use"]
    id: Label
    name: Label
    input: dict[str, Any]
    caller: None = None

    def fields(self) -> Json:
        """The call as a chat tells it."""
        return {"id": self.id, "function": {"name": self.name, "arguments": dump(self.input).decode()}}


class Thought(Strict):
    """What was thought before an earlier answer; signatures are not looked at, by vLLM neither."""

    type: Literal["thinking"]
    thinking: str
    signature: str | None = None


class HiddenThought(Strict):
    """Thoughts of another server, which nobody here can read: left out, as by vLLM."""

    type: Literal["redacted_thinking"]
    data: str


def _kind(value: Any) -> str:
    return "string" if isinstance(value, str) else "items"


def _block(value: Any) -> Any:
    return f"{value.get('type')} block" if isinstance(value, dict) else None


def _of(*kinds: str) -> Discriminator:
    told = f"must be a block of type {' or '.join(kinds)}; others (images, documents) are not read"
    return Discriminator(_block, custom_error_type="block", custom_error_message=told)


_Text = Annotated[TextBlock, Tag("text block")]
_Texts = list[Annotated[_Text, _of("text")]]
Texts = Annotated[Annotated[str, Tag("string")] | Annotated[_Texts, Tag("items")], Discriminator(_kind)]


class ToolResult(_Block):
    """What a tool gave back; that it is an error is not told to the model, by vLLM neither."""

    type: Literal["tool_result"]
    tool_use_id: Label
    content: Texts | None = None
    is_error: bool | None = None

    def fields(self) -> Json:
        """The turn of a chat in which it stands."""
        # Of these texts vLLM keeps empty ones.
        given = self.content or ""
        text = given if isinstance(given, str) else "\n".join(block.text for block in given)
        return {"role": "tool", "tool_call_id": self.tool_use_id, "content": text}


def texts(given: str | list[Any], between: str) -> str:
    """The texts of blocks in one, but empty ones, which vLLM drops."""
    if isinstance(given, str):
        return given
    return between.join(block.text for block in given if isinstance(block, TextBlock) and block.text)


def _says_something(given: str | list[Any]) -> str | list[Any]:
    if isinstance(given, list) and not any(not isinstance(block, TextBlock) or block.text for block in given):
        raise ValueError("has no text")
    return given


_Heard = list[Annotated[_Text | Annotated[ToolResult, Tag("tool_result block")], _of("text", "tool_result")]]
_Said = (
    _Text
    | Annotated[ToolUse, Tag("tool_use block")]
    | Annotated[Thought, Tag("thinking block")]
    | Annotated[HiddenThought, Tag("redacted_thinking block")]
)
_Answered = list[Annotated[_Said, _of("text", "tool_use", "thinking")]]
_FromUser = Annotated[str, Tag("string")] | Annotated[Annotated[_Heard, Field(min_length=1)], Tag("items")]
_FromModel = Annotated[str, Tag("string")] | Annotated[Annotated[_Answered, Field(min_length=1)], Tag("items")]


class UserTurn(Strict):
    """What a user said, and what tools gave back."""

    role: Literal["user"]
    content: Annotated[_FromUser, Discriminator(_kind), AfterValidator(_says_something)]


class AssistantTurn(Strict):
    """An earlier answer."""

    role: Literal["assistant"]
    content: Annotated[_FromModel, Discriminator(_kind), AfterValidator(_says_something)]


Turn = Annotated[UserTurn | AssistantTurn, Field(discriminator="role")]


def chat_turns(turn: Turn) -> Iterator[Json]:
    """The turns of a chat that vLLM makes of one: results come before what the user says, calls after the answer."""
    text = texts(turn.content, "\n")
    blocks = [] if isinstance(turn.content, str) else turn.content
    if isinstance(turn, AssistantTurn):
        yield _answer(text, blocks)
        return
    results = [block.fields() for block in blocks if isinstance(block, ToolResult)]
    yield from results
    if text or not results:
        yield {"role": turn.role, "content": text}


def _answer(text: str, blocks: Sequence[Any]) -> Json:
    calls = [block.fields() for block in blocks if isinstance(block, ToolUse)]
    thoughts = "".join(block.thinking for block in blocks if isinstance(block, Thought))
    more = ({"tool_calls": calls} if calls else {}) | ({"reasoning": thoughts} if thoughts else {})
    return {"role": "assistant", "content": text or None if calls else text, **more}
