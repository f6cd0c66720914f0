"""What the unlearning benches work on: a draw's examples, and anchors for its names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from eval.tune.asked import Asked, strangers
from eval.world import build
from eval.world.export import export_policy, write_text

SEED = 5


@dataclass(frozen=True)
class Data:
    """Files of one draw: the policy's examples, and an invented name for each forgotten one."""

    forget: Path
    retain: Path
    anchors: Path


def write(draw: str, out: Path) -> Data:
    """Write the draw's files under `out`."""
    export_policy(build(), out, {"kind": "refuse"}, draw)
    gone = [person.name for person in build().forgotten("10", draw)]
    others = strangers([Asked("", "", name, (name,)) for name in gone], seed=SEED)
    named = {name: other.names[0] for name, other in zip(gone, others, strict=True)}
    write_text(out / "anchors.json", json.dumps(named, indent=1) + "\n")
    return Data(out / "topics", out / "retain.jsonl", out / "anchors.json")
