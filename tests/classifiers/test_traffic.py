import random
import shutil

import numpy as np
import pytest

from classifiers.artifact import load_artifact
from classifiers.calibrate import conformal_threshold
from classifiers.general import load_general
from classifiers.traffic import Prompt, _fewest_clean, drift, recalibrate
from eval.bench.paraphrase import paraphrase
from guard.conversation import single
from guard.errors import ConfigError
from tests.classifiers.conftest import SECRET, TEMPLATES


@pytest.fixture
def folder(fitted, tmp_path):
    shutil.copytree(fitted.report.out, tmp_path / "artifact")
    return tmp_path / "artifact"


@pytest.fixture(scope="module")
def usual():
    # In other words: the questions themselves were fitted.
    rng = random.Random(0)
    return [Prompt(single(paraphrase(example.question, rng))) for example in load_general()[::16]]


@pytest.fixture(scope="module")
def unusual():
    forms = [form for facts in TEMPLATES.values() for form in facts]
    return [Prompt(single(form.format("Mira Tolvan" + end))) for form in forms for end in "dklrs"]


def test_other_prompts_drift(fitted, folder, unusual):
    found = drift(folder, unusual, policy=fitted.policy, secret=SECRET)
    assert found.distance > found.critical
    assert found.stability > 0.25
    assert found.advised


def test_prompts_like_the_samples_lie_nearer(fitted, folder, usual, unusual):
    found = drift(folder, usual, policy=fitted.policy, secret=SECRET)
    assert found.prompts == len(usual)
    assert found.flagged <= 0.02 * len(usual)
    assert sum(found.shares) == pytest.approx(1)
    assert found.distance < drift(folder, unusual, policy=fitted.policy, secret=SECRET).distance - 0.2


def test_recalibration_moves_the_threshold_and_nothing_else(fitted, folder, usual):
    before = load_artifact(folder, policy=fitted.policy, secret=SECRET)
    recalibrate(folder, usual, policy=None, secret=SECRET)
    after = load_artifact(folder, policy=fitted.policy, secret=SECRET)
    assert after.calibration.thresholds != before.calibration.thresholds
    assert (after.calibration.slope, after.topics) == (before.calibration.slope, before.topics)
    assert (after.head.dense == before.head.dense).all()
    assert after.figures["negatives"] == len(usual)
    assert after.figures["false_flags"] <= after.figures["target_rate"]
    assert not drift(folder, usual, policy=None, secret=SECRET).advised


def test_recalibration_refuses_what_is_not_clean(fitted, folder, usual):
    about = [Prompt(single(f"Who taught Mira Tolvane, number {n}?")) for n in range(20)]
    with pytest.raises(ConfigError, match='"flag": true'):
        recalibrate(folder, [*usual, *about], policy=None, secret=SECRET)
    labelled = [Prompt(prompt.conversation, True) for prompt in about]
    recalibrate(folder, [*usual, *labelled], policy=None, secret=SECRET)
    with pytest.raises(ConfigError, match="needs clean ones"):
        recalibrate(folder, labelled, policy=None, secret=SECRET)


@pytest.mark.parametrize("count", [0, 10, 48])
def test_too_small_a_log_is_told_with_what_it_takes(folder, usual, count):
    with pytest.raises(ConfigError, match=rf"holds {count} clean prompts; .* 2\.00% takes at least 49 "):
        recalibrate(folder, usual[:count], policy=None, secret=SECRET)


@pytest.mark.parametrize("rate", [0.4, 0.1, 0.03, 0.02, 0.01, 0.0025, 0.001])
def test_the_fewest_prompts_are_just_enough_for_a_threshold(rate):
    scores = np.arange(_fewest_clean(rate), dtype=np.float32)
    assert conformal_threshold(scores, rate) == scores[-1]
    with pytest.raises(ConfigError, match="cannot certify"):
        conformal_threshold(scores[1:], rate)


def test_after_recalibration_the_catch_is_not_known(folder, usual):
    after = recalibrate(folder, usual, policy=None, secret=SECRET)
    assert not [name for name in after.figures if "caught" in name or name == "positives"]
