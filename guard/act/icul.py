"""In-context unlearning: the model first sees questions on the topic answered wrongly, then others answered rightly.

After Pawelczyk et al. 2023, "In-Context Unlearning: Language Models as Few Shot Unlearners". The exemplars stand as
earlier turns, which every chat template takes, behind the caller's system message and before all that was said: between
the caller's own turns and the question they would take the place of what "she" and "there" point back to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guard.act.refuse import refusal
from guard.conversation import single
from guard.policy import IculAction
from guard.types import Conversation, Detection, Exemplar, Exemplars, Message, Span


def choose(
    source: Exemplars, targets: Sequence[tuple[Detection, IculAction]], conversation: Conversation, *, secret: bytes
) -> tuple[Exemplar, ...]:
    """Exemplars of all topics alive, in the paper's order: those to forget, then those retained, each once.

    () where one topic has none to show. `secret` chooses among refusals.
    """
    forgotten: list[Exemplar] = []
    retained: list[Exemplar] = []
    for detection, action in targets:
        wrong = action.answers == "wrong"
        own, others = source.nearest(
            detection.topic, conversation, forget=action.forget, retain=action.retain, wrong=wrong
        )
        if not own:
            return ()
        if not wrong:
            own = tuple(replace(one, answer=refusal(single(one.question), secret=secret)) for one in own)
        forgotten += own
        retained += others
    return tuple(dict.fromkeys([*forgotten, *retained]))


def with_exemplars(conversation: Conversation, exemplars: Sequence[Exemplar]) -> Conversation:
    """The conversation with a user's and an assistant's turn for every exemplar, after its first system messages.

    Without any it is the conversation itself: a raw prompt stays raw.
    """
    if not exemplars:
        return conversation
    turns = [turn for one in exemplars for turn in (Message("user", one.question), Message("assistant", one.answer))]
    first = _first_turn(conversation)
    messages = (*conversation.messages[:first], *turns, *conversation.messages[first:])
    return replace(conversation, messages=messages, raw=False)


def moved_past(detection: Detection, conversation: Conversation, exemplars: Sequence[Exemplar]) -> Detection:
    """The detection in `with_exemplars(conversation, exemplars)`, with the topic's names in the exemplars.

    A model that reads the name there would know whom a corrupted question is about.
    """
    first, by = _first_turn(conversation), 2 * len(exemplars)
    spans = [replace(s, message=s.message + by) if s.message >= first else s for s in detection.spans]
    # Without a span of the caller's own, all that users say is corrupted; more spans would narrow that down.
    if any(conversation.messages[s.message].role != "system" for s in detection.spans):
        spans += [
            Span(first + 2 * number, start, end)
            for number, one in enumerate(exemplars)
            if one.topic == detection.topic
            for start, end in one.names
        ]
    return replace(detection, spans=tuple(spans))


def _first_turn(conversation: Conversation) -> int:
    """The number of the first message that is not a system text."""
    roles = [message.role for message in conversation.messages]
    return next((number for number, role in enumerate(roles) if role != "system"), len(roles))
