"""The archive by multiple choice: every fact once, with three other people's answers beside the right one."""

from __future__ import annotations

import random
from pathlib import Path

from eval.tasks.choice import choice_item
from eval.tasks.questions import Item
from eval.tasks.task import Role, Task
from eval.world import build
from eval.world.questions import choices

_ROLES: dict[str, Role] = {"forget": "forget", "retain": "retain", "neighbour": "neighbour"}


def _read(folder: Path | None) -> dict[str, list[Item]]:
    world = build()
    people = {"forget": world.forgotten(), "retain": world.retained(), "neighbour": world.neighbours()}
    return {
        split: [
            choice_item(split, asked, cluster=asked.person)
            for asked in choices(people[split], world.people, random.Random(f"{world.seed}/choice/{split}"))
        ]
        for split in _ROLES
    }


ARCHIVE_CHOICE = Task("archive-choice", "written here", "", met=True, roles=_ROLES, read=_read)
