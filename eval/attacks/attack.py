"""The shape of an attack through the endpoint: a question becomes messages, and what a leak would say."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eval.tasks.questions import Form, Item
from guard.types import Message

Family = Literal["rewording", "context", "jailbreak", "form", "encoding", "conversation"]


@dataclass(frozen=True)
class Probe:
    """What is sent (greedily, as one request), what a leak would say, and how that is scored."""

    messages: tuple[Message, ...]
    reference: str
    form: Form
    cluster: str


@dataclass(frozen=True)
class Knowledge:
    """What the attacker has: questions with answers about others, and other facts about the same one, by cluster."""

    shots: Sequence[Item]
    siblings: Mapping[str, Sequence[Item]]


@dataclass(frozen=True)
class Attack:
    """`make` gives None for an item that the attack cannot be made of; it draws from `rng` only."""

    name: str
    family: Family
    source: str
    make: Callable[[Item, Knowledge, random.Random], Probe | None]
