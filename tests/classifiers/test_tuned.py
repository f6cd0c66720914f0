"""The tuned sequence classifier: a small run of the code behind `lethe fit --tune`."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from classifiers.artifact import fitted_for, load_artifact, save_artifact
from classifiers.detector import ArtifactDetector, score
from classifiers.head import Head
from classifiers.rounds import Fitted, _rescaled, fit_tuned
from classifiers.training import CLEAN, THRESHOLD, Request, Sample, Training
from classifiers.tuned import Tuned
from guard.conversation import single
from guard.errors import ArtifactError, ConfigError
from tests.classifiers.conftest import FORGET, RETAIN, SECRET, TEMPLATES

ASKED = [(form.lower(), fact) for fact, forms in TEMPLATES.items() for form in forms]
PEOPLE = [*FORGET.values(), *RETAIN[:4]]
ABOUT = len(FORGET)
SAMPLES = [
    Sample(
        form.format(name.lower()),
        number if number < ABOUT else CLEAN,
        fold=int(fact != "award" if number < ABOUT else number > ABOUT),
    )
    for number, name in enumerate(PEOPLE)
    for form, fact in ASKED
]
HELD = [Request(s.label, (s.text,), s.text, "topic", 0, THRESHOLD) for s in SAMPLES if s.fold == 0]


@pytest.fixture(scope="module")
def rounds(encoder):
    told = []
    head = Head(np.zeros((1, 2 * ABOUT), np.float32), sp.csr_matrix((1, 2 * ABOUT)), np.zeros(2 * ABOUT, np.float32))
    fitted = fit_tuned(
        Training(samples=SAMPLES * 8, requests=HELD),
        Fitted(None, head, [], np.zeros((0, ABOUT), np.float32)),
        encoder=encoder.folder(),
        expecting=lambda count: told.append,
    )
    assert sum(told) >= 8 * len(SAMPLES)
    return fitted


def test_it_tells_topics_from_each_other_and_from_none(rounds):
    known = [sample for sample in SAMPLES if sample.fold or sample.label != CLEAN]
    logits = rounds.tuned.logits([sample.text for sample in known])
    best = np.where(logits.max(axis=1) > 0, logits.argmax(axis=1), CLEAN)
    assert (best == [sample.label for sample in known]).mean() > 0.9


def test_what_is_measured_was_never_read_and_is_known_by_its_name(rounds):
    assert sorted(r.windows for r in rounds.asked) == sorted(r.windows for r in HELD)
    topics = np.array([request.topic for request in rounds.asked])
    own = rounds.worst[topics >= 0, topics[topics >= 0]]
    assert own.mean() > rounds.worst[topics == CLEAN].max(axis=1).mean()
    about = [request.windows[0] for request in rounds.asked if request.topic != CLEAN]
    assert not np.allclose(rounds.tuned.logits(about), rounds.worst[topics >= 0])  # it has read them since


def test_earlier_scores_keep_their_place_among_the_clean_ones():
    before, after = np.array([[-4, -9], [-2, -3], [0, -5]], np.float32), np.array([[-9], [-3], [7]], np.float32)
    scores = np.array([[-3, 0], [-2, 2], [-8, -4]], np.float32)
    assert _rescaled(scores, before, after).tolist() == [[-6, 7], [-3, 9], [-9, -9]]


def test_an_artifact_carries_it_and_refuses_a_changed_one(rounds, fitted, encoder, tmp_path):
    loaded = load_artifact(fitted.report.out, policy=fitted.policy, secret=SECRET)
    key = fitted_for(fitted.report.out, secret=SECRET)
    out = tmp_path / "tuned"
    save_artifact(replace(loaded, tuned=rounds.tuned), out, policy_key=key, secret=SECRET)
    again = load_artifact(out, policy=fitted.policy, secret=SECRET)
    texts = [sample.text for sample in SAMPLES[:20]]
    assert np.allclose(score(again, encoder, texts), rounds.tuned.logits(texts), atol=1e-3)
    calm = replace(again, calibration=replace(again.calibration, thresholds=(0.0,) * 4))
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
