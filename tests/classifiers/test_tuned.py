"""The tuned sequence classifier: a small run of the code behind `lethe fit --tune`."""

from dataclasses import replace

import numpy as np
import pytest

from classifiers.artifact import fitted_for, load_artifact, save_artifact
from classifiers.detector import ArtifactDetector, score
from classifiers.rounds import fit_tuned
from classifiers.training import Sample, Training
from classifiers.tuned import Tuned
from guard.conversation import single
from guard.errors import ArtifactError, ConfigError
from tests.classifiers.conftest import FORGET, RETAIN, SECRET, TEMPLATES

ASKED = [(form.lower(), fact) for fact, forms in TEMPLATES.items() for form in forms]
PEOPLE = [*FORGET.values(), *RETAIN[:4]]
SAMPLES = [
    Sample(form.format(name.lower()), number if number < len(FORGET) else -1, held=fact == "award" and number < 2)
    for number, name in enumerate(PEOPLE)
    for form, fact in ASKED
]


@pytest.fixture(scope="module")
def rounds(encoder):
    told = []
    fitted = fit_tuned(
        Training(samples=SAMPLES * 8),
        [sample.text for sample in SAMPLES],
        head=type("Head", (), {"bias": np.zeros(len(FORGET))})(),
        encoder=encoder.folder(),
        expecting=lambda count: told.append,
    )
    assert sum(told) >= 8 * len(SAMPLES)
    return fitted


def test_it_tells_topics_from_each_other_and_from_none(rounds):
    labels = np.array([sample.label for sample in SAMPLES])
    best = np.where(rounds.serving.max(axis=1) > 0, rounds.serving.argmax(axis=1), -1)
    assert (best == labels).mean() > 0.9


def test_what_is_measured_was_never_read_and_is_known_by_its_name(rounds):
    held = np.array([sample.held for sample in SAMPLES])
    labels = np.array([sample.label for sample in SAMPLES])
    assert held.any()
    own = rounds.measured[held, labels[held]]
    assert own.mean() > rounds.measured[labels < 0].max(axis=1).mean()
    assert not np.array_equal(rounds.measured, rounds.serving)


def test_an_artifact_carries_it_and_refuses_a_changed_one(rounds, fitted, encoder, tmp_path):
    loaded = load_artifact(fitted.report.out, policy=fitted.policy, secret=SECRET)
    key = fitted_for(fitted.report.out, secret=SECRET)
    out = tmp_path / "tuned"
    save_artifact(replace(loaded, tuned=rounds.tuned), out, policy_key=key, secret=SECRET)
    again = load_artifact(out, policy=fitted.policy, secret=SECRET)
    texts = [sample.text for sample in SAMPLES[:20]]
    assert np.allclose(score(again, encoder, texts), rounds.serving[:20], atol=1e-3)
    calm = replace(again, calibration=replace(again.calibration, threshold=0.0))
    found = ArtifactDetector(calm, encoder, fitted.policy).detect(single("Who taught Mira Tolvane?"))
    assert [detection.topic for detection in found] == ["mira"]
    weights = out / "classifier" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(ArtifactError, match="was changed"):
        load_artifact(out, policy=fitted.policy, secret=SECRET)


def test_what_is_no_encoder_is_told(tmp_path):
    with pytest.raises(ConfigError, match="--tune"):
        Tuned.new(tmp_path, 1)
