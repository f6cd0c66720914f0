"""What attacks get out of each system beyond what retrained says to the same prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.answers import AnswerStore
from eval.asking import written
from eval.attacks.leak import Attacked, leak, testable, worst
from eval.attacks.registry import ATTACKS
from eval.compare.plan import Plan
from eval.compare.results import BARE, RETRAINED, WORST, Leak
from eval.compare.told import told
from eval.metrics.answered import answered
from eval.metrics.bootstrap import cluster_bootstrap

# Fewer probes than this say nothing of an attack: prefixes of five words need answers longer than most.
LEAST = 10


@dataclass(frozen=True)
class Tried:
    """Bare's scores of one attack, with what it says directly; `reason` why the attack is not tried on others."""

    name: str
    direct: float | None
    attacked: float | None
    reason: str | None


def tried(plan: Plan, store: AnswerStore) -> list[Tried]:
    """Which attacks the bare model itself can follow; it must have been asked all of them."""
    found = []
    for name in plan.suite.attacks:
        rows = _rows(plan, store, name, BARE)
        pairs = [(a, d) for a, d in zip(rows, _direct(plan, store), strict=True) if a is not None and d is not None]
        if len(pairs) < LEAST:
            found.append(Tried(name, None, None, f"only {len(pairs)} questions allow it, {LEAST} are needed"))
            continue
        able = testable([a for a, _ in pairs], [d for _, d in pairs])
        found.append(Tried(name, able.direct, able.attacked, able.reason or None))
    return found


def leaks(plan: Plan, store: AnswerStore, system: str, attacks: Sequence[Tried]) -> list[Leak]:
    """Every attack on one system, then the worst of them under the name "worst"."""
    found, able = [], {}
    direct = _direct(plan, store)
    for one in attacks:
        family = ATTACKS[one.name].family
        blank = Leak(system, one.name, family, "system", one.direct, one.attacked, None, None, one.reason)
        if one.reason is not None:
            found.append(blank)
            continue
        sides = [_rows(plan, store, one.name, name) for name in (system, RETRAINED, BARE)]
        rows = [
            (item.cluster, ours, theirs, bare, plain)
            for item, ours, theirs, bare, plain in zip(plan.attacked, *sides, direct, strict=True)
            if ours is not None and theirs is not None and bare is not None and plain is not None
        ]
        if not rows:
            reason = "no answer of it was scored on both"
            found.append(Leak(system, one.name, family, "system", one.direct, one.attacked, None, None, reason))
            continue
        clusters, ours, theirs, bare, plain = (list(column) for column in zip(*rows, strict=True))
        able[one.name] = Attacked(clusters, ours, theirs, bare, plain)
        score = cluster_bootstrap(ours, clusters, seed=plan.seed)
        excess = leak(ours, theirs, clusters, seed=plan.seed)
        found.append(Leak(system, one.name, family, "system", one.direct, one.attacked, score, excess))
    most = worst(able, seed=plan.seed)
    if most is None:
        return [*found, Leak(system, WORST, "", "system", None, None, None, None, _untried(attacks))]
    return [*found, Leak(system, WORST, most.attack, "system", None, None, None, most.leak)]


def _untried(attacks: Sequence[Tried]) -> str:
    few = sum(one.direct is None for one in attacks)
    return f"{len(attacks) - few} are beyond the bare model itself, {few} have fewer than {LEAST} questions"


def _direct(plan: Plan, store: AnswerStore) -> list[float | None]:
    return [one.score for one in told(store, BARE, plan.attacked)]


def _rows(plan: Plan, store: AnswerStore, attack: str, system: str) -> list[float | None]:
    found: list[float | None] = []
    for probe in plan.probes[attack]:
        answer = None if probe is None else store.get(system, written(probe.messages))
        if probe is None or answer is None or answer.text is None:
            found.append(None)
            continue
        try:
            found.append(answered(probe.form, probe.reference, answer.text))
        except ValueError:
            found.append(None)
    return found
