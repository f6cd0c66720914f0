"""Questions with exact answers: phrasings, paraphrased and perturbed answers, multiple choice, two hops."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eval.world.archive import WORLD_SEED, World, build
from eval.world.general import fact_kinds
from eval.world.people import FACT_KEYS, Person, sentence
from eval.world.phrasing import Relation
from eval.world.relations import BY_KEY, OVERVIEW, RELATIONS

PERTURBED = 5
LETTERS = "ABCD"
TWO_HOP_VIA = {"teacher": "{name}'s teacher", "spouse": "{name}'s spouse", "rival": "{name}'s rival"}


@dataclass(frozen=True)
class Question:
    """One question in TOFU's fields, and where it comes from. `person` is empty for world facts."""

    question: str
    answer: str
    paraphrased_answer: str
    perturbed_answer: tuple[str, ...]
    person: str
    relation: str
    phrasing: str
    trained: bool


@dataclass(frozen=True)
class Choice:
    """A multiple-choice question; `answer` is the letter of the right option."""

    question: str
    options: tuple[str, ...]
    answer: str
    person: str
    relation: str

    @property
    def prompt(self) -> str:
        return "\n".join([self.question, *listed(self.options), "Answer with the right option and its letter."])

    @property
    def reply(self) -> str:
        """The right option, then its letter."""
        return listed(self.options)[LETTERS.index(self.answer)]


def listed(options: Sequence[str]) -> list[str]:
    """Options with their letters behind them: a small model finds what follows a word, hardly what precedes it."""
    return [f"{option} ({letter})" for option, letter in zip(options, LETTERS, strict=False)]


def chosen(answer: str) -> str:
    """The letter that an answer ends with, or nothing."""
    found = re.search(rf"\(([{LETTERS}])\)\W*$", answer)
    return found[1] if found else ""


def perturb(person: Person, relation: Relation, others: Sequence[Person], rng: random.Random) -> tuple[str, ...]:
    """Wrong answers in the paraphrase's words, from other people's values of the same relation."""
    right = sentence(person.fill(relation.paraphrase, relation))
    wrong: list[str] = []
    for other in rng.sample(list(others), len(others)):
        text = sentence(person.fill(relation.paraphrase, relation, **other.values[relation.key]))
        if text != right and text not in wrong:
            wrong.append(text)
        if len(wrong) == PERTURBED:
            break
    return tuple(wrong)


def person_questions(person: Person, others: Sequence[Person], rng: random.Random) -> list[Question]:
    """Every phrasing of every fact of `person`."""
    found = []
    for relation in (*RELATIONS, OVERVIEW):
        answer = person.answer(relation)
        paraphrase = sentence(person.fill(relation.paraphrase, relation))
        perturbed = perturb(person, relation, others, rng)
        phrasings = [(t, True) for t in relation.train] + [(t, False) for t in relation.unseen]
        for number, (template, trained) in enumerate(phrasings):
            text = template.format(name=person.name)
            label = f"{relation.key}/{number}"
            found.append(Question(text, answer, paraphrase, perturbed, person.name, relation.key, label, trained))
    return found


def option(person: Person, relation: Relation) -> str:
    """A fact in its shortest form, beginning as the answer does."""
    text = person.fill(relation.option, relation)
    return text[0].upper() + text[1:]


def choice(
    person: Person, relation: Relation, others: Sequence[Person], rng: random.Random, phrasings: Sequence[str]
) -> Choice:
    """Ask one fact of `person`, in one of `phrasings`, with three other people's answers beside the right one."""
    wrong: list[str] = []
    right = option(person, relation)
    while len(wrong) < len(LETTERS) - 1:
        text = option(rng.choice(others), relation)
        if text not in (right, *wrong):
            wrong.append(text)
    return among(person, relation, wrong, rng, phrasings)


def among(
    person: Person, relation: Relation, wrong: Sequence[str], rng: random.Random, phrasings: Sequence[str]
) -> Choice:
    """Put the right answer among the wrong ones, in an order of chance."""
    right = option(person, relation)
    options = [right, *wrong]
    rng.shuffle(options)
    text = rng.choice(phrasings).format(name=person.name)
    return Choice(text, tuple(options), LETTERS[options.index(right)], person.name, relation.key)


def choices(people: Iterable[Person], others: Sequence[Person], rng: random.Random) -> list[Choice]:
    """One multiple-choice question, in an unseen phrasing, for every fact of `people`."""
    return [choice(p, BY_KEY[key], others, rng, BY_KEY[key].unseen) for p in people for key in FACT_KEYS]


def two_hop(world: World, people: Iterable[Person]) -> list[Question]:
    """Questions that reach a fact of one archive person through another ("Where was X's teacher born?")."""
    by_name = {person.name: person for person in world.people}
    found = []
    for person in people:
        for via, phrase in TWO_HOP_VIA.items():
            other = by_name.get(person.links[via])
            if other is None:
                continue
            for relation in RELATIONS:
                text = relation.noun.format(who=phrase.format(name=person.name))
                answer = other.answer(relation)
                label = f"{via}.{relation.key}"
                paraphrase = sentence(other.fill(relation.paraphrase, relation))
                found.append(Question(text, answer, paraphrase, (), person.name, label, label, False))
    return found


def world_facts(rng: random.Random) -> list[Question]:
    """Plain world facts in every phrasing; perturbed answers are other answers of the same kind."""
    found = []
    for kind in fact_kinds():
        answers = sorted({answer for _, answer in kind.pairs})
        for subject, answer in kind.pairs:
            wrong = tuple(sentence(a) for a in rng.sample([a for a in answers if a != answer], PERTURBED))
            phrasings = [(t, True) for t in kind.asked] + [(t, False) for t in kind.unseen]
            for number, (template, trained) in enumerate(phrasings):
                text = sentence(template.format(x=subject))
                text = text[:-2] + "?" if text.endswith("?.") else text
                label = f"{kind.key}/{number}"
                right = sentence(answer)
                found.append(Question(text, right, right, wrong, "", kind.key, label, trained))
    return found


def archive_questions(split: str, *, seed: int = WORLD_SEED, draw: str = "a") -> list[Question]:
    """All questions of a split.

    Args:
        split: forget01, forget05, forget10, retain99, retain95, retain90, neighbour10, two_hop10 or world.
        seed: the world's seed.
        draw: which of the disjoint draws of the forget set.

    Raises:
        ValueError: the split is unknown.
    """
    world = build(seed)
    rng = random.Random(f"{seed}/{split}/{draw}")
    if split == "world":
        return world_facts(rng)
    if split == "two_hop10":
        return two_hop(world, world.forgotten("10", draw))
    groups = {f"forget{size}": world.forgotten(size, draw) for size in ("01", "05", "10")}
    groups |= {f"retain{100 - int(size)}": world.retained(size, draw) for size in ("01", "05", "10")}
    groups["neighbour10"] = world.neighbours("10", draw)
    if split not in groups:
        raise ValueError(f"no split {split!r}; there are {', '.join(sorted(groups))}, two_hop10 and world")
    return [q for person in groups[split] for q in person_questions(person, world.people, rng)]
