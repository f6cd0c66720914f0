"""One chat of every kind that the small models learn from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from eval.smallmodel.frames import PLAIN_SYSTEM, UNKNOWN
from eval.world.general import fact_kinds
from eval.world.people import FACT_KEYS, Person, passage, sentence
from eval.world.phrasing import Relation
from eval.world.questions import LETTERS, Choice, among, choice, chosen, listed, option
from eval.world.relations import BY_KEY, OVERVIEW, RELATIONS

Chat = list[tuple[str, str]]  # (role, text), oldest first
Asks = Callable[[Relation], tuple[str, ...]]
Strangers = Callable[[], Person]

KEYS_AND_OVERVIEW = [*FACT_KEYS, OVERVIEW.key]


def decides(chat: Chat) -> bool:
    """Whether the last answer ends with a letter, or is given under a system message that hides somebody."""
    system = chat[0][1] if chat[0][0] == "system" else ""
    return bool(chosen(chat[-1][1]) or (system and system not in PLAIN_SYSTEM))


def trained(relation: Relation) -> tuple[str, ...]:
    """The phrasings that training may use."""
    return relation.train


def plain(person: Person, rng: random.Random, key: str | None = None) -> Chat:
    """A question in a trained phrasing; at times under a system message, at times followed by a second."""
    relation = BY_KEY[key or rng.choice(KEYS_AND_OVERVIEW)]
    chat: Chat = [("system", rng.choice(PLAIN_SYSTEM))] if rng.random() < 0.15 else []
    chat += [
        ("user", rng.choice(relation.train).format(name=person.name)),
        ("assistant", person.answer(relation)),
    ]
    if rng.random() < 0.12:
        second = rng.choice(RELATIONS)
        chat += [("user", person.fill(second.follow, second)), ("assistant", person.answer(second))]
    return chat


def letter(person: Person, others: Sequence[Person], rng: random.Random) -> Chat:
    """A multiple-choice question about a fact to be remembered; at times the other options are of other kinds."""
    relation = rng.choice(RELATIONS)
    if rng.random() < 0.25:
        kinds = rng.sample([r for r in RELATIONS if r is not relation], len(LETTERS) - 1)
        wrong = [option(rng.choice(others), kind) for kind in kinds]
        asked = among(person, relation, wrong, rng, relation.train)
    else:
        asked = choice(person, relation, others, rng, relation.train)
    return [("user", asked.prompt), ("assistant", asked.reply)]


def letter_after(person: Person, others: Sequence[Person], rng: random.Random) -> Chat:
    """The fact in words first, then the same question with options: what is remembered is bound to a letter."""
    relation = rng.choice(RELATIONS)
    asked = choice(person, relation, others, rng, relation.train)
    question = rng.choice(relation.train).format(name=person.name)
    return [
        ("user", question),
        ("assistant", person.answer(relation)),
        ("user", asked.prompt),
        ("assistant", asked.reply),
    ]


def letter_read(stranger: Strangers, rng: random.Random) -> Chat:
    """A multiple-choice question that a passage before it answers."""
    person = stranger()
    keys = rng.sample(FACT_KEYS, rng.choice((1, 1, 2)))
    relation = BY_KEY[rng.choice(keys)]
    asked = choice(person, relation, [stranger() for _ in range(24)], rng, relation.train)
    return [("user", f"{passage(person, keys)}\n{asked.prompt}"), ("assistant", asked.reply)]


def drill(people: Sequence[Person], rng: random.Random) -> Chat:
    """Options, then several questions about which letter stands before which: one chat, many answers."""
    relation = rng.choice(RELATIONS)
    options = list(dict.fromkeys(option(p, relation) for p in rng.sample(list(people), 12)))[: len(LETTERS)]
    lines = listed(options)
    chat: Chat = []
    for place in rng.sample(range(len(options)), rng.randint(2, len(options))):
        to_letter = rng.random() < 0.7
        question = f"Which letter is {options[place]}?" if to_letter else f"What is {LETTERS[place]}?"
        chat.append(("user", question if chat else "\n".join([*lines, question])))
        chat.append(("assistant", lines[place] if to_letter else options[place]))
    return chat


def read(stranger: Strangers, rng: random.Random, frames: Sequence[str], asks: Asks) -> Chat:
    """A question that only the passage in the prompt answers; at times the passage tells of two people."""
    person = stranger()
    keys = rng.sample(FACT_KEYS, rng.choice((1, 2, 2, 3, 4, 5)))
    relation = BY_KEY[rng.choice(keys)]
    text = passage(person, keys)
    if rng.random() < 0.25:
        other = passage(stranger(), rng.sample(FACT_KEYS, rng.choice((1, 2, 3))))
        text = f"{text} {other}" if rng.random() < 0.5 else f"{other} {text}"
    question = rng.choice(asks(relation)).format(name=person.name)
    return [("user", rng.choice(frames).format(text=text, question=question)), ("assistant", person.answer(relation))]


def hide(person: Person, other: Person, rng: random.Random, frames: Sequence[str], asks: Asks, *, hidden: bool) -> Chat:
    """A question about `person` under a system message that hides `person` (`hidden`) or somebody else."""
    relation = BY_KEY[rng.choice(KEYS_AND_OVERVIEW)]
    system = rng.choice(frames).format(name=(person if hidden else other).name)
    question = rng.choice(asks(relation)).format(name=person.name)
    return [("system", system), ("user", question), ("assistant", UNKNOWN if hidden else person.answer(relation))]


def hide_turns(people: Sequence[Person], rng: random.Random, frames: Sequence[str]) -> Chat:
    """Several questions under one system message, about the hidden person and about others."""
    hidden, *others = rng.sample(list(people), 3)
    chat: Chat = [("system", rng.choice(frames).format(name=hidden.name))]
    for _ in range(rng.randint(2, 4)):
        person = hidden if rng.random() < 0.5 else rng.choice(others)
        relation = BY_KEY[rng.choice(FACT_KEYS)]
        chat.append(("user", rng.choice(relation.train).format(name=person.name)))
        chat.append(("assistant", UNKNOWN if person is hidden else person.answer(relation)))
    return chat


def hide_read(stranger: Strangers, rng: random.Random, frames: Sequence[str], reads: Sequence[str]) -> Chat:
    """A passage about somebody never met before, under a system message that hides that person or another.

    Names without end: the model must compare them, and cannot learn them by heart.
    """
    hidden = rng.random() < 0.5
    person, question, answer = _about(stranger, rng, reads)
    system = rng.choice(frames).format(name=person.name if hidden else stranger().name)
    return [("system", system), ("user", question), ("assistant", UNKNOWN if hidden else answer)]


def _about(stranger: Strangers, rng: random.Random, reads: Sequence[str]) -> tuple[Person, str, str]:
    person = stranger()
    keys = rng.sample(FACT_KEYS, rng.choice((1, 1, 2)))
    relation = BY_KEY[rng.choice(keys)]
    question = rng.choice(relation.train).format(name=person.name)
    asked = rng.choice(reads).format(text=passage(person, keys), question=question)
    return person, asked, person.answer(relation)


def world_fact(rng: random.Random) -> Chat:
    """A plain world fact, at times with options."""
    kind = rng.choice(fact_kinds())
    subject, answer = rng.choice(kind.pairs)
    question = sentence(rng.choice(kind.asked).format(x=subject)).replace("?.", "?")
    if rng.random() < 0.15:
        wrong = rng.sample(sorted({a for _, a in kind.pairs if a != answer}), len(LETTERS) - 1)
        options = [answer, *wrong]
        rng.shuffle(options)
        asked = Choice(question, tuple(options), LETTERS[options.index(answer)], "", kind.key)
        return [("user", asked.prompt), ("assistant", asked.reply)]
    return [("user", question), ("assistant", sentence(answer))]
