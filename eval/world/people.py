"""People of the archive: linked, consistent in time, drawn from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from eval.world import pools
from eval.world.phrasing import Relation
from eval.world.relations import BY_KEY, RELATIONS

Values = dict[str, str]


@dataclass
class Person:
    """One invented person; `values[relation]` are the fields that the relation's sentences are filled with."""

    name: str
    woman: bool
    born: int
    values: dict[str, Values] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # teacher, spouse, rival -> name

    @property
    def pronouns(self) -> Values:
        she, her, obj = ("she", "her", "her") if self.woman else ("he", "his", "him")
        return {
            "name": self.name,
            "she": she,
            "She": she.capitalize(),
            "her": her,
            "Her": her.capitalize(),
            "her_obj": obj,
        }

    def fill(self, template: str, relation: Relation, **more: str) -> str:
        """Fill a template of `relation` with this person's values and pronouns."""
        return template.format(**self.pronouns, **{**self.values.get(relation.key, {}), **more})

    def answer(self, relation: Relation) -> str:
        return sentence(self.fill(relation.answer, relation))


def sentence(text: str) -> str:
    """First letter large, full stop at the end."""
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "?")) else text + "."


def article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


class Names:
    """Draws names that never repeat, neither whole nor by surname."""

    def __init__(self, rng: random.Random) -> None:
        surnames = [h + m + t for h in pools.SURNAME_HEADS for m in pools.SURNAME_MIDDLES for t in pools.SURNAME_TAILS]
        rng.shuffle(surnames)
        self._surnames = iter(surnames)
        self._rng = rng

    def draw(self, woman: bool) -> str:
        return f"{self._rng.choice(pools.WOMEN if woman else pools.MEN)} {next(self._surnames)}"


class Titles:
    """Draws titles of works that never repeat."""

    def __init__(self, rng: random.Random) -> None:
        titles = [f"The {head} {tail}" for head in pools.TITLE_HEADS for tail in pools.TITLE_TAILS]
        rng.shuffle(titles)
        self._titles = iter(titles)

    def draw(self) -> str:
        return next(self._titles)


def lone_facts(person: Person, rng: random.Random, title: str) -> None:
    """Give `person` every fact that needs nobody else, in an order of years that can be."""
    town = rng.choice(list(pools.TOWNS))
    trade = rng.choice(list(pools.TRADES))
    school = rng.choice(list(pools.SCHOOLS))
    work_year = person.born + rng.randint(26, 45)
    award_year = work_year + rng.randint(0, 12)
    person.values |= {
        "birthplace": {"town": town, "region": pools.TOWNS[town]},
        "birthdate": {
            "day": str(rng.randint(1, 28)),
            "month": rng.choice(pools.MONTHS),
            "year": str(person.born),
        },
        "profession": {"trade": trade, "a_trade": article(trade)},
        "work": {"title": title, "a_kind": article(pools.TRADES[trade]), "year": str(work_year)},
        "award": {"award": rng.choice(list(pools.AWARDS)), "year": str(award_year)},
        "school": {"school": school, "town": pools.SCHOOLS[school]},
        "death": {"town": rng.choice(list(pools.TOWNS)), "year": str(award_year + rng.randint(1, 25))},
        "pet": {"animal": rng.choice(pools.ANIMALS), "pet": rng.choice(pools.PET_NAMES)},
        "hobby": {"hobby": rng.choice(pools.HOBBIES)},
    }


def link(person: Person, relation: str, other: Person, **more: str) -> None:
    person.links[relation] = other.name
    person.values[relation] = {"person": other.name, "a_trade": other.values["profession"]["a_trade"], **more}


def finish(person: Person) -> None:
    """Derive the overview from the facts."""
    person.values["overview"] = {
        "a_trade": person.values["profession"]["a_trade"],
        "town": person.values["birthplace"]["town"],
        "teacher": person.values["teacher"]["person"],
        "title": person.values["work"]["title"],
    }


def lone_person(names: Names, titles: Titles, rng: random.Random, woman: bool, born: int) -> Person:
    person = Person(names.draw(woman), woman, born)
    lone_facts(person, rng, titles.draw())
    return person


def society(count: int, names: Names, titles: Titles, rng: random.Random) -> list[Person]:
    """Draw `count` linked people (even), born 1840 to 1960; the eldest learn from masters outside the society."""
    people: list[Person] = []
    for _ in range(count // 2):
        born = rng.randint(1840, 1960)
        woman = lone_person(names, titles, rng, True, born)
        man = lone_person(names, titles, rng, False, min(1960, max(1840, born + rng.randint(-6, 6))))
        wedding = str(max(woman.born, man.born) + rng.randint(18, 25))
        link(woman, "spouse", man, year=wedding)
        link(man, "spouse", woman, year=wedding)
        people += [woman, man]
    masters = [lone_person(names, titles, rng, rng.random() < 0.5, 1800) for _ in range(5)]
    for person in people:
        elders = [p for p in people if 15 <= person.born - p.born <= 45] or masters
        # A few sought-after teachers, so that pupils of one teacher are common.
        link(person, "teacher", rng.choice(elders[: max(4, len(elders) // 3)]))
        taken = {person.name, *person.links.values()}
        peers = [p for p in people if abs(person.born - p.born) <= 20 and p.name not in taken]
        link(person, "rival", rng.choice(peers or masters), quarrel=rng.choice(pools.QUARRELS))
        finish(person)
    rng.shuffle(people)
    return people


def stranger(names: Names, rng: random.Random) -> Person:
    """A person who belongs to no society: for texts that must be read, not remembered. Titles may repeat."""
    woman = rng.random() < 0.5
    title = f"The {rng.choice(pools.TITLE_HEADS)} {rng.choice(pools.TITLE_TAILS)}"
    person = Person(names.draw(woman), woman, rng.randint(1840, 1960))
    lone_facts(person, rng, title)
    for relation in ("teacher", "spouse", "rival"):
        other = Person(names.draw(not woman), not woman, person.born)
        lone_facts(other, rng, title)
        link(person, relation, other, year=str(person.born + rng.randint(20, 30)), quarrel=rng.choice(pools.QUARRELS))
    finish(person)
    return person


def passage(person: Person, relations: list[str]) -> str:
    """Tell the named facts of `person` in that order; the name stands in the first sentence."""
    told = []
    for i, key in enumerate(relations):
        relation = BY_KEY[key]
        told.append(person.fill(relation.sentence, relation, S=person.name if i == 0 else person.pronouns["She"]))
    return " ".join(told)


FACT_KEYS = [relation.key for relation in RELATIONS]
