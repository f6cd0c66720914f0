"""The input of a Responses request: messages, thoughts, calls of tools and what these gave back, as turns of a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from serve.dialects.fields import Strict
from serve.dialects.tools_schema import Label

Json = dict[str, Any]


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
    return _one_text(
        [_unparsed(part) for part in value] if isinstance(value, list) else value,
        "output_text",
        ("annotations", "logprobs"),
    )


def _unparsed(part: Any) -> Any:
    """A part without what OpenAI's SDK makes of its text."""
    return {name: part[name] for name in part if name != "parsed"} if isinstance(part, dict) else part


class _Item(Strict):
    # vLLM would write on where the last message is told to be unfinished.
    status: Literal["completed"] | None = None


class _Message(_Item):
    type: Literal["message"] | None = None
    phase: None = None


class Turn(_Message):
    """A system, developer or user message."""

    role: Literal["system", "developer", "user"]
    content: Annotated[str, BeforeValidator(_said)]


class AssistantTurn(_Message):
    """An earlier answer, which may come back as it was given."""

    role: Literal["assistant"]
    content: Annotated[str, BeforeValidator(_answered)]
    id: str | None = None


class FunctionCall(Strict):
    """A call of an earlier answer, which may come back as it was given, also where it was cut."""

    type: Literal["function_call"]
    call_id: Label
    name: Label
    arguments: str
    id: str | None = None
    status: Literal["completed", "incomplete"] | None = None
    namespace: None = None
    caller: None = None
    asynchronous: Annotated[None, Field(alias="async")] = None
    async_: None = None  # what OpenAI's SDK makes of it
    parsed_arguments: Any = None  # as well; the arguments themselves are read

    def fields(self) -> Json:
        """The call as a chat tells it."""
        return {"id": self.call_id, "function": {"name": self.name, "arguments": self.arguments}}


class FunctionCallOutput(_Item):
    """What a tool gave back."""

    type: Literal["function_call_output"]
    call_id: Label
    output: Annotated[str, BeforeValidator(_said)]
    id: str | None = None


class ReasoningText(Strict):
    """Some of what was thought."""

    type: Literal["reasoning_text"]
    text: str


class SummaryText(Strict):
    """Some of what thoughts come to, as other servers tell it."""

    type: Literal["summary_text"]
    text: str


def _unread(value: Any) -> Any:
    if value is not None:
        raise ValueError("cannot be read here; thoughts are taken as text, in `content`")
    return value


class Thoughts(_Item):
    """What was thought for an earlier answer, which may come back as it was given."""

    type: Literal["reasoning"]
    content: list[ReasoningText] | None = None
    summary: list[SummaryText] | None = None
    encrypted_content: Annotated[None, BeforeValidator(_unread)] = None
    id: str | None = None

    @property
    def text(self) -> str:
        """The thoughts; as in vLLM, a summary stands for them only where they are not told."""
        return "\n".join(part.text for part in self.content or self.summary or ())


def _form(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    kind, role = value.get("type"), value.get("role")
    if kind in ("reasoning", "function_call", "function_call_output"):
        return f"{kind} item"
    return "assistant" if role == "assistant" else "user" if role in ("system", "developer", "user") else None


Item = Annotated[
    Annotated[Turn, Tag("user")]
    | Annotated[AssistantTurn, Tag("assistant")]
    | Annotated[Thoughts, Tag("reasoning item")]
    | Annotated[FunctionCall, Tag("function_call item")]
    | Annotated[FunctionCallOutput, Tag("function_call_output item")],
    Discriminator(
        _form,
        custom_error_type="item",
        custom_error_message="must be a message by system, developer, user or assistant, a reasoning item, a "
        "function_call or a function_call_output; other items are not supported",
    ),
]


def _thought_for_something(items: list[Item]) -> list[Item]:
    if isinstance(items[-1], Thoughts):
        raise ValueError("ends with a reasoning item; what was thought needs what it was thought for")
    return items


Items = Annotated[list[Item], Field(min_length=1), AfterValidator(_thought_for_something)]


def chat_turns(items: Sequence[Item]) -> list[tuple[Json, str]]:
    """The turns of a chat that vLLM makes of them, and what the caller calls each.

    Calls are of the assistant's turn before them, and so are thoughts where it has none, and what it says where it
    said nothing before.
    """
    turns: list[tuple[Json, str]] = []
    for number, item in enumerate(items):
        name = f"input[{number}]"
        if isinstance(item, FunctionCallOutput):
            turns.append(({"role": "tool", "tool_call_id": item.call_id, "content": item.output}, f"{name}.output"))
        elif isinstance(item, Turn):
            turns.append(({"role": item.role, "content": item.content}, f"{name}.content"))
        else:
            last = turns[-1][0] if turns and turns[-1][0]["role"] == "assistant" else None
            if last is None or not _joined(last, item):
                begun: Json = {"role": "assistant", "content": None}
                _joined(begun, item)
                turns.append((begun, f"{name}.content" if isinstance(item, AssistantTurn) else name))
    for turn, _ in turns:
        if turn["content"] is None and "tool_calls" not in turn:
            turn["content"] = ""  # so the model server reads a turn of thoughts alone
    return turns


def _joined(turn: Json, item: Thoughts | AssistantTurn | FunctionCall) -> bool:
    """Put the item into a turn of the assistant; False where that has one of the kind already."""
    if isinstance(item, FunctionCall):
        turn["tool_calls"] = [*turn.get("tool_calls", ()), item.fields()]
        return True
    name, said = ("reasoning", item.text) if isinstance(item, Thoughts) else ("content", item.content)
    if turn.get(name) is not None:
        return False
    turn[name] = said
    return True
