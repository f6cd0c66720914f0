"""What every benchmark gives: named splits of items, each with its role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from eval.tasks.questions import Item

# forget: should be gone; retain: must stay; neighbour: must stay and stands close by; general: what everyone knows.
Role = Literal["forget", "retain", "neighbour", "general"]


@dataclass(frozen=True)
class Split:
    """The items of one split, under one role."""

    name: str
    role: Role
    items: tuple[Item, ...]


class Task(Protocol):
    """One benchmark."""

    name: str
    source: str
    """The paper, or that it was written here."""
    met: bool
    """Whether its loader has read the real data; where not, tables and the command line say so."""

    def load(self, folder: Path | None, *, limit: int | None, seed: int) -> Mapping[str, Split]:
        """Read the splits from a local folder, or from the hub where `folder` is None; keep `limit` clusters a split.

        Raises:
            ConfigError: the data is not there or is malformed.
        """
        ...
