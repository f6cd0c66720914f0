"""What the comparison says, in plain sentences; where a guard or a method loses, it says so."""

from __future__ import annotations

from eval.compare.results import BARE, GUARD, RETRAINED, WORST, Results, Subject
from eval.compare.told import RECALL
from eval.metrics.estimate import Estimate
from eval.verdict import interval


def verdict(results: Results) -> list[str]:
    """A sentence for each question that the page is there to answer."""
    sentences = [_direct(results, one) for one in results.subjects if one.kind in ("guard", "weights")]
    sentences.append(_likelihood(results))
    sentences.append(_attacked(results))
    sentences.append(_kept(results))
    if not any(one.kind == "weights" for one in results.subjects):
        sentences.append(
            "No method that changes weights was compared; make checkpoints with `lethe-eval unlearn` and name their "
            "folder with --checkpoints."
        )
    sentences.append(
        "A guard defends what the endpoint says, not the weights: who holds the checkpoint behind it holds the topic."
    )
    return [sentence for sentence in sentences if sentence]


def _estimate(results: Results, name: str, split: str, metric: str, versus: str = "") -> Estimate | None:
    figure = results.figure(name, split, metric, versus=versus)
    return figure.estimate if figure else None


def _direct(results: Results, one: Subject) -> str:
    gap = _estimate(results, one.name, "forget", RECALL, RETRAINED)
    if gap is None:
        return f"{one.name}: whether it forgets is not known, since nothing was scored on both."
    if not gap.excludes_zero():
        told = f"no difference to retrained is shown in recall ({gap.value:+.3f}, {interval(gap)})"
        return f"{one.name}: asked plainly, {told}."
    if gap.value > 0:
        return f"{one.name} loses: it recalls {gap.value:.3f} more of the forgotten than retrained ({interval(gap)})."
    return (
        f"{one.name} forgets more than never having learned: {-gap.value:.3f} less than retrained ({interval(gap)}); "
        "it can be recognised by that."
    )


def _likelihood(results: Results) -> str:
    own = _estimate(results, GUARD, "forget", "probability")
    never = _estimate(results, RETRAINED, "forget", "probability")
    bare = _estimate(results, BARE, "forget", "probability")
    if own is None or never is None or bare is None:
        return "Likelihoods under the guard are unscored."
    lost = "" if own.low is None or never.high is None or own.low <= never.high else " The guard loses here."
    return (
        f"Likelihood under the guard: true answers about the forgotten keep a probability of {own.value:.3f} once they "
        f"are written out, against {never.value:.3f} when never learned and {bare.value:.3f} bare.{lost}"
    )


def _attacked(results: Results) -> str:
    most = next((one for one in results.leaks if (one.system, one.attack) == (GUARD, WORST)), None)
    if most is None or most.leak is None:
        return f"No attack could be tried: {most.reason if most else 'none was asked'}."
    able = [one for one in results.leaks if one.system == GUARD and one.leak is not None and one.attack != WORST]
    every = {one.attack for one in results.leaks if one.attack != WORST}
    loses = " The guard loses to it." if most.leak.low is not None and most.leak.low > 0 else ""
    return (
        f"Of {len(every)} attacks {len(able)} can be tried on this model; the worst of them for the guard, "
        f"{most.family}, gets {most.leak.value:+.3f} over retrained ({interval(most.leak)}, for whichever is worst)."
        f"{loses}"
    )


def _kept(results: Results) -> str:
    changed = []
    for split in ("retain", "neighbour", "world"):
        gap = _estimate(results, GUARD, split, RECALL, BARE)
        if gap is not None and gap.value != 0:
            changed.append(f"{split} {gap.value:+.3f} ({interval(gap)})")
    if changed:
        return f"What the guard costs on what is to stay, against bare: {', '.join(changed)}."
    return "On what is to stay the guard changed no score."
