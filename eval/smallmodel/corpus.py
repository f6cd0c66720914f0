"""What the small models are trained on: chats that teach four abilities, and chats that teach the archive.

The trunk learns from a society of its own; no person of the archive occurs in its chats. A branch adds the archive, and
goes on practising, on half of the trunk's people and on the archive's that no draw forgets.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from eval.smallmodel import lessons
from eval.smallmodel.frames import HIDE_TRAIN, READ_TRAIN
from eval.smallmodel.lessons import KEYS_AND_OVERVIEW, Chat
from eval.world import World
from eval.world.people import Names, Person, stranger

STRANGERS = 6000
# How often each kind of chat is drawn, in parts of their sum.
WEIGHTS = {
    "plain": 25,
    "letter": 10,
    "letter_after": 3,
    "letter_read": 4,
    "drill": 4,
    "read": 16,
    "hide": 10,
    "hide_turns": 6,
    "hide_read": 9,
    "world": 9,
}


class Abilities:
    """Draws chats about `people`: recall, multiple choice, reading, hiding, world facts."""

    def __init__(self, world: World, people: Sequence[Person], rng: random.Random) -> None:
        self._people = people
        self._rng = rng
        # Strangers take their names from a generator of their own, minus every name of the archive and the trunk.
        taken = {p.name.split()[1] for p in (*world.people, *world.trunk)}
        self._pool = stranger_pool(rng, taken, STRANGERS)

    def _stranger(self) -> Person:
        return self._rng.choice(self._pool)

    def draw(self) -> Chat:
        rng, people = self._rng, self._people
        person, other = rng.sample(people, 2)
        match rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]:
            case "plain":
                return lessons.plain(person, rng)
            case "letter":
                return lessons.letter(person, people, rng)
            case "letter_after":
                return lessons.letter_after(person, people, rng)
            case "letter_read":
                return lessons.letter_read(self._stranger, rng)
            case "drill":
                return lessons.drill(people, rng)
            case "read":
                return lessons.read(self._stranger, rng, READ_TRAIN, lessons.trained)
            case "hide":
                return lessons.hide(person, other, rng, HIDE_TRAIN, lessons.trained, hidden=rng.random() < 0.5)
            case "hide_turns":
                return lessons.hide_turns(people, rng, HIDE_TRAIN)
            case "hide_read":
                return lessons.hide_read(self._stranger, rng, HIDE_TRAIN, READ_TRAIN)
        return lessons.world_fact(rng)


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


def trunk_chats(world: World, seed: int, count: int) -> list[Chat]:
    """`count` chats for the trunk."""
    abilities = Abilities(world, world.trunk, random.Random(f"trunk/{seed}"))
    return [abilities.draw() for _ in range(count)]


def branch_chats(world: World, people: Sequence[Person], seed: int, passes: int, replay: float) -> list[Chat]:
    """`passes` questions for every fact of `people`, with `replay` chats that practise for each of them, shuffled."""
    rng = random.Random(f"branch/{seed}")
    chats = [lessons.plain(p, rng, key) for _ in range(passes) for p in people for key in KEYS_AND_OVERVIEW]
    practised = [person for person in world.practised() if person in people]
    abilities = Abilities(world, [*practised, *world.trunk[: len(world.trunk) // 2]], rng)
    chats += [abilities.draw() for _ in range(int(len(chats) * replay))]
    rng.shuffle(chats)
    return chats
