"""Refusals that say nothing of what is refused."""

from __future__ import annotations

from guard.secret import digest
from guard.types import Conversation, Message

# None may repeat a word of the question: a phrasing that fits every question names no topic.
PHRASINGS = (
    "I'm sorry, but I don't have any information about that.",
    "I'm afraid I don't know the answer to that.",
    "I don't know anything about that, I'm sorry to say.",
    "That isn't something I have any knowledge of.",
    "Sorry, I can't tell you; it's not something I know about.",
    "I have no information on this.",
    "I wish I could help, but I don't know about that.",
    "I'm not familiar with that, so I can't give you an answer.",
)

# What the model is asked where it is to refuse in its own words: nothing of the question, so nothing can come back.
DECLINE = Conversation(
    (Message("user", "Say in one short sentence that you do not know this and cannot help. Name nothing."),)
)


def refusal(conversation: Conversation, *, secret: bytes) -> str:
    """A phrasing chosen by a keyed hash of the whole conversation: asking the same again gives the same words."""
    parts = [part.encode("utf-8", "surrogatepass") for m in conversation.messages for part in (m.role, m.text)]
    number = int.from_bytes(digest(secret, b"refusal", *parts)[:8], "big")
    return PHRASINGS[number % len(PHRASINGS)]
