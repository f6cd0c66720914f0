"""What every benchmark gives: named splits of items, each with its role."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eval.tasks.questions import Item, sample_clusters
from guard.errors import ConfigError

# forget: should be gone; retain: must stay; neighbour: must stay and stands close by; general: what everyone knows.
Role = Literal["forget", "retain", "neighbour", "general"]


@dataclass(frozen=True)
class Split:
    """The items of one split, under one role."""

    name: str
    role: Role
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Task:
    """One benchmark.

    `source` is the paper, or that it was written here; `hub` the Hugging Face data set's id, empty where the questions
    come with Lethe. `met` tells whether its loader has read the real data; where not, tables and the command line say
    so. `read` gives every split of `roles` in full, from a local folder or, for None, from the hub.
    """

    name: str
    source: str
    hub: str
    met: bool
    roles: Mapping[str, Role]
    read: Callable[[Path | None], Mapping[str, Sequence[Item]]]

    def load(self, folder: Path | None, *, limit: int | None, seed: int) -> Mapping[str, Split]:
        """Read the splits from a local folder, or from the hub where `folder` is None; keep `limit` clusters a split.

        Raises:
            ConfigError: the data is not there or is malformed, or a folder is named for questions that need none.
        """
        if folder is not None and not self.hub:
            raise ConfigError(f"the task {self.name} comes with Lethe and reads no folder; leave {folder} out")
        found = self.read(folder)
        return {
            name: Split(name, role, tuple(sample_clusters(found[name], limit, seed=seed)))
            for name, role in self.roles.items()
        }
