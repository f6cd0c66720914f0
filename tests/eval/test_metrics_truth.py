"""Truth ratios, forget quality and utility against values worked out by hand."""

from math import exp, log

import numpy as np
import pytest
from scipy import stats

from eval.metrics.forget_quality import forget_quality, spread
from eval.metrics.truth import closer_to_1_better, probability, true_better, truth_ratio
from eval.metrics.utility import UTILITY_PARTS, aggregate, choice_probability, harmonic_mean, model_utility


def test_probability_is_normalised_by_length():
    # Three tokens of probability 1/2, 1/4 and 1/8: the cube root of 1/64.
    assert probability((log(2) + log(4) + log(8)) / 3) == pytest.approx(1 / 4)


def test_truth_ratio_is_the_geometric_mean_of_the_wrong_over_the_right():
    # Wrong answers at 0.1 and 0.4 have the geometric mean 0.2 (the arithmetic one is 0.25); the right one is at 0.5.
    assert truth_ratio(-log(0.5), [-log(0.1), -log(0.4)]) == pytest.approx(0.4)
    assert truth_ratio(1.0, [1.0, 1.0, 1.0]) == 1.0


@pytest.mark.parametrize(("ratio", "true", "closer"), [(0.4, 0.6, 0.4), (1.0, 0.0, 1.0), (2.5, 0.0, 0.4)])
def test_the_two_forms_of_a_truth_ratio(ratio, true, closer):
    assert (true_better(ratio), closer_to_1_better(ratio)) == (pytest.approx(true), pytest.approx(closer))


def test_an_answer_that_is_all_but_impossible_still_has_a_ratio():
    impossible, certain = truth_ratio(5000.0, [1.0]), truth_ratio(1.0, [5000.0])
    assert impossible > 1e300
    assert 0 < certain < 1e-300
    assert closer_to_1_better(certain) == certain
    assert closer_to_1_better(impossible) == pytest.approx(exp(-700))


@pytest.mark.parametrize(("right", "wrong"), [(1.0, []), (float("nan"), [1.0]), (1.0, [float("inf")])])
def test_what_has_no_truth_ratio_is_an_error(right, wrong):
    with pytest.raises(ValueError, match=r"wrong answer|finite"):
        truth_ratio(right, wrong)


def test_forget_quality_by_hand():
    # Of the 70 orders of four and four, 16 keep the steps within one of each other, which is D = 1/4; so p = 54/70.
    found = forget_quality([1, 2, 3, 4], [2.5, 3.5, 4.5, 5.5])
    assert (found.distance, found.p_value) == (0.5, pytest.approx(54 / 70))
    assert (found.unlearned, found.retrained) == (4, 4)


def test_forget_quality_is_that_of_the_turned_ratio():
    rng = np.random.default_rng(0)
    one, other = rng.lognormal(size=400), rng.lognormal(0.1, size=400)
    found = forget_quality(one.tolist(), other.tolist())
    turned = stats.ks_2samp(1 / one, 1 / other)
    assert (found.distance, found.p_value) == (pytest.approx(turned.statistic), pytest.approx(turned.pvalue))
    assert found.p_value < 1


def test_forget_quality_needs_both_sides():
    with pytest.raises(ValueError, match="both models"):
        forget_quality([0.5], [])


def test_the_spread_of_retrained_seeds():
    found = spread([[1, 2], [3, 4], [1, 4]])
    assert (found.distances, found.low, found.high) == ((1.0, 0.5, 0.5), 0.5, 1.0)
    assert spread([[1, 2]]) is None
    assert spread([]) is None


def test_choice_probability_is_the_share_among_the_options():
    assert choice_probability(-log(0.3), [-log(0.1), -log(0.2)]) == pytest.approx(0.5)
    assert choice_probability(2000.0, [2000.0, 2000.0, 2000.0]) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="wrong options"):
        choice_probability(1.0, [])


def test_harmonic_mean_by_hand():
    assert harmonic_mean({"a": 0.5, "b": 1.0}).value == pytest.approx(2 / 3)
    assert harmonic_mean({"a": 0.0, "b": 1.0}).value == 0.0


def test_a_missing_part_leaves_the_whole_without_a_value():
    found = harmonic_mean({"a": 0.0, "b": None, "c": None})
    assert (found.value, found.reason) == (None, "without b, c")


@pytest.mark.parametrize("parts", [{}, {"a": -0.1, "b": 1.0}, {"a": float("nan")}, {"a": -1.0, "b": None}])
def test_what_has_no_harmonic_mean_is_an_error(parts):
    with pytest.raises(ValueError, match="harmonic mean"):
        harmonic_mean(parts)


def test_model_utility_is_over_all_nine_parts():
    parts = dict.fromkeys(UTILITY_PARTS, 1.0)
    assert len(parts) == 9
    # 9 / (8 + 1/0.5)
    assert model_utility({**parts, "wf_Q_A_ROUGE": 0.5}).value == pytest.approx(0.9)
    del parts["ra_Truth_Ratio"]
    assert model_utility(parts).reason == "without ra_Truth_Ratio"
    with pytest.raises(ValueError, match="forget_Q_A_Prob"):
        model_utility({**parts, "forget_Q_A_Prob": 1.0})


def test_the_aggregate_over_three_axes():
    # 3 / (2 + 4 + 1)
    assert aggregate(0.5, 0.25, 1.0).value == pytest.approx(3 / 7)
    assert aggregate(0.5, None, 1.0).reason == "without privacy"
