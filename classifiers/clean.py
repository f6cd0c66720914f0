"""Clean requests as callers send them: questions alone, in an odd form, after earlier turns, or inside a long text."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from classifiers.augment import variants
from classifiers.data import Example
from classifiers.windows import request_windows
from guard.conversation import single
from guard.types import Conversation, Message

_FOLLOW_UPS = ("And why?", "Tell me more about that.", "Are you sure?", "What came after it?", "Thanks. And before?")
_LONG = 12


@dataclass(frozen=True)
class Request:
    """The texts that detection scores for one clean request; `sort` is retained or general."""

    windows: tuple[str, ...]
    group: str
    sort: str


def clean_requests(retained: Sequence[Example], general: Sequence[Example], rng: random.Random) -> list[Request]:
    """One request for each example; company is taken from the same examples, so that no other part leaks in.

    Retained ones keep company with all, general ones with their like.
    """
    out = []
    for sort, examples, pool in (("retained", retained, [*retained, *general]), ("general", general, general)):
        for example in examples:
            found = request_windows(_conversation(example, pool, rng))
            if found:
                out.append(Request(tuple(found), example.group, sort))
    return out


def _conversation(example: Example, pool: Sequence[Example], rng: random.Random) -> Conversation:
    kind = rng.random()
    if kind < 0.6:
        return single(example.question)
    if kind < 0.75:
        return single(next(iter(variants(example, pool, rng, 1)), example.question))
    if kind < 0.95:
        return _turns(example, pool, rng)
    texts = [part for other in rng.choices(pool, k=_LONG) for part in (other.question, other.answer) if part]
    texts.insert(rng.randrange(len(texts) + 1), example.question)
    return single("\n".join(texts))


def _turns(example: Example, pool: Sequence[Example], rng: random.Random) -> Conversation:
    """The question after one to three others with their answers, or followed by a short one."""
    asked = [*rng.choices(pool, k=rng.randint(1, 3)), example]
    messages = [Message("system", "You are a helpful assistant.")] if rng.random() < 0.5 else []
    for turn in asked:
        messages += [Message("user", turn.question), Message("assistant", turn.answer or "Sure, here is what I know.")]
    if rng.random() < 0.3:
        return Conversation((*messages, Message("user", rng.choice(_FOLLOW_UPS))))
    return Conversation(tuple(messages[:-1]))
