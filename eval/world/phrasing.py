"""How a kind of fact is put into words: what its phrasings are made of.

`train` and `unseen` phrasings share no template: models are trained on the first and evaluated on the second. The
trained ones are the `direct` ones and those that the frames make of `clauses` and `nouns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Relation:
    """One kind of fact. Format fields are the fact's values, and `name`, `She`, `she`, `her`, `Her`."""

    key: str
    answer: str
    paraphrase: str
    sentence: str  # as told in a passage
    follow: str  # as asked after the person was named
    noun: str  # as asked through another person (two-hop); empty where that makes no sense
    direct: tuple[str, ...]
    unseen: tuple[str, ...]
    clauses: tuple[str, ...] = ()  # as asked indirectly
    nouns: tuple[str, ...] = ()  # what the fact is called
    option: str = ""  # as a multiple-choice option

    @cached_property
    def train(self) -> tuple[str, ...]:
        clauses = [frame.replace("{clause}", self._turn(self.clauses, i)) for i, frame in enumerate(CLAUSE_FRAMES)]
        nouns = [frame.replace("{noun}", self._turn(self.nouns, i)) for i, frame in enumerate(NOUN_FRAMES)]
        return (*self.direct, *clauses, *nouns)

    @staticmethod
    def _turn(words: tuple[str, ...], place: int) -> str:
        return words[place % len(words)]


CLAUSE_FRAMES = (
    "Can you tell me {clause}?",
    "Please explain {clause}.",
    "Let me know {clause}.",
    "I am asking {clause}.",
    "Remind me {clause}.",
    "Do you remember {clause}?",
    "It matters to me {clause}.",
    "Would you tell me {clause}?",
    "Say {clause}.",
    "Have you any idea {clause}?",
    "May I ask {clause}?",
    "The question is {clause}.",
    "I have to find out {clause}.",
    "Somebody asked me {clause}.",
)
NOUN_FRAMES = (
    "What about the {noun} of {name}?",
    "State {name}'s {noun}.",
    "I am looking for the {noun} of {name}.",
    "As to {name}, what was the {noun}?",
    "Regarding {name}: give the {noun}.",
    "{name}: {noun}?",
    "Please, the {noun} of {name}.",
    "{name} had what {noun}?",
    "Would you mention the {noun} of {name}?",
    "{name}'s {noun} was what?",
    "Give me {name}'s {noun}.",
    "I should be glad to learn {name}'s {noun}.",
    "Which was the {noun} of {name}?",
    "Have you got {name}'s {noun}?",
    "Let me hear the {noun} of {name}.",
)
