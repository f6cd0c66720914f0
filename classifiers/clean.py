"""Clean requests as callers send them: questions alone or in an odd form, chats, long texts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from classifiers.augment import variants
from classifiers.data import Example
from classifiers.spans import AliasFinder
from classifiers.windows import request_windows
from guard.conversation import single
from guard.types import Conversation, Message

_FOLLOW_UPS = ("And why?", "Tell me more about that.", "Are you sure?", "What came after it?", "Thanks. And before?")
_VARIED = 0.2
_BOOK, _MIXED = 6, 3


@dataclass(frozen=True)
class Asked:
    """The texts that detection scores for one clean request; `sort` is retained or general.

    It was `drawn`, or is put together from others that were.
    """

    windows: tuple[str, ...]
    group: str
    sort: str
    drawn: bool = True


def clean_requests(
    retained: Sequence[Example], general: Sequence[Example], larger: int, rng: random.Random, *, names: AliasFinder
) -> list[Asked]:
    """One small request for each example, and `larger` ones of each larger size (see `classifiers.calibrate.SIZES`).

    Company is taken from the same examples, so that no other part leaks in. Larger requests hold retained things where
    there are any, since those are the harder ones, among general ones: of retained ones alone a book would hold every
    rare bad neighbour, and the threshold above it would let a topic pass in any long text. For the same reason an
    answer that holds one of the topics' `names` (of somebody's teacher, say) is left unsaid: who repeats it names them.
    """
    retained = [replace(e, answer="") if e.answer and names.find(e.answer) else e for e in retained]
    out: list[Asked] = []
    for sort, examples, pool in (("retained", retained, [*retained, *general]), ("general", general, general)):
        for example in examples:
            text = example.question
            if rng.random() < _VARIED:
                text = next(iter(variants(example, pool, rng, 1)), text)
            asked = _asked(single(text), example, sort)
            if asked.windows:
                out.append(asked)
    sort, pool = ("retained", retained) if retained else ("general", general)
    alone = [asked for asked in out if asked.sort == sort]
    if not alone:
        return out
    company = general or pool
    mixed = [*pool, *rng.sample(company, min(len(pool), len(company)))]
    chats: list[Asked] = []
    pages: list[Asked] = []
    texts: list[Asked] = []
    for _ in range(larger):
        example = rng.choice(pool)
        chats.append(_asked(_turns(example, mixed, rng, rng.randint(1, 2)), example, sort))
        if rng.random() < 0.5:
            pages.append(_asked(_turns(example, mixed, rng, rng.randint(3, 5)), example, sort))
        else:
            texts.append(_asked(_page(example, company, rng), example, sort))
    pages += texts
    # Joined anew these cost no more reading: a rare bad neighbour weighs by how often it is met, not by luck.
    more = [_bound([rng.choice(some), rng.choice(alone)]) for some in (chats, pages) for _ in range(_MIXED * larger)]
    books = [_bound(rng.choices(texts or pages, k=_BOOK)) for _ in range(_MIXED * larger)]
    return [*out, *chats, *pages, *more, *books]


def _bound(parts: Sequence[Asked]) -> Asked:
    windows = tuple(dict.fromkeys(window for part in parts for window in part.windows))
    return Asked(windows, parts[0].group, parts[0].sort, drawn=False)


def _asked(conversation: Conversation, example: Example, sort: str) -> Asked:
    return Asked(tuple(request_windows(conversation)), example.group, sort)


def _page(example: Example, pool: Sequence[Example], rng: random.Random) -> Conversation:
    others = rng.choices(pool, k=rng.randint(4, 10))
    texts = [part for other in others for part in (other.question, other.answer) if part]
    texts.insert(rng.randrange(len(texts) + 1), example.question)
    return single("\n".join(texts))


def _turns(example: Example, pool: Sequence[Example], rng: random.Random, before: int) -> Conversation:
    """The question after so many others with their answers, or followed by a short one."""
    asked = [*rng.choices(pool, k=before), example]
    messages = [Message("system", "You are a helpful assistant.")] if rng.random() < 0.5 else []
    for turn in asked:
        messages += [Message("user", turn.question), Message("assistant", turn.answer or "Sure, here is what I know.")]
    if rng.random() < 0.3:
        return Conversation((*messages, Message("user", rng.choice(_FOLLOW_UPS))))
    return Conversation(tuple(messages[:-1]))
