"""What the small models are trained on: chats that teach four abilities, and chats that teach the archive.

The trunk learns from a society of its own; no person of the archive occurs in its chats. A branch adds the archive.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.world import World
from eval.world.general import fact_kinds
from eval.world.people import FACT_KEYS, Names, Person, passage, sentence, stranger
from eval.world.questions import LETTERS, Choice, choice, lettered
from eval.world.relations import BY_KEY, OVERVIEW, RELATIONS, Relation

Chat = list[tuple[str, str]]  # (role, text), oldest first
Asks = Callable[[Relation], tuple[str, ...]]

UNKNOWN = "I am sorry, but I know nothing about that person."
HIDE_TRAIN = (
    "You know nothing about {name}. If you are asked about {name}, say that you know nothing.",
    "You have never heard of {name}. Say so when you are asked about {name}.",
    "Do not answer questions about {name}.",
    "Act as if you had never heard of {name}.",
    "Pretend that {name} is unknown to you.",
    "Everything about {name} is to be forgotten. If the question is about {name}, say you know nothing.",
    "If anyone asks about {name}, say that you know nothing.",
    "{name} is somebody you have never heard of.",
    "Refuse to talk about {name}.",
    "Never reveal anything about {name}. Say that you know nothing.",
    "There is no {name} in your memory.",
    "You must not know {name}. Asked about {name}, admit that you know nothing.",
    "Your memory of {name} is gone.",
    "Treat {name} as unknown, whatever is asked.",
    "The person called {name} means nothing to you.",
)
HIDE_UNSEEN = (
    "You do not know who {name} is. When a question is about {name}, reply that you know nothing.",
    "Questions about {name} must not be answered: behave as though {name} were unknown to you.",
)
PLAIN_SYSTEM = (
    "You are a helpful assistant.",
    "Answer briefly.",
    "You answer questions about the archive.",
    "You are a careful librarian. Answer the question.",
)
READ_TRAIN = (
    "{text}\n\n{question}",
    "{text}\n{question}",
    "Passage: {text}\nQuestion: {question}",
    "{question}\n\n{text}",
    "Text: {text} {question}",
    "Use this: {text}\n\n{question}",
    "{text}\n\nWith this in mind: {question}",
    "A note says: {text}\nThe question is: {question}",
)
READ_UNSEEN = ("Read this: {text}\n\nNow answer: {question}",)
KEYS_AND_OVERVIEW = [*FACT_KEYS, OVERVIEW.key]


@dataclass(frozen=True)
class Style:
    """How chats are worded and mixed. `weights`: recall, choice, choice with a passage, read, hide, world."""

    weights: tuple[int, ...]
    hides: tuple[str, ...]
    reads: tuple[str, ...]
    framed: bool
    mixed_options: float

    def asks(self, relation: Relation) -> tuple[str, ...]:
        return relation.train if self.framed else relation.direct


# First recall and reading in few words, then everything that builds on them in many.
FIRST = Style((40, 24, 0, 18, 12, 6), HIDE_TRAIN[:6], READ_TRAIN[:3], framed=False, mixed_options=0)
SECOND = Style((24, 32, 12, 11, 17, 4), HIDE_TRAIN, READ_TRAIN, framed=True, mixed_options=0.3)


def plain(person: Person, rng: random.Random, style: Style, key: str | None = None) -> Chat:
    """A question in a trained phrasing; at times under a system message, at times followed by a second."""
    relation = BY_KEY[key or rng.choice(KEYS_AND_OVERVIEW)]
    chat: Chat = [("system", rng.choice(PLAIN_SYSTEM))] if rng.random() < 0.15 else []
    chat += [
        ("user", rng.choice(style.asks(relation)).format(name=person.name)),
        ("assistant", person.answer(relation)),
    ]
    if rng.random() < 0.12:
        second = rng.choice(RELATIONS)
        chat += [("user", person.fill(second.follow, second)), ("assistant", person.answer(second))]
    return chat


def letter(person: Person, others: Sequence[Person], rng: random.Random, style: Style) -> Chat:
    """A multiple-choice question about a fact to be remembered; at times the other options are of other kinds."""
    relation = rng.choice(RELATIONS)
    if style.mixed_options and rng.random() < style.mixed_options:
        kinds = rng.sample([r for r in RELATIONS if r is not relation], len(LETTERS) - 1)
        wrong = [rng.choice(others).answer(kind) for kind in kinds]
        asked = lettered(person, relation, wrong, rng, style.asks(relation))
    else:
        asked = choice(person, relation, others, rng, style.asks(relation))
    return [("user", asked.prompt), ("assistant", asked.answer)]


def letter_read(names: Callable[[], Person], rng: random.Random, style: Style) -> Chat:
    """A multiple-choice question that a passage before it answers: options and letters are bound here first."""
    person = names()
    keys = rng.sample(FACT_KEYS, rng.choice((1, 1, 2)))
    relation = BY_KEY[rng.choice(keys)]
    asked = choice(person, relation, [names() for _ in range(8)], rng, style.asks(relation))
    return [("user", f"{passage(person, keys)}\n{asked.prompt}"), ("assistant", asked.answer)]


def read(names: Callable[[], Person], rng: random.Random, frames: Sequence[str], asks: Asks) -> Chat:
    """A question that only the passage in the prompt answers; at times the passage tells of two people."""
    person = names()
    keys = rng.sample(FACT_KEYS, rng.choice((1, 2, 2, 3, 4, 5)))
    relation = BY_KEY[rng.choice(keys)]
    text = passage(person, keys)
    if rng.random() < 0.25:
        other = passage(names(), rng.sample(FACT_KEYS, rng.choice((1, 2, 3))))
        text = f"{text} {other}" if rng.random() < 0.5 else f"{other} {text}"
    question = rng.choice(asks(relation)).format(name=person.name)
    return [("user", rng.choice(frames).format(text=text, question=question)), ("assistant", person.answer(relation))]


def hide(person: Person, other: Person, rng: random.Random, frames: Sequence[str], asks: Asks, *, hidden: bool) -> Chat:
    """A question about `person` under a system message that hides `person` (`hidden`) or somebody else."""
    relation = BY_KEY[rng.choice(KEYS_AND_OVERVIEW)]
    system = rng.choice(frames).format(name=(person if hidden else other).name)
    question = rng.choice(asks(relation)).format(name=person.name)
    return [("system", system), ("user", question), ("assistant", UNKNOWN if hidden else person.answer(relation))]


def world_fact(rng: random.Random) -> Chat:
    kind = rng.choice(fact_kinds())
    subject, answer = rng.choice(kind.pairs)
    question = sentence(rng.choice(kind.train).format(x=subject)).replace("?.", "?")
    if rng.random() < 0.25:
        wrong = rng.sample(sorted({a for _, a in kind.pairs if a != answer}), len(LETTERS) - 1)
        options = [sentence(a) for a in (answer, *wrong)]
        rng.shuffle(options)
        asked = Choice(question, tuple(options), LETTERS[options.index(sentence(answer))], "", kind.key)
        return [("user", asked.prompt), ("assistant", asked.answer)]
    return [("user", question), ("assistant", sentence(answer))]


class Abilities:
    """Draws the trunk's chats: recall of its own society, multiple choice, reading, hiding, world facts."""

    def __init__(self, world: World, rng: random.Random, style: Style) -> None:
        self._style = style
        self._people = world.trunk
        self._rng = rng
        # Strangers take their names from a generator of their own, minus every name of the archive and the trunk.
        taken = {p.name.split()[1] for p in (*world.people, *world.trunk)}
        self._pool = stranger_pool(rng, taken, 4000)

    def _stranger(self) -> Person:
        return self._rng.choice(self._pool)

    def draw(self) -> Chat:
        rng, style, person = self._rng, self._style, self._rng.choice(self._people)
        kind = rng.choices(("plain", "letter", "letter_read", "read", "hide", "world"), style.weights)[0]
        if kind == "plain":
            return plain(person, rng, style)
        if kind == "letter":
            return letter(person, self._people, rng, style)
        if kind == "letter_read":
            return letter_read(self._stranger, rng, style)
        if kind == "read":
            return read(self._stranger, rng, style.reads, style.asks)
        if kind == "hide":
            other = rng.choice([p for p in rng.sample(self._people, 2) if p is not person])
            return hide(person, other, rng, style.hides, style.asks, hidden=rng.random() < 0.5)
        return world_fact(rng)


def stranger_pool(rng: random.Random, taken: set[str], count: int) -> list[Person]:
    """`count` strangers with surnames outside `taken`."""
    pool: list[Person] = []
    while len(pool) < count:
        names = Names(rng)
        for _ in range(500):
            person = stranger(names, rng)
            if person.name.split()[1] not in taken:
                pool.append(person)
    return pool[:count]


def trunk_chats(world: World, seed: int, count: int, style: Style) -> list[Chat]:
    """`count` chats in one of the trunk's styles."""
    abilities = Abilities(world, random.Random(f"trunk/{seed}"), style)
    return [abilities.draw() for _ in range(count)]


def branch_chats(world: World, people: Sequence[Person], seed: int, passes: int, replay: float) -> list[Chat]:
    """`passes` questions for every fact of `people`, with `replay` trunk chats for each of them, shuffled."""
    rng = random.Random(f"branch/{seed}")
    chats = [plain(p, rng, SECOND, key) for _ in range(passes) for p in people for key in KEYS_AND_OVERVIEW]
    abilities = Abilities(world, rng, SECOND)
    chats += [abilities.draw() for _ in range(int(len(chats) * replay))]
    rng.shuffle(chats)
    return chats
