"""Figures of likelihoods: probability, truth ratio and forget quality, memorisation, membership, utility."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from eval.compare.results import RETRAINED, Figure
from eval.compare.scores import Likelihood
from eval.compare.told import ARCHIVE
from eval.metrics.auc import clustered_auc
from eval.metrics.bootstrap import cluster_bootstrap
from eval.metrics.estimate import Estimate
from eval.metrics.forget_quality import forget_quality, spread
from eval.metrics.membership import MEMBERSHIP, privleak
from eval.metrics.truth import closer_to_1_better, probability, true_better, truth_ratio
from eval.metrics.utility import UTILITY_PARTS, aggregate, choice_probability, harmonic_mean, model_utility

Scores = Mapping[str, Sequence[Likelihood]]
HOLDOUT = "holdout"
# TOFU's three sets to be kept, and what stands for them in the archive.
_UTILITY = {"retain": "retain", "ra": "neighbour", "wf": "world"}


def likely_figures(system: str, scores: Scores, recall: Callable[[str], float | None], seed: int) -> list[Figure]:
    """Every figure of one system that needs its likelihoods; `recall` is its ROUGE-L recall by split.

    `scores` is by system; retrained's is what is compared with.
    """
    own = scores[system]
    found = [_mean(system, split, "probability", own, _probability, seed) for split in _splits(own)]
    forget = [one for one in own if one.split == "forget"]
    found.append(_mean(system, "forget", "truth_ratio", own, lambda one: _truth(one, closer_to_1_better), seed))
    found += _quality(system, forget, scores, seed)
    found.append(_mean(system, "forget", "extraction_strength", own, _extraction, seed))
    found.append(_mean(system, "forget", "exact_memorisation", own, _exact, seed))
    member = _membership(system, scores, seed)
    utility = _utility(system, own, recall)
    return [*found, *member, utility, _aggregate(system, forget, member, utility)]


def seed_spread(scores: Scores) -> list[Figure]:
    """D between the truth ratios of every two retrained seeds: how far apart never having learned already is."""
    every = [_ratios([one for one in own if one.split == "forget"]) for name, own in scores.items() if _seed(name)]
    found = spread([ratios for ratios in every if ratios])
    reason = None if found else "there is one retrained model only"
    size = len(every[0]) if every else 0
    low, high = (_point(found.low, size), _point(found.high, size)) if found else (None, None)
    ends = ("seed_spread_D_low", low), ("seed_spread_D_high", high)
    return [Figure(RETRAINED, ARCHIVE, "forget", name, "system", end, reason) for name, end in ends]


def _seed(name: str) -> bool:
    return name.startswith(RETRAINED)


def _splits(own: Sequence[Likelihood]) -> list[str]:
    return list(dict.fromkeys(one.split for one in own if one.split != HOLDOUT))


def _probability(one: Likelihood) -> float | None:
    return probability(one.measured.nats) if one.measured else None


def _chosen(one: Likelihood) -> float | None:
    """The right answer's probability among the options; real authors and world facts have it in TOFU's utility."""
    found = one.measured
    return choice_probability(found.nats, found.perturbed) if found and found.perturbed else None


def _truth(one: Likelihood, form: Callable[[float], float]) -> float | None:
    found = one.measured
    if found is None or not found.perturbed:
        return None
    # Real authors and world facts have no paraphrase; TOFU's own evaluation takes their plain answer.
    right = found.nats if found.paraphrased is None else found.paraphrased
    return form(truth_ratio(right, found.perturbed))


def _extraction(one: Likelihood) -> float | None:
    return one.measured.extraction_strength if one.measured else None


def _exact(one: Likelihood) -> float | None:
    return one.measured.exact_memorisation if one.measured else None


def _ratios(own: Sequence[Likelihood]) -> list[float]:
    return [value for one in own if (value := _truth(one, lambda ratio: ratio)) is not None]


def _mean(
    system: str,
    split: str,
    metric: str,
    own: Sequence[Likelihood],
    value: Callable[[Likelihood], float | None],
    seed: int,
) -> Figure:
    those = [one for one in own if one.split == split]
    rows = [(found, one.cluster) for one in those if (found := value(one)) is not None]
    estimate = cluster_bootstrap(*zip(*rows, strict=True), seed=seed) if rows else None
    return Figure(system, ARCHIVE, split, metric, "system", estimate, _missing(those, len(rows)))


def _quality(system: str, forget: Sequence[Likelihood], scores: Scores, seed: int) -> list[Figure]:
    """KS distance to the retrained seeds; to the other seeds where it is one of them."""
    ours = _ratios(forget)
    names = [name for name in scores if _seed(name) and name != system]
    theirs = _ratios([one for one in scores[names[0]] if one.split == "forget"]) if names else []
    metrics = "forget_quality_D", "forget_quality_p"
    if not ours or not theirs:
        reason = _missing(forget, len(ours)) or "there is no other retrained model"
        return [Figure(system, ARCHIVE, "forget", name, "system", None, reason) for name in metrics]
    found = forget_quality(ours, theirs)
    return [
        Figure(system, ARCHIVE, "forget", name, "system", _point(value, len(ours)), versus=names[0])
        for name, value in zip(metrics, (found.distance, found.p_value), strict=True)
    ]


def _membership(system: str, scores: Scores, seed: int) -> list[Figure]:
    found = []
    for name in MEMBERSHIP:
        estimate, reason = _auc(scores[system], name, seed)
        found.append(Figure(system, ARCHIVE, "forget", name, "system", estimate, reason))
    ours, theirs = _auc(scores[system], "mia_min_k", seed)[0], _auc(scores[RETRAINED], "mia_min_k", seed)[0]
    leak = privleak(ours.value, theirs.value) if ours and theirs else None
    point = None if leak is None or ours is None else _point(leak, ours.questions)
    reason = None if point else "no AUC on both"
    return [*found, Figure(system, ARCHIVE, "forget", "privleak", "system", point, reason, versus=RETRAINED)]


def _auc(own: Sequence[Likelihood], metric: str, seed: int) -> tuple[Estimate | None, str | None]:
    """Members are the forgotten people's answers, the others those of people whom no model has met."""
    sides = [
        [(one.measured.membership[metric], one.cluster) for one in own if one.split == split and one.measured]
        for split in ("forget", HOLDOUT)
    ]
    if not sides[1]:
        return None, "there are no texts on strangers to compare with"
    if not sides[0]:
        return None, _missing([one for one in own if one.split == "forget"], 0)
    (ours, whose), (theirs, others) = (tuple(zip(*side, strict=True)) for side in sides)
    return clustered_auc(ours, theirs, whose, others, seed=seed), None


