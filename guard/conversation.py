"""Views of a conversation: what is read on its own, and what is read together."""

from __future__ import annotations

from collections.abc import Iterable

from guard.types import Conversation, Message


def single(text: str) -> Conversation:
    """A conversation of one user turn."""
    return Conversation((Message("user", text),))


def joined(messages: Iterable[Message]) -> str:
    """The texts one under the other, as one text."""
    return "\n".join(message.text for message in messages)


def last_turns(conversation: Conversation, count: int) -> tuple[Message, ...]:
    """The last `count` user messages, oldest first, without what stands between them."""
    return tuple([message for message in conversation.messages if message.role == "user"][-count:])


def readings(conversation: Conversation) -> tuple[str, ...]:
    """Every text that detection must look at, each once.

    Each message alone, whatever its role; the last two user turns together (a name and its question may be split
    between them); and the last three messages together.
    """
    texts = [message.text for message in conversation.messages]
    texts.append(joined(last_turns(conversation, 2)))
    texts.append(joined(conversation.messages[-3:]))
    return tuple(dict.fromkeys(text for text in texts if text.strip()))
