import numpy as np
import pytest

from classifiers.calibrate import (
    Calibration,
    Evidence,
    Scored,
    certified,
    conformal_threshold,
    fit_probability,
    interval,
    part_groups,
    score_quantiles,
    strictest_threshold,
)
from guard.errors import ConfigError


def test_groups_never_straddle_a_split():
    groups = [f"g{number // 7}" for number in range(700)]
    part = part_groups(groups, (0.1, 0.3), seed=1)
    owners = [{g for g, p in zip(groups, part, strict=True) if p == number} for number in range(3)]
    assert owners[0].isdisjoint(owners[1] | owners[2])
    assert owners[1].isdisjoint(owners[2])
    assert (part == 1).mean() == pytest.approx(0.1, abs=0.01)
    assert (part == 2).mean() == pytest.approx(0.3, abs=0.01)
    assert (part == part_groups(groups, (0.1, 0.3), seed=1)).all()
    assert (part != part_groups(groups, (0.1, 0.3), seed=2)).any()


@pytest.mark.parametrize(("groups", "parts"), [(["a"], {0}), (["a", "b"], {0, 1}), (["a", "b", "c"], {0, 1, 2})])
def test_few_groups_leave_something_to_fit(groups, parts):
    assert set(part_groups(groups, (0.12, 0.12), seed=0).tolist()) == parts


def test_the_threshold_keeps_its_promise_on_new_draws():
    rng = np.random.default_rng(0)
    rates = [
        (rng.normal(size=5000) > conformal_threshold(rng.normal(size=400).astype(np.float32), 0.05)).mean()
        for _ in range(200)
    ]
    assert np.mean(rates) == pytest.approx(0.05, abs=0.004)


def test_a_sample_too_small_to_promise_says_what_it_can():
    scores = np.arange(99, dtype=np.float32)
    assert conformal_threshold(scores, 0.01) == 98
    with pytest.raises(ConfigError, match=r"false_flag_rate to 0\.0101"):
        conformal_threshold(scores[:-1], 0.01)


def test_the_harder_sort_sets_the_threshold_where_it_can():
    scores = np.arange(200, dtype=np.float32)
    sorts = ["general"] * 150 + ["retained"] * 50
    assert strictest_threshold(scores, sorts, 0.1) == conformal_threshold(scores[150:], 0.1)
    assert strictest_threshold(scores, sorts, 0.01) == conformal_threshold(scores, 0.01)  # 50 are too few for 1%


def test_probabilities_are_calibrated():
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(2, 1, 2000), rng.normal(-2, 1, 2000)
    slope, offset = fit_probability(positives.astype(np.float32), negatives.astype(np.float32))
    assert slope == pytest.approx(4, rel=0.15)  # the true log-odds of these two bells is 4 x
    assert offset == pytest.approx(0, abs=0.3)
    assert Calibration(slope, offset, 0.0).probabilities(np.array([-1e9, 1e9])) == pytest.approx([0, 1])


def test_interval():
    assert interval(0, 100) == pytest.approx((0, 0.0362), abs=1e-4)
    assert interval(100, 100) == pytest.approx((0.9638, 1), abs=1e-4)
    low, high = interval(0.5, 50.5)
    assert 0 < low < 0.01 < high


def test_what_a_sample_can_certify():
    assert certified(1197) == pytest.approx(0.0025, abs=1e-5)
    assert certified(300) == pytest.approx(0.00994, abs=1e-4)


def test_groups_that_agree_count_as_fewer():
    rng = np.random.default_rng(0)
    groups = tuple(f"g{number // 10}" for number in range(1000))
    alone = Scored(rng.normal(size=1000), groups)
    alike = Scored(np.repeat(rng.normal(size=100), 10), groups)
    half = Scored(np.repeat(rng.normal(size=100), 10) + rng.normal(size=1000), groups)
    assert alone.effective() == pytest.approx(1000, rel=0.3)
    assert alike.effective() == pytest.approx(100, rel=0.01)
    assert half.effective() == pytest.approx(1000 / (1 + 9 * 0.5), rel=0.25)
    assert Scored(rng.normal(size=50), tuple(map(str, range(50)))).effective() == 50
    assert Scored(np.ones(4), ("a",) * 4).effective() == 1


def test_figures_count_each_sample_for_what_it_is():
    def scored(*scores):
        return Scored(np.array(scores), tuple(map(str, range(len(scores)))))

    evidence = Evidence(threshold=scored(0, 0, 0, 0), checked=scored(0, 0, 0, 1), positives=scored(1, 0))
    figures = evidence.figures(Calibration(1.0, 0.0, 0.5), 0.25)
    assert (figures.caught, figures.false_flags, figures.smallest_certifiable_rate) == (0.5, 0.25, 0.2)
    assert (figures.negatives, figures.checked, figures.positives) == (4, 4, 2)
    assert figures.false_flags_low < 0.25 < figures.false_flags_high


def test_quantiles_run_from_least_to_greatest():
    values = score_quantiles(np.arange(201, dtype=np.float32))
    assert (len(values), values[0], values[50], values[-1]) == (101, 0, 100, 200)
