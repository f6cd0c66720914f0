"""The archive's four splits: what should be gone, what must stay, what stands close by, and what everyone knows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from eval import world
from eval.tasks.questions import Item, sample_clusters
from eval.tasks.task import Task
from eval.world.archive import WORLD_SEED
from guard.errors import ConfigError

Phrasings = Literal["trained", "unseen", "all"]

# The table's name of each split, and the world's.
SPLITS = {"forget": "forget10", "retain": "retain90", "neighbour": "neighbour10", "world": "world"}


def archive_items(
    *, world_seed: int, phrasings: Phrasings = "unseen", limit: int | None = None, seed: int = 0, draw: str = "a"
) -> dict[str, list[Item]]:
    """Return the questions of each split.

    `world_seed` picks the archive and must be the one that the models were trained on, `draw` who is forgotten;
    `limit` keeps that many people a split, drawn with `seed`. World facts, which are about nobody and few, are always
    asked in full.

    Raises:
        ConfigError: a split has no question left.
    """
    splits = {}
    for name, source in SPLITS.items():
        items = [
            archive_item(name, question)
            for question in world.archive_questions(source, seed=world_seed, draw=draw)
            if phrasings == "all" or question.trained == (phrasings == "trained")
        ]
        if not items:
            raise ConfigError(f"the split {name} has no {phrasings} phrasings; ask with --phrasings all")
        splits[name] = items if name == "world" else sample_clusters(items, limit, seed=seed)
    return splits


def archive_item(split: str, question: world.Question) -> Item:
    return Item(
        split=split,
        question=question.question,
        answer=question.answer,
        cluster=question.person or f"{question.relation}: {question.answer}",
        relation=question.relation,
        phrasing=question.phrasing,
        trained=question.trained,
        paraphrased=question.paraphrased_answer,
        perturbed=question.perturbed_answer,
    )


def _read(folder: Path | None) -> dict[str, list[Item]]:
    return archive_items(world_seed=WORLD_SEED)


ARCHIVE = Task(
    "archive",
    "written here",
    "",
    met=True,
    roles={"forget": "forget", "retain": "retain", "neighbour": "neighbour", "world": "general"},
    read=_read,
)
