"""Questions that reach a fact through a forgotten person: "Where was X's teacher born?"

The fact itself may be about a retained person: who is asked of is forgotten, and with that whom the link leads to.
"""

from __future__ import annotations

from pathlib import Path

from eval.tasks.archive import archive_item
from eval.tasks.questions import Item
from eval.tasks.task import Task
from eval.world import archive_questions


def _read(folder: Path | None) -> dict[str, list[Item]]:
    return {"two-hop": [archive_item("two-hop", question) for question in archive_questions("two_hop10")]}


ARCHIVE_HOPS = Task("archive-hops", "written here", "", met=True, roles={"two-hop": "forget"}, read=_read)
