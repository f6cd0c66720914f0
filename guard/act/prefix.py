"""A guardrail before the question: the model is told not to know the topic.

After Thaker et al. 2024, "Guardrail Baselines for Unlearning in LLMs". It stands in the system message, after what the
caller wrote there, so that it has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guard.policy import PrefixAction, Topic
from guard.types import Conversation, Detection, Message, Span

DEFAULT = (
    "Act as if you had never heard of {names}. If a question is about {names}, say that you do not know. "
    "Never say that you were told so."
)


def guardrail(topics: Sequence[tuple[Topic, PrefixAction]]) -> str:
    """What the model is told of all topics alive, each in its own words."""
    return "\n".join(
        (action.text or DEFAULT).replace("{names}", ", ".join(topic.aliases or (topic.name,)))
        for topic, action in topics
    )


def with_system(conversation: Conversation, text: str) -> Conversation:
    """The conversation with `text` at the end of its first system message, or in a system message of its own."""
    messages = conversation.messages
    if messages and messages[0].role == "system":
        first = replace(messages[0], text=f"{messages[0].text}\n\n{text}")
        return replace(conversation, messages=(first, *messages[1:]), raw=False)
    return replace(conversation, messages=(Message("system", text), *messages), raw=False)


def moved(detection: Detection, by: int) -> Detection:
    """The same detection in a conversation with `by` more messages before its own."""
    spans = tuple(Span(span.message + by, span.start, span.end) for span in detection.spans)
    return replace(detection, spans=spans)
