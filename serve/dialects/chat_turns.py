"""Makes of a chat's fields what the guard reads: the turns, and beside them all else that the model reads of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from guard.types import Conversation, Message
from serve.dialects.chat_schema import AssistantTurn, ChatBody, Sampled, ToolTurn, Turn
from serve.dialects.constraints_schema import written
from serve.dialects.words import words_of
from serve.model_text import effort_fields
from serve.replies import dump

# "developer" is OpenAI's newer word for "system"; templates know the older.
_ROLES = {"developer": "system"}
_FORMS = ("response_format", "structured_outputs")
_ASIDE = "tools"


class Said(NamedTuple):
    """A message, and what the caller calls its text."""

    message: Message
    param: str


def read_turns(body: ChatBody, names: Sequence[str] | None = None) -> list[Said]:
    """Every text of a chat, in their order; what stands aside comes behind the system's texts, or its own turn's.

    `names` are what the caller calls each turn, where it was made of another form.
    """
    turns = [
        said if names is None else Said(said.message, names[number])
        for number, turn in enumerate(body.messages)
        for said in _turn(turn, f"messages[{number}]")
    ]
    first = next((number for number, said in enumerate(turns) if said.message.role != "system"), len(turns))
    tools = [Said(_aside(_ASIDE, tool.fields()), f"tools[{number}]") for number, tool in enumerate(body.tools or ())]
    return [*turns[:first], *tools, *constraints(body), *turns[first:]]


def constraints(body: Sampled) -> Iterator[Said]:
    """What the answer is held to: a choice between the truth and something else asks as a question does."""
    for name in _FORMS:
        if (form := getattr(body, name)) is not None:
            yield Said(_aside(_ASIDE, written(form)), name)


def template_fields(body: ChatBody) -> dict[str, Any]:
    """What the chat template gets besides the turns, as vLLM gives it."""
    tools = {"tools": [tool.fields() for tool in body.tools]} if body.tools else {}
    return tools | effort_fields(body.reasoning_effort)


def upstream_turns(body: ChatBody) -> list[dict[str, Any]]:
    """The turns as the model server takes them, written anew from what was understood."""
    return [_sent(turn) for turn in body.messages]


def turns_of(conversation: Conversation) -> list[dict[str, Any]]:
    """A conversation's turns as the model server takes them; a template's fields go beside them."""
    return [_turned(message) for message in conversation.messages if not message.aside]


def conversation_of(turns: list[Said], body: ChatBody) -> Conversation:
    """The chat as the guard reads it."""
    return Conversation(tuple(said.message for said in turns), template=template_fields(body))


def _turn(turn: Turn | AssistantTurn | ToolTurn, param: str) -> Iterator[Said]:
    role = _ROLES.get(turn.role, turn.role)
    yield Said(Message(role, turn.content or "", _more(turn)), f"{param}.content")
    if isinstance(turn, ToolTurn):
        yield Said(_aside(role, [turn.tool_call_id, turn.name]), f"{param}.tool_call_id")
    if isinstance(turn, AssistantTurn):
        if turn.tool_calls:
            called = [[call.id, call.function.name, call.arguments] for call in turn.tool_calls]
            yield Said(_aside(role, called), f"{param}.tool_calls")
        if thought := _thought(turn):
            yield Said(_aside(role, thought), f"{param}.reasoning")


def _more(turn: Turn | AssistantTurn | ToolTurn) -> dict[str, Any]:
    """What a template gets of a turn besides its text."""
    if isinstance(turn, ToolTurn):
        return {"tool_call_id": turn.tool_call_id} | ({} if turn.name is None else {"name": turn.name})
    if not isinstance(turn, AssistantTurn):
        return {}
    thought = _thought(turn)
    calls = [call.fields(call.arguments) for call in turn.tool_calls or ()]
    thinking = {} if thought is None else {"reasoning": thought, "reasoning_content": thought}
    return ({"tool_calls": calls} if calls else {}) | thinking


def _sent(turn: Turn | AssistantTurn | ToolTurn) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": _ROLES.get(turn.role, turn.role), "content": turn.content}
    if isinstance(turn, AssistantTurn):
        # As text, in which the model server takes them, of the very object that was read.
        calls = [call.fields(dump(call.arguments).decode()) for call in turn.tool_calls or ()]
        thought = _thought(turn)
        return sent | ({"tool_calls": calls} if calls else {}) | ({} if thought is None else {"reasoning": thought})
    return sent | _more(turn)


def _turned(message: Message) -> dict[str, Any]:
    # Templates get the thoughts under two names, and calls as objects, where the model server takes text.
    more = {name: value for name, value in message.more.items() if name != "reasoning_content"}
    if "tool_calls" in more:
        more["tool_calls"] = [_texted(call) for call in more["tool_calls"]]
    return {"role": message.role, "content": message.text, **more}


def _texted(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return call | {"function": function | {"arguments": dump(function["arguments"]).decode()}}


def _thought(turn: AssistantTurn) -> str | None:
    return turn.reasoning_content if turn.reasoning is None else turn.reasoning


def _aside(role: str, value: Any) -> Message:
    return Message(role, words_of(value), aside=True)
