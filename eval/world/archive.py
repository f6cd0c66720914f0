"""The archive's people and the splits of them: who is forgotten, who is retained, who is a near neighbour."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from eval.world.people import Names, Person, Titles, society

PEOPLE = 150
TRUNK_PEOPLE = 150
WORLD_SEED = 20260
DRAWS = ("a", "b", "c", "d", "e")  # disjoint draws of forget10; "a" is the default one
SIZES = {"01": 2, "05": 8, "10": 15}
NEIGHBOURS = 30


@dataclass(frozen=True)
class World:
    """`people` is the archive; `trunk` is a second society that only teaches abilities and shares no name with it."""

    seed: int
    people: tuple[Person, ...]
    trunk: tuple[Person, ...]

    def forgotten(self, size: str = "10", draw: str = "a") -> tuple[Person, ...]:
        """The forget set of `size` ("01", "05", "10"), each nested in the next; draws are disjoint."""
        first = DRAWS.index(draw) * SIZES["10"]
        return self.people[first : first + SIZES[size]]

    def retained(self, size: str = "10", draw: str = "a") -> tuple[Person, ...]:
        """The complement of `forgotten`."""
        gone = {person.name for person in self.forgotten(size, draw)}
        return tuple(person for person in self.people if person.name not in gone)

    def practised(self) -> tuple[Person, ...]:
        """The people whom no draw ever forgets: models may practise on them what they are tested in on others."""
        return self.people[len(DRAWS) * SIZES["10"] :]

    def shared(self, person: Person, size: str = "10", draw: str = "a") -> tuple[str, ...]:
        """What a retained person has in common with the forgotten: teacher, town, award, or a link to one of them."""
        gone = self.forgotten(size, draw)
        marks = {
            "teacher": any(p.links["teacher"] == person.links["teacher"] for p in gone),
            "town": any(p.values["birthplace"] == person.values["birthplace"] for p in gone),
            "award": any(p.values["award"]["award"] == person.values["award"]["award"] for p in gone),
            "link": any(p.name in person.links.values() or person.name in p.links.values() for p in gone),
        }
        return tuple(mark for mark, held in marks.items() if held)

    def neighbours(self, size: str = "10", draw: str = "a") -> tuple[Person, ...]:
        """The hard neighbours: the retained people who share most with the forgotten, in the archive's order."""
        retained = self.retained(size, draw)
        ranked = sorted(range(len(retained)), key=lambda i: (-len(self.shared(retained[i], size, draw)), i))
        return tuple(retained[i] for i in sorted(ranked[:NEIGHBOURS]))


@lru_cache(maxsize=4)
def build(seed: int = WORLD_SEED) -> World:
    """Draw the world of `seed`; the same seed gives the same world on every machine."""
    rng = random.Random(seed)
    names, titles = Names(rng), Titles(rng)
    archive = society(PEOPLE, names, titles, rng)
    trunk = society(TRUNK_PEOPLE, names, titles, rng)
    return World(seed, tuple(archive), tuple(trunk))
