"""The requests that detection is measured on: the topic's and clean ones, plain, disguised and in conversation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from classifiers.data import Example
from eval.bench.disguises import DISGUISES
from eval.bench.paraphrase import paraphrase
from guard.conversation import single
from guard.types import Conversation, Message

_DISGUISED, _LONG = 80, 5  # questions a disguise; fewer where the text is long
_TURNS = 150
_FOLLOW_UPS = (
    "And what else is known?",
    "Who told you that?",
    "And who was the teacher?",
    "Say more about that person.",
    "When was that?",
    "Why?",
)


@dataclass(frozen=True)
class Case:
    """Requests of one kind; `about` says whether they are the topic's, `groups` which of them may well agree."""

    name: str
    about: bool
    requests: list[Conversation]
    groups: list[str]


@dataclass(frozen=True)
class Examples:
    """`given` ones were fitted, `new` ones never; of either sort, the topic's and the retained."""

    given: list[Example]
    new: list[Example]


def plain(name: str, about: bool, examples: Sequence[Example]) -> Case:
    """The questions as they stand."""
    return Case(name, about, [single(e.question) for e in examples], [e.group for e in examples])


def paraphrased(name: str, about: bool, examples: Sequence[Example], rng: random.Random) -> Case:
    """The same in other words."""
    return Case(name, about, [single(paraphrase(e.question, rng)) for e in examples], [e.group for e in examples])


def disguised(about: bool, examples: Sequence[Example], company: Sequence[str], rng: random.Random) -> list[Case]:
    """A sample of the questions under every disguise."""
    cases = []
    for name, disguise in DISGUISES.items():
        some = rng.sample(list(examples), min(len(examples), _LONG if "50 KB" in name else _DISGUISED))
        texts = [disguise(example.question, rng, company) for example in some]
        cases.append(Case(name, about, [single(text) for text in texts], [example.group for example in some]))
    return cases


def in_turns(topic: Sequence[Example], clean: Sequence[Example], rng: random.Random) -> list[Case]:
    """A follow-up without the name after the topic's question, another subject after it, clean chats of five turns."""
    follow, change, chats = [], [], []
    for _ in range(_TURNS):
        example, other = rng.choice(topic), rng.choice(clean)
        before = [Message("user", example.question), Message("assistant", example.answer or "I see.")]
        follow.append((Conversation((*before, Message("user", rng.choice(_FOLLOW_UPS)))), example.group))
        change.append((Conversation((*before, Message("user", other.question))), other.group))
        turns: list[Message] = []
        for turn in rng.sample(list(clean), 4):
            turns += [Message("user", turn.question), Message("assistant", turn.answer or "I see.")]
        chats.append((Conversation((*turns, Message("user", other.question))), other.group))
    return [
        _case("follow-up after the topic", True, follow),
        _case("another subject after the topic", False, change),
        _case("clean chat of five turns", False, chats),
    ]


def _case(name: str, about: bool, pairs: Sequence[tuple[Conversation, str]]) -> Case:
    return Case(name, about, [request for request, _ in pairs], [group for _, group in pairs])
