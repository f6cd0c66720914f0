import numpy as np
import pytest

from classifiers.calibrate import (
    Calibration,
    conformal_threshold,
    fit_probability,
    interval,
    measure,
    split_groups,
    strictest_threshold,
)
from guard.errors import ConfigError


def test_groups_never_straddle_a_split():
    groups = [f"g{number // 7}" for number in range(700)]
    held = split_groups(groups, 0.3, seed=1)
    assert {g for g, h in zip(groups, held, strict=True) if h}.isdisjoint(
        {g for g, h in zip(groups, held, strict=True) if not h}
    )
    assert 0.29 < held.mean() < 0.32
    assert (held == split_groups(groups, 0.3, seed=1)).all()
    assert (held != split_groups(groups, 0.3, seed=2)).any()


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


def test_interval_and_figures():
    assert interval(0, 100) == pytest.approx((0, 0.0362), abs=1e-4)
    assert interval(100, 100) == pytest.approx((0.9638, 1), abs=1e-4)
    figures = measure(Calibration(1.0, 0.0, 0.5), np.array([1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]), 0.25)
    assert (figures.caught, figures.false_flags, figures.smallest_certifiable_rate) == (0.5, 0.25, 0.2)
