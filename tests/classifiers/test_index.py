import numpy as np
import pytest

from classifiers.data import load_examples
from classifiers.detector import load_detector
from classifiers.index import RETAINED, Neighbours, nearest, nearest_of_all
from guard.errors import ArtifactError
from tests.classifiers.conftest import SECRET


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    made = rng.normal(size=(40, 8)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_the_nearest_are_those_of_the_plain_product(vectors):
    scores, rows = nearest(vectors[:5], vectors[5:], 7)
    products = vectors[:5] @ vectors[5:].T
    assert (rows == np.argsort(-products, axis=1)[:, :7]).all()
    assert np.allclose(scores, -np.sort(-products, axis=1)[:, :7], atol=1e-6)
    assert nearest(vectors, vectors[:3], 10)[1].shape == (40, 3)


def test_an_index_survives_its_bytes(vectors):
    made = Neighbours.of(vectors, [0] * 30 + [RETAINED] * 10, list(range(40)))
    read = Neighbours.from_bytes(made.to_bytes(), made.labels, made.positions, width=8)
    scores, rows = read.search(vectors, 1)
    assert (rows[:, 0] == np.arange(40)).all()
    assert np.allclose(scores, 1, atol=1e-5)


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[: len(d) // 2], lambda d: b"x" * 100, lambda d: d[:4]])
def test_bytes_that_are_no_index_say_what_to_do(vectors, damage):
    made = Neighbours.of(vectors, [0] * 40, list(range(40)))
    with pytest.raises(ArtifactError, match="lethe fit"):
        Neighbours.from_bytes(damage(made.to_bytes()), made.labels, made.positions, width=8)


def test_an_index_of_other_examples_is_refused(vectors):
    made = Neighbours.of(vectors, [0] * 40, list(range(40)))
    for labels, positions, width in (
        (made.labels[:-1], made.positions, 8),
        (made.labels, made.positions[:-1], 8),
        (made.labels, made.positions, 9),
    ):
        with pytest.raises(ArtifactError, match="lethe fit"):
            Neighbours.from_bytes(made.to_bytes(), labels, positions, width=width)


def test_a_fitted_policys_examples_are_found_again_and_not_spelled_out(fitted, encoder):
    neighbours = load_detector(
        fitted.report.out, policy=fitted.policy, secret=SECRET, encoder=encoder
    )._artifact.neighbours
    _, rows = neighbours.search(encoder.encode(["who taught oren halsk?", "who taught pavo drexler?"]), 1)
    forgotten, retained = rows[:, 0]
    topic = fitted.policy.topics[neighbours.labels[forgotten]]
    assert load_examples(topic.examples)[neighbours.positions[forgotten]].question == "Who taught Oren Halsk?"
    assert neighbours.labels[retained] == RETAINED
    assert load_examples(fitted.policy.retain)[neighbours.positions[retained]].question == "Who taught Pavo Drexler?"
    assert b"halsk" not in (fitted.report.out / "examples.faiss").read_bytes().lower()


def test_the_nearest_of_all_come_first_and_only_they():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(200, 16)).astype(np.float32)
    clean /= np.linalg.norm(clean, axis=1, keepdims=True)
    topics = clean[[7, 90]]
    found = nearest_of_all(topics, clean, 3)
    assert set(found[:2]) == {7, 90}
    similar = np.argsort(-(clean @ topics.T), axis=0)[:3]
    assert set(found) == set(similar.ravel().tolist())
    assert nearest_of_all(topics, clean[:0], 3) == []
    assert len(nearest_of_all(topics, clean[:2], 3)) == 2
