"""Who is compared, on what: the suites, the subjects and the questions."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eval import world
from eval.attacks.attack import Attack, Knowledge, Probe
from eval.attacks.registry import ATTACKS
from eval.compare.results import BARE, GUARD, RETRAINED, Subject
from eval.policies import ACTIONS, write_policies
from eval.systems import demo_dir
from eval.tasks.archive import archive_item, archive_items
from eval.tasks.questions import Item
from eval.tasks.registry import TASKS
from eval.unlearn.checkpoint import RECORD
from eval.world.archive import DRAWS, WORLD_SEED
from guard.errors import ConfigError

Splits = Mapping[str, Sequence[Item]]


@dataclass(frozen=True)
class Suite:
    """How much is asked: questions a split, forget questions an attack, what further tasks, which attacks."""

    name: str
    asked: int
    attacked: int
    tasks: tuple[str, ...]
    attacks: tuple[str, ...]
    actions: tuple[str, ...]
    weights: bool


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "quick",
            asked=40,
            attacked=20,
            tasks=(),
            attacks=("paraphrase", "variable-for-name", "background-hint", "prefix-1", "prefix-3", "name-over-turns"),
            actions=(),
            weights=False,
        ),
        Suite(
            "full",
            asked=100,
            attacked=45,
            tasks=("archive-hops", "archive-mixed", "archive-books", "archive-choice"),
            attacks=tuple(ATTACKS),
            actions=("refuse", "prefix", "icul", "gaussian-4", "zero"),
            weights=True,
        ),
    )
}


@dataclass(frozen=True)
class Contestant:
    """A subject with what serves it: a checkpoint, and for a guard the policy in front of it."""

    subject: Subject
    model: Path
    policy: Path | None = None


@dataclass(frozen=True)
class Plan:
    """The whole comparison; `probes` is made of `attacked`, one list an attack, None where an item allows no probe."""

    suite: Suite
    contestants: tuple[Contestant, ...]
    splits: Splits
    further: Mapping[str, Splits]
    holdout: Sequence[Item]
    attacked: Sequence[Item]
    knowledge: Knowledge
    seed: int
    probes: Mapping[str, Sequence[Probe | None]] = field(init=False)

    def __post_init__(self) -> None:
        made = {name: self._made(ATTACKS[name]) for name in self.suite.attacks}
        object.__setattr__(self, "probes", made)

    def of(self, name: str) -> Contestant:
        """The contestant of that name."""
        return next(one for one in self.contestants if one.subject.name == name)

    def _made(self, attack: Attack) -> list[Probe | None]:
        return [
            attack.make(item, self.knowledge, random.Random(f"{self.seed}/{attack.name}/{item.question}"))
            for item in self.attacked
        ]


def make_plan(suite: Suite, checkpoints: Path | None, out: Path, *, seed: int, draw: str = DRAWS[0]) -> Plan:
    """Choose the questions about a draw, write the policies, find the checkpoints.

    Raises:
        ConfigError: an embedded model is missing, or the folder of checkpoints holds none.
    """
    every = archive_items(world_seed=WORLD_SEED, draw=draw)
    splits = {name: some(items, suite.asked, seed) for name, items in every.items()}
    known = archive_items(world_seed=WORLD_SEED, phrasings="trained", draw=draw)
    return Plan(
        suite=suite,
        contestants=(*_references(suite), *_guards(suite, out), *changed(checkpoints)),
        splits=splits,
        further={name: _task(name, suite.asked // 2, seed) for name in suite.tasks},
        holdout=some(_strangers(), suite.asked, seed),
        attacked=splits["forget"][: suite.attacked],
        knowledge=Knowledge(
            shots=some(known["retain"], 200, seed),
            siblings={
                item.cluster: [i for i in known["forget"] if i.cluster == item.cluster] for item in every["forget"]
            },
        ),
        seed=seed,
    )


def by_cluster(items: Sequence[Item]) -> dict[str, list[Item]]:
    """The items of each cluster."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.cluster, []).append(item)
    return found


def some(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """At most `count` of the items, drawn with `seed`."""
    return random.Random(seed).sample(list(items), min(count, len(items)))


def _task(name: str, count: int, seed: int) -> Splits:
    found = TASKS[name].load(None, limit=None, seed=seed)
    return {split: some(one.items, count, seed) for split, one in found.items()}


def _strangers() -> list[Item]:
    """Questions about people of another world, whom no model has met: what membership inference compares with."""
    names = {person.name for person in world.build().people}
    other = world.archive_questions("forget10", seed=WORLD_SEED + 1)
    return [archive_item("holdout", q) for q in other if q.person not in names and not q.trained]


def _references(suite: Suite) -> list[Contestant]:
    demo = demo_dir()
    if absent := [name for name in ("full", RETRAINED) if not (demo / name / "config.json").is_file()]:
        raise ConfigError(f"there is no embedded model at {demo / absent[0]}")
    bare = Contestant(Subject(BARE, "bare", "the model as it is"), demo / "full")
    retrained = sorted(demo.glob(f"{RETRAINED}*"))[: None if suite.weights else 1]
    return [
        bare,
        *(
            Contestant(Subject(path.name, "retrained", "trained without the forget set, the gold standard"), path)
            for path in retrained
        ),
    ]


def _guards(suite: Suite, out: Path) -> list[Contestant]:
    full = demo_dir() / "full"
    default = Subject(GUARD, "guard", "the embedded policy: corrupt, shuffle")
    found = [Contestant(default, full, demo_dir() / "policy.yaml")]
    if suite.actions:
        for name, path in write_policies(out / "policies", "a", list(suite.actions)).items():
            found.append(Contestant(Subject(f"{GUARD} {name}", "guard", _told(name)), full, path))
    return found


def _told(action: str) -> str:
    given = ACTIONS[action]["action"]
    every = given if isinstance(given, list) else [given]
    return ", then ".join(" ".join(str(value) for value in one.values()) for one in every)


def changed(checkpoints: Path | None) -> list[Contestant]:
    """The checkpoints of `lethe-eval unlearn` in a folder.

    Raises:
        ConfigError: it holds none, or one whose record cannot be read.
    """
    if checkpoints is None:
        return []
    found = sorted(path.parent for path in checkpoints.glob(f"*/{RECORD}"))
    if not found:
        raise ConfigError(f"{checkpoints} holds no checkpoint of `lethe-eval unlearn` (a folder with {RECORD})")
    return [Contestant(_method(path), path) for path in found]


def _method(checkpoint: Path) -> Subject:
    try:
        record = json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))
        settings, cost = record["settings"], record["cost"]
        given = {**settings["hyperparameters"], "rate": settings["recipe"]["learning_rate"]}
        told = ", ".join(f"{key} {value:g}" for key, value in given.items() if isinstance(value, int | float))
        price = {key: float(cost[key]) for key in ("seconds", "flops", "peak_memory_bytes")}
        return Subject(checkpoint.name, "weights", f"{settings['method']}: {told}", price)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{checkpoint / RECORD} is not of `lethe-eval unlearn` ({error!r})") from error