def _utility(system: str, own: Sequence[Likelihood], recall: Callable[[str], float | None]) -> Figure:
    parts: dict[str, float | None] = {}
    for short, split in _UTILITY.items():
        those = [one for one in own if one.split == split]
        form = _probability if short == "retain" else _chosen
        chosen = [p for one in those if (p := form(one)) is not None]
        truths = [t for one in those if (t := _truth(one, true_better)) is not None]
        ratio = sum(truths) / len(truths) if truths else None
        likely = sum(chosen) / len(chosen) if chosen else None
        names = [name for name in UTILITY_PARTS if name.startswith(short)]
        parts |= dict(zip(names, (likely, recall(split), ratio), strict=True))
    whole = model_utility(parts)
    point = None if whole.value is None else _point(whole.value, len(own))
    return Figure(system, ARCHIVE, "all", "model_utility", "system", point, whole.reason)


def _aggregate(system: str, forget: Sequence[Likelihood], member: Sequence[Figure], utility: Figure) -> Figure:
    """HM of memorisation, privacy and utility; privacy is one minus |PrivLeak| / 100 here, at least 0."""
    rows = [one.measured for one in forget if one.measured and one.measured.perturbed]
    parts = [
        (
            m.extraction_strength,
            m.exact_memorisation,
            probability(m.paraphrased),
            1 / (1 + truth_ratio(m.paraphrased, m.perturbed)),
        )
        for m in rows
        if m.paraphrased is not None
    ]
    memory = {str(place): 1 - sum(values) / len(values) for place, values in enumerate(zip(*parts, strict=True))}
    memorisation = harmonic_mean(memory).value if memory else None
    leak = next(figure.estimate for figure in member if figure.metric == "privleak")
    privacy = None if leak is None else max(0.0, 1 - abs(leak.value) / 100)
    use = None if utility.estimate is None else utility.estimate.value
    whole = aggregate(memorisation, privacy, use)
    point = None if whole.value is None else _point(whole.value, len(rows))
    return Figure(system, ARCHIVE, "all", "aggregate", "system", point, whole.reason)


def _point(value: float, questions: int) -> Estimate:
    return Estimate(value, None, None, questions, questions)


def _missing(those: Sequence[Likelihood], scored: int) -> str | None:
    counts = Counter(one.reason or "it has no such answer" for one in those if one.measured is None)
    told = ", ".join(f"{count} x {reason}" for reason, count in counts.items())
    if scored == len(those):
        return None
    return told or f"{len(those) - scored} of {len(those)} items lack what it needs"
