import numpy as np
import pytest

from classifiers.calibrate import Calibration
from classifiers.evidence import Evidence, certified, interval
from tests.classifiers.test_calibrate import scored


def test_interval():
    assert interval(0, 100) == pytest.approx((0, 0.0362), abs=1e-4)
    assert interval(100, 100) == pytest.approx((0.9638, 1), abs=1e-4)
    low, high = interval(0.5, 50.5)
    assert 0 < low < 0.01 < high


def test_what_a_sample_can_certify():
    assert certified(1197) == pytest.approx(0.0025, abs=1e-5)
    assert certified(300) == pytest.approx(0.00994, abs=1e-4)


def test_figures_count_each_sample_for_what_it_is():
    def asked(*scores):
        return scored(scores, np.ones(len(scores)))

    evidence = Evidence(threshold=asked(0, 0, 0, 0), checked=asked(0, 0, 0, 1), positives=asked(1, 0))
    figures = evidence.figures(Calibration(1.0, 0.0, (0.5,) * 4), 0.25)
    assert (figures.caught, figures.false_flags, figures.smallest_certifiable_rate) == (0.5, 0.25, 0.2)
    assert (figures.negatives, figures.checked, figures.positives) == (4, 4, 2)
    assert figures.false_flags_low < 0.25 < figures.false_flags_high
