"""One prompt about a forgotten and a retained person together, of which each answer is scored apart.

After Thaker et al. 2024, "Position: LLM unlearning benchmarks are weak measures of progress" (arXiv:2410.02879): a
method that passes on each question alone may give the forgotten answer, or lose the retained one, when both are asked
at once. Every prompt makes two items with the same question and cluster, so that a limit keeps both or neither.
"""

from __future__ import annotations

import random
from pathlib import Path

from eval.tasks.questions import Item
from eval.tasks.task import Task
from eval.world import build
from eval.world.people import FACT_KEYS, Person
from eval.world.phrasing import Relation
from eval.world.questions import option
from eval.world.relations import BY_KEY


def _read(folder: Path | None) -> dict[str, list[Item]]:
    """Every fact of each forgotten person, with another fact of a retained person who is always the same."""
    world = build()
    rng = random.Random(f"{world.seed}/mixed")
    gone = world.forgotten()
    # Whoever is linked to the forgotten is left out: the retained answer might name one of them.
    kept = [person for person in world.retained() if "link" not in world.shared(person)]
    found: dict[str, list[Item]] = {"mixed-forget": [], "mixed-retain": []}
    for person, other in zip(gone, rng.sample(kept, len(gone)), strict=True):
        for place, key in enumerate(FACT_KEYS):
            forget, retain = _items(person, BY_KEY[key], other, place % 2 == 0, rng)
            found["mixed-forget"].append(forget)
            found["mixed-retain"].append(retain)
    return found


def _items(
    person: Person, relation: Relation, other: Person, forget_first: bool, rng: random.Random
) -> tuple[Item, Item]:
    """The forget and the retain item of one prompt; answers are the shortest that tell the fact."""
    fitting = [BY_KEY[key] for key in FACT_KEYS if key != relation.key and _apart(person, relation, other, BY_KEY[key])]
    about = rng.choice(fitting)
    asked = [rng.choice(relation.unseen).format(name=person.name), rng.choice(about.unseen).format(name=other.name)]
    question = " ".join([*(asked if forget_first else reversed(asked)), "Answer both."])
    cluster, phrasing = f"{person.name} and {other.name}", "forget first" if forget_first else "retain first"
    return (
        Item("mixed-forget", question, option(person, relation), cluster, relation.key, phrasing, False, form="holds"),
        Item("mixed-retain", question, option(other, about), cluster, about.key, phrasing, False, form="holds"),
    )


def _apart(person: Person, relation: Relation, other: Person, about: Relation) -> bool:
    """Whether neither answer tells the other, such as a town where one was born and the other died."""
    first, second = option(person, relation).casefold(), option(other, about).casefold()
    return first not in other.answer(about).casefold() and second not in person.answer(relation).casefold()


ARCHIVE_MIXED = Task(
    "archive-mixed",
    "written here, after Thaker et al. 2024",
    "",
    met=True,
    roles={"mixed-forget": "forget", "mixed-retain": "retain"},
    read=_read,
)
