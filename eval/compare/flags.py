"""How often each guard's classifier flags: the catch on what is forgotten, false flags elsewhere."""

from __future__ import annotations

from collections import Counter

from rich.progress import Progress

from eval.compare.plan import Plan
from eval.compare.results import GUARD, Figure
from eval.compare.told import ARCHIVE
from eval.detection import detect_all, policy_detector
from eval.metrics.rates import clustered_rate


def flag_figures(plan: Plan, progress: Progress) -> list[Figure]:
    """Rates of the default guard; the other actions stand behind the same classifier."""
    policy = plan.of(GUARD).policy
    assert policy is not None, "the guard has a policy"
    detector = policy_detector(policy)
    bar = progress.add_task("detection", total=sum(map(len, plan.splits.values())))
    found = []
    for split, items in plan.splits.items():
        flags = detect_all(detector, [item.question for item in items], lambda: progress.advance(bar))
        rows = [(flag, item.cluster) for item in items if (flag := flags[item.question].flagged) is not None]
        failed = Counter(one.reason for one in flags.values() if one.flagged is None)
        estimate = clustered_rate(*zip(*rows, strict=True)) if rows else None
        reason = ", ".join(f"{count} x {reason}" for reason, count in failed.items()) or None
        found.append(Figure(GUARD, ARCHIVE, split, "flagged", "system", estimate, reason))
    return found
