import numpy as np
import pytest

from classifiers.calibrate import (
    Calibration,
    Scored,
    conformal_threshold,
    fit_probability,
    size_quantiles,
    size_thresholds,
)
from guard.errors import ConfigError


def scored(scores, windows):
    """Requests of one group each."""
    return Scored(np.asarray(scores, dtype=np.float32), np.asarray(windows), tuple(map(str, range(len(scores)))))


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


def test_every_size_has_a_threshold_of_its_own_that_never_falls():
    rng = np.random.default_rng(0)
    windows = np.repeat([1, 6, 30, 99], 300)
    shift = np.repeat([0.0, 3.0, 1.0, 5.0], 300)
    sample = scored(rng.normal(size=1200) + shift, windows)
    found = size_thresholds(sample, ["general"] * 1200, 0.05)
    own = [conformal_threshold(sample.scores[windows == size], 0.05) for size in (1, 6, 30, 99)]
    assert found == (own[0], own[1], own[1], own[3])
    calibration = Calibration(1.0, 0.0, found)
    assert [calibration.threshold(count) for count in (1, 3, 4, 12, 13, 60, 61, 5000)] == [
        own[0], own[0], own[1], own[1], own[1], own[1], own[3], own[3],
    ]  # fmt: skip
    assert (calibration.margins(sample) > 0)[windows != 30].mean() == pytest.approx(0.05, abs=0.01)


def test_the_harder_sort_sets_the_threshold_where_it_can():
    sample = scored(np.arange(200), np.ones(200))
    sorts = ["general"] * 150 + ["retained"] * 50
    assert size_thresholds(sample, sorts, 0.1)[0] == conformal_threshold(sample.scores[150:], 0.1)
    assert size_thresholds(sample, sorts, 0.01)[0] == conformal_threshold(sample.scores, 0.01)  # 50 are too few for 1%


def test_no_long_text_hides_a_topic_behind_one_bad_neighbour():
    scores, windows = np.zeros(1600), np.repeat([1, 6, 30, 99], 400)
    scores[[-1, -2, -3, -401, -402]] = 50
    assert size_thresholds(scored(scores, windows), ["general"] * 1600, 0.0025) == (0, 0, 0, 0)
    scores[[0, 1]] = 50
    assert size_thresholds(scored(scores, windows), ["general"] * 1600, 0.0025)[0] == 50


def test_a_size_without_enough_requests_borrows():
    sample = scored(np.arange(103), np.array([1] * 100 + [6] * 3))
    together = conformal_threshold(sample.scores, 0.01)
    small = conformal_threshold(sample.scores[:100], 0.01)
    assert size_thresholds(sample, ["log"] * 103, 0.01) == (small, together, together, together)
    assert size_thresholds(sample, ["log"] * 103, 0.01, before=(0, 500, 600, 700)) == (small, 500, 600, 700)
    with pytest.raises(ConfigError, match="cannot certify"):
        size_thresholds(scored(np.arange(9), np.ones(9)), ["log"] * 9, 0.01, before=(1, 2, 3, 4))


def test_probabilities_are_calibrated():
    rng = np.random.default_rng(0)
    positives, negatives = rng.normal(2, 1, 2000), rng.normal(-2, 1, 2000)
    slope, offset = fit_probability(positives.astype(np.float32), negatives.astype(np.float32))
    assert slope == pytest.approx(4, rel=0.15)  # the true log-odds of these two bells is 4 x
    assert offset == pytest.approx(0, abs=0.3)
    assert Calibration(slope, offset, (0.0,) * 4).probabilities(np.array([-1e9, 1e9])) == pytest.approx([0, 1])


def test_groups_that_agree_count_as_fewer():
    rng = np.random.default_rng(0)
    groups = tuple(f"g{number // 10}" for number in range(1000))
    one = np.ones(1000, dtype=int)
    alone = Scored(rng.normal(size=1000), one, groups)
    alike = Scored(np.repeat(rng.normal(size=100), 10), one, groups)
    half = Scored(np.repeat(rng.normal(size=100), 10) + rng.normal(size=1000), one, groups)
    assert alone.effective() == pytest.approx(1000, rel=0.3)
    assert alike.effective() == pytest.approx(100, rel=0.01)
    assert half.effective() == pytest.approx(1000 / (1 + 9 * 0.5), rel=0.25)
    assert scored(rng.normal(size=50), np.ones(50)).effective() == 50
    assert Scored(np.ones(4), np.ones(4), ("a",) * 4).effective() == 1


def test_quantiles_run_from_least_to_greatest_within_a_size():
    found = size_quantiles(scored(np.arange(402), np.repeat([1, 99], 201)))
    assert [(len(values), values[0], values[50], values[-1]) for values in (found[0], found[3])] == [
        (101, 0, 100, 200), (101, 201, 301, 401),
    ]  # fmt: skip
    assert found[1] == found[2] == tuple(np.quantile(np.arange(402), np.linspace(0, 1, 101)).round(4))
