"""What a model is still good for: TOFU's model utility, and OpenUnlearning's one figure over all three axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import special, stats

# Probability, ROUGE-L recall and truth ratio (`eval.metrics.truth.true_better`) on what must be kept, on real authors
# and on world facts, as OpenUnlearning names them. The last two sets' probabilities are `choice_probability`.
UTILITY_PARTS = (
    *("retain_Q_A_Prob", "retain_Q_A_ROUGE", "retain_Truth_Ratio"),
    *("ra_Q_A_Prob_normalised", "ra_Q_A_ROUGE", "ra_Truth_Ratio"),
    *("wf_Q_A_Prob_normalised", "wf_Q_A_ROUGE", "wf_Truth_Ratio"),
)


@dataclass(frozen=True)
class Whole:
    """A figure made of several; None where a part is missing, for `reason`."""

    value: float | None
    reason: str | None = None


def choice_probability(right_nats: float, wrong_nats: Sequence[float]) -> float:
    """Return the right answer's probability over that of all the options, in [0, 1].

    TOFU, Maini et al. 2024, section 2.2.1, on real authors and world facts; in nats a token, as `probability` takes.

    Raises:
        ValueError: no wrong options, or a likelihood that is not finite.
    """
    if not wrong_nats or not all(map(math.isfinite, (right_nats, *wrong_nats))):
        raise ValueError("a choice needs wrong options, and likelihoods that are finite")
    return float(special.softmax([-right_nats, *(-nats for nats in wrong_nats)])[0])


def harmonic_mean(parts: Mapping[str, float | None]) -> Whole:
    """Return the harmonic mean of named `parts`, 0 where any is 0; without a value where any is None.

    Raises:
        ValueError: no parts, or one that is negative or not finite.
    """
    values = [value for value in parts.values() if value is not None]
    if not parts or not all(math.isfinite(value) and value >= 0 for value in values):
        raise ValueError(f"a harmonic mean needs parts that are finite and not negative, got {dict(parts)}")
    missing = [name for name, value in parts.items() if value is None]
    if missing:
        return Whole(None, f"without {', '.join(missing)}")
    return Whole(float(stats.hmean(values)))


def model_utility(parts: Mapping[str, float | None]) -> Whole:
    """Return TOFU's model utility (section 2.2.1), in [0, 1], of `UTILITY_PARTS`; what is not there counts as missing.

    Raises:
        ValueError: a part of another name, or one that is negative or not finite.
    """
    if unknown := sorted(parts.keys() - set(UTILITY_PARTS)):
        raise ValueError(f"no parts of the model utility: {', '.join(unknown)}; they are {', '.join(UTILITY_PARTS)}")
    return harmonic_mean({name: parts.get(name) for name in UTILITY_PARTS})


def aggregate(memorisation: float | None, privacy: float | None, utility: float | None) -> Whole:
    """Return OpenUnlearning's overall score (Dorna et al. 2025): the harmonic mean of three axes, each in [0, 1].

    Higher is better in each. As we read it, memorisation is the harmonic mean of one minus each of extraction
    strength, exact memorisation, the paraphrase's probability and the truth ratio (there 1 / (1 + R)), and utility that
    of model utility and fluency. How its privacy score comes from AUCs is not published: say what yours is.

    Raises:
        ValueError: an axis that is negative or not finite.
    """
    return harmonic_mean({"memorisation": memorisation, "privacy": privacy, "utility": utility})
