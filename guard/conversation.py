"""Views of a conversation: what is read on its own, and what is read together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from guard.followup import stands_alone
from guard.types import Conversation, Message, Span


@dataclass(frozen=True)
class Reading:
    """A text that detection looks at: the messages numbered `messages`, one under the other."""

    text: str
    messages: tuple[int, ...]
    starts: tuple[int, ...]

    def spans(self, start: int, end: int) -> list[Span]:
        """Where characters [start, end) stand in the messages, a span a message."""
        found: list[Span] = []
        for place in range(bisect_right(self.starts, start) - 1, len(self.starts)):
            first = self.starts[place]
            # The line break between two messages belongs to neither.
            last = self.starts[place + 1] - 1 if place + 1 < len(self.starts) else len(self.text)
            if first >= end:
                break
            if max(start, first) < min(end, last):
                found.append(Span(self.messages[place], max(start, first) - first, min(end, last) - first))
        return found


def single(text: str) -> Conversation:
    """A conversation of one user turn."""
    return Conversation((Message("user", text),))


def readings(conversation: Conversation) -> tuple[Reading, ...]:
    """Every text that detection must look at, each once.

    What is asked now is the user turns since the last answer, with all that follows them; a call is no answer while its
    result stands behind it. It is read always, message by message and together; so is every message that is neither a
    user's nor an assistant's (system texts, tools' results), whatever its age, alone and before the question. Earlier
    user and assistant turns are read only where the question leans on them (see `guard.followup`), and then all of
    them, since it may lean on any: each alone, all user turns together (a name may be split between them), and the last
    three messages together. So a follow-up to a flagged turn is flagged too, however late, and a question complete in
    itself is not.
    """
    messages = conversation.messages
    now = list(range(_asked(messages), len(messages)))
    past = range(now[0] if now else 0)
    standing = [i for i in past if messages[i].role not in ("user", "assistant")]
    groups = [*([i] for i in now), now, *([i] for i in standing), standing + now]
    turns = [i for i in past if i not in standing]
    if turns and leans(conversation):
        groups += [[i] for i in turns]
        groups.append([i for i in turns if messages[i].role == "user"] + now)
        groups.append(list(range(len(messages)))[-3:])
    made = {reading.text: reading for group in groups if (reading := _reading(messages, group)).text.strip()}
    return tuple(made.values())


def leans(conversation: Conversation) -> bool:
    """Whether what is asked now may need earlier turns to be understood."""
    messages = conversation.messages
    return not stands_alone("\n".join(message.text for message in messages[_asked(messages) :]))


def earlier_turns(conversation: Conversation) -> tuple[tuple[int, ...], ...]:
    """The messages of each turn before what is asked now: what a user said, and all that was said to it.

    What stands before the first user, but for system texts, is a turn, too. A call of a tool and what it gave back are
    always of one.
    """
    messages = conversation.messages
    turns: list[list[int]] = []
    bound = _bound(messages)
    for i in range(_asked(messages)):
        speaks = messages[i].role == "user" and messages[i - 1].role != "user" and not bound[i]
        if speaks or (not turns and messages[i].role in ("user", "assistant", "tool")):
            turns.append([])
        if turns:
            turns[-1].append(i)
    return tuple(map(tuple, turns))


def chat_of(conversation: Conversation) -> list[dict[str, Any]]:
    """The turns, as a chat template gets them."""
    turns = (message for message in conversation.messages if not message.aside)
    return [{"role": message.role, "content": message.text, **message.more} for message in turns]


def asked_now(conversation: Conversation) -> str:
    """What the user said last; "" where no user speaks."""
    return next((message.text for message in reversed(conversation.messages) if message.role == "user"), "")


def superseded(conversation: Conversation, gone: frozenset[int]) -> frozenset[int]:
    """Those of the messages `gone` after which an earlier turn stands that is not among them."""
    kept = [turn[0] for turn in earlier_turns(conversation) if gone.isdisjoint(turn)]
    return frozenset(i for i in gone if kept and i < kept[-1])


def without(conversation: Conversation, gone: frozenset[int]) -> Conversation:
    """The conversation without some of its messages."""
    return replace(conversation, messages=tuple(m for i, m in enumerate(conversation.messages) if i not in gone))


def _asked(messages: Sequence[Message]) -> int:
    """The number of the first message of what is asked now; 0 where no user speaks."""
    users = [i for i, message in enumerate(messages) if message.role == "user"]
    first, bound = users[-1] if users else 0, _bound(messages)
    while first and (messages[first - 1].role != "assistant" or bound[first]):
        first -= 1
    return first


def _bound(messages: Sequence[Message]) -> list[bool]:
    """Of every message, whether it must stay with the one before it.

    It is an answer, or stands between calls of tools and what they gave back.
    """
    results, gives = [], False
    for message in reversed(messages):
        gives = message.role == "tool" or (gives and message.role != "assistant")
        results.append(gives)
    bound, calls = [], False
    for message, given in zip(messages, reversed(results), strict=True):
        bound.append(message.role == "assistant" or (calls and given))
        if message.role == "assistant" and not message.aside:
            calls = "tool_calls" in message.more
    return bound


def _reading(messages: Sequence[Message], numbers: list[int]) -> Reading:
    starts = [0]
    for i in numbers[:-1]:
        starts.append(starts[-1] + len(messages[i].text) + 1)
    return Reading("\n".join(messages[i].text for i in numbers), tuple(numbers), tuple(starts))
