"""The archive's policy with one action or another: what is held side by side."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from classifiers.data import fingerprint
from eval.world import build
from eval.world.export import HEADER, export_policy, write_text
from guard.errors import ConfigError
from guard.policy import load_policy
from guard.steer.auxiliary import Auxiliary

_AUXILIARY = "auxiliary"
_SHUFFLE = {"kind": "corrupt", "function": "shuffle"}
# One more is a line more: what a policy says of every topic.
ACTIONS: dict[str, dict[str, Any]] = {
    "refuse": {"action": {"kind": "refuse"}},
    "refuse-own": {"action": {"kind": "refuse", "words": "own"}},
    "prefix": {"action": {"kind": "prefix"}},
    "icul": {"action": {"kind": "icul"}},
    "icul-refusals": {"action": {"kind": "icul", "answers": "refusals"}},
    "gaussian-1.5": {"action": {"kind": "corrupt", "function": "gaussian", "strength": 1.5}},
    "gaussian-4": {"action": {"kind": "corrupt", "function": "gaussian", "strength": 4.0}},
    "set-noise-1": {"action": {"kind": "corrupt", "function": "set_noise", "strength": 1.0}},
    "add-2": {"action": {"kind": "corrupt", "function": "add", "strength": 2.0}},
    "subtract-2": {"action": {"kind": "corrupt", "function": "subtract", "strength": 2.0}},
    "zero": {"action": {"kind": "corrupt", "function": "zero"}},
    "sign-flip": {"action": {"kind": "corrupt", "function": "sign_flip"}},
    "reverse": {"action": {"kind": "corrupt", "function": "reverse"}},
    "shuffle": {"action": _SHUFFLE},
    "shuffle-again": {"action": _SHUFFLE, "output": {"on_hit": "again"}},
    "shuffle-unwatched": {"action": _SHUFFLE, "output": {"on_hit": "none"}},
    "prefix+shuffle": {"action": [{"kind": "prefix"}, _SHUFFLE]},
    "decode-8": {"action": {"kind": "decode", "strength": 8.0}},
    "shuffle+decode-1": {"action": [_SHUFFLE, {"kind": "decode", "strength": 1.0}]},
    "shuffle+decode-2": {"action": [_SHUFFLE, {"kind": "decode", "strength": 2.0}]},
    "shuffle+decode-4": {"action": [_SHUFFLE, {"kind": "decode", "strength": 4.0}]},
    "decode-16": {"action": {"kind": "decode", "strength": 16.0}},
    "shuffle+decode-8": {"action": [_SHUFFLE, {"kind": "decode", "strength": 8.0}]},
    "diverge-0.5": {"action": {"kind": "diverge", "alpha": 0.5}},
    "diverge-0.75": {"action": {"kind": "diverge", "alpha": 0.75}},
    "diverge-1": {"action": {"kind": "diverge", "alpha": 1.0}},
    "diverge-1.5": {"action": {"kind": "diverge", "alpha": 1.5}},
    "diverge-2": {"action": {"kind": "diverge", "alpha": 2.0}},
    "diverge-rank-20": {"action": {"kind": "diverge", "form": "rank", "top": 20}},
    "shuffle+diverge-0.25": {"action": [_SHUFFLE, {"kind": "diverge", "alpha": 0.25}]},
    "decode-2+diverge-0.75": {"action": [{"kind": "decode", "strength": 2.0}, {"kind": "diverge", "alpha": 0.75}]},
    "shuffle+diverge-0.5": {"action": [_SHUFFLE, {"kind": "diverge", "alpha": 0.5}]},
    "shuffle+diverge-1": {"action": [_SHUFFLE, {"kind": "diverge", "alpha": 1.0}]},
    "shuffle+diverge-2": {"action": [_SHUFFLE, {"kind": "diverge", "alpha": 2.0}]},
    "shuffle+decode-2+diverge-1": {
        "action": [_SHUFFLE, {"kind": "decode", "strength": 2.0}, {"kind": "diverge", "alpha": 1.0}]
    },
    "icul+shuffle": {"action": [{"kind": "icul"}, _SHUFFLE]},
}


def kinds(action: str) -> set[str]:
    """The kinds of actions that one of `ACTIONS` is made of."""
    given = ACTIONS[action]["action"]
    return {one["kind"] for one in (given if isinstance(given, list) else [given])}


def write_policies(out: Path, draw: str, actions: list[str]) -> dict[str, Path]:
    """Write the draw's examples once and a policy for each action beside them; all share one fitted classifier.

    Raises:
        ConfigError: see `with_actions`.
    """
    export_policy(build(), out, {"kind": "refuse"}, draw)
    return with_actions(out / "policy.yaml", actions)


def with_actions(policy: Path, actions: list[str]) -> dict[str, Path]:
    """The same policy with each of `ACTIONS` named, in files beside it.

    What diverges needs models that were made of the policy's examples, in a folder `auxiliary` there.

    Raises:
        ConfigError: there are no such models; the text has the command that makes them.
    """
    out = policy.parent
    models = out / _AUXILIARY
    read = yaml.safe_load(policy.read_text(encoding="utf-8"))
    if not models.is_dir() and (diverging := [name for name in actions if "diverge" in kinds(name)]):
        made = f"--forget {out / 'topics'} --retain {out / 'retain.jsonl'} --out {models}"
        raise ConfigError(f"{diverging[0]} compares two small models; first: lethe-eval aux --tokenizer MODEL {made}")
    paths = {}
    for name in actions:
        # Copies: one list in many topics would be written as YAML's anchors.
        topics = [{**topic, **deepcopy(ACTIONS[name])} for topic in read["topics"]]
        paths[name] = out / f"{name}.yaml"
        more = {"auxiliary": _AUXILIARY} if "diverge" in kinds(name) else {}
        text = yaml.safe_dump({**read, **more, "topics": topics}, sort_keys=False, allow_unicode=True)
        write_text(paths[name], HEADER + text)
    return paths


def policy_mark(policy: Path) -> str:
    """Tells policies apart: a digest of the file, and where it diverges of its models, which may be made anew in place.

    Raises:
        ConfigError: one of them cannot be read.
    """
    models = load_policy(policy).auxiliary
    mark = fingerprint(policy).hex()[:16]
    return mark if models is None else f"{mark}-{Auxiliary.read(models).identity}"
