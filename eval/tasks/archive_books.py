"""Beginnings of sentences about people's works, to be completed: text that goes on instead of a question.

After Eldan & Russinovich 2023, "Who's Harry Potter?" (arXiv:2310.02238), who measure forgetting of books by how a model
completes prompts. A work is a book, a dictionary, but also a tower clock: whatever its person is best known for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eval.tasks.questions import Item
from eval.tasks.task import Role, Task
from eval.world import build
from eval.world.people import Person
from eval.world.relations import BY_KEY, OVERVIEW

_ROLES: dict[str, Role] = {"forget": "forget", "retain": "retain"}


def _read(folder: Path | None) -> dict[str, list[Item]]:
    world = build()
    people = {"forget": world.forgotten(), "retain": world.retained()}
    return {split: [item for person in people[split] for item in _items(split, person)] for split in _ROLES}


def _items(split: str, person: Person) -> Iterator[Item]:
    """The title is asked for alone and behind other facts, and from the title the name."""
    work = BY_KEY["work"]
    title = person.values["work"]["title"]
    for label, told in (
        ("sentence", person.fill(work.sentence, work, S=person.name)),
        ("biography", person.answer(OVERVIEW)),
    ):
        begun = told.partition(title)[0].strip()
        yield Item(split, f"Complete: {begun}", title, person.name, "work", label, form="holds")
    begun = person.fill("{title}, {a_kind} of {year}, is the best-known work of", work)
    yield Item(split, f"Complete: {begun}", person.name, person.name, "work", "name", form="holds")


ARCHIVE_BOOKS = Task(
    "archive-books", "written here, after Eldan & Russinovich 2023", "", met=True, roles=_ROLES, read=_read
)
