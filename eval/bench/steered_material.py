"""What `eval.bench.steered` is run on: the archive and its embedded models, or TOFU and models that learned it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from classifiers.words import names
from eval.attacks.attack import Knowledge, Probe
from eval.attacks.registry import ATTACKS
from eval.bench.tofu_metrics import questions
from eval.bench.tofu_models import SEEDS
from eval.compare.plan import Suite, make_plan
from eval.compare.results import BARE, RETRAINED
from eval.policies import with_actions, write_policies
from eval.smallmodel.make import retrained_name
from eval.systems import demo_dir
from eval.tasks.questions import Item
from eval.tasks.tofu import tofu as task
from eval.world.archive import DRAWS
from eval.world.export import write_text
from guard.errors import ConfigError

GIVEN = ("prefix-1", "prefix-3", "prefix-5")


@dataclass(frozen=True)
class Material:
    """Questions by split, those on what no model learned, and the forgotten asked with the beginning of the answer;
    checkpoints by system (bare and retrained seeds), and policies by action, whose guard stands before the bare one.
    """

    splits: Mapping[str, Sequence[Item]]
    holdout: Sequence[Item]
    given: Mapping[str, Sequence[Probe]]
    models: Mapping[str, Path]
    policies: Mapping[str, Path]
    limit: int  # tokens of an answer


def archive(out: Path, asked: int, actions: list[str], seed: int, draw: str, retrained: Path) -> Material:
    """A draw of the archive; draw a's retrained models are embedded, those of another one are looked for in a folder.

    Raises:
        ConfigError: an embedded model, one retrained without the draw or what an action needs is missing.
    """
    suite = Suite("steered", asked, asked, tasks=(), attacks=(), actions=(), weights=False)
    plan = make_plan(suite, None, out, seed=seed, draw=draw)
    models = {BARE: demo_dir() / "full"} | _retrained(draw, retrained)
    policies = write_policies(out / "policies", draw, actions)
    given = _given(plan.splits["forget"], plan.knowledge, seed)
    return Material(plan.splits, plan.holdout, given, models, policies, 48)


def _retrained(draw: str, folder: Path) -> dict[str, Path]:
    """Checkpoints of two seeds or more, the first under the name of the reference."""
    if draw == DRAWS[0]:
        found = [demo_dir() / name for name in (RETRAINED, f"{RETRAINED}-22", f"{RETRAINED}-23")]
    else:
        found = sorted(path.parent for path in folder.glob(f"{retrained_name(draw)}-*/config.json"))
    if len(found) < 2:
        made = f"lethe-eval train --draw {draw} --work {folder}"
        raise ConfigError(f"{folder} does not hold two models retrained without draw {draw}; first: {made}")
    return {RETRAINED if number == 0 else path.name: path for number, path in enumerate(found)}


def tofu(folder: Path, models: Path, out: Path, asked: int, actions: list[str], seed: int) -> Material:
    """forget10, with the checkpoints of `eval.bench.tofu_models`; nothing is held out of what all models learned.

    Raises:
        ConfigError: a file of TOFU or what an action needs is missing.
    """
    splits: dict[str, list[Item]] = {}
    for item in questions(folder, asked):
        splits.setdefault(item.split, []).append(item)
    named = {BARE if name == "full" else RETRAINED if name == "retrained-1" else name: models / name for name in SEEDS}
    policies = with_actions(tofu_policy(folder, out / "policies", seed), actions)
    knowledge = Knowledge(shots=splits["retain"], siblings={})
    return Material(splits, [], _given(splits["forget"], knowledge, seed), named, policies, 96)


def tofu_policy(folder: Path, out: Path, seed: int) -> Path:
    """A policy that forgets forget10, a topic for each author, whose alias is the name that most questions have.

    The topics' examples are the forget set itself, as it is to be forgotten; a quarter of retain90 is retained.
    """
    splits = task("10").load(folder, limit=None, seed=seed)
    authors: dict[str, list[Item]] = {}
    for item in splits["forget10"].items:
        authors.setdefault(item.cluster, []).append(item)
    topics = []
    for number, items in enumerate(authors.values()):
        named = Counter(name for item in items for name in set(names(f"{item.question} {item.answer}")))
        write_text(out / "topics" / f"{number}.jsonl", _lines(items))
        alias, _ = named.most_common(1)[0]
        topics.append({"name": f"author-{number}", "examples": f"topics/{number}.jsonl", "aliases": [alias]})
    kept = list(splits["retain90"].items)
    write_text(out / "retain.jsonl", _lines(random.Random(seed).sample(kept, len(kept) // 4)))
    policy = {"version": 1, "false_flag_rate": 0.01, "retain": "retain.jsonl"}
    refused = [topic | {"action": {"kind": "refuse"}} for topic in topics]
    write_text(out / "policy.yaml", yaml.safe_dump({**policy, "topics": refused}, sort_keys=False))
    return out / "policy.yaml"


def _lines(items: Sequence[Item]) -> str:
    rows = ({"question": item.question, "answer": item.answer, "group": item.cluster} for item in items)
    return "".join(json.dumps(row) + "\n" for row in rows)


def _given(items: Sequence[Item], knowledge: Knowledge, seed: int) -> dict[str, list[Probe]]:
    made: dict[str, list[Probe]] = {name: [] for name in GIVEN}
    for name, probes in made.items():
        for item in items:
            probe = ATTACKS[name].make(item, knowledge, random.Random(f"{seed}/{name}/{item.question}"))
            probes += [probe] if probe else []
    return made
