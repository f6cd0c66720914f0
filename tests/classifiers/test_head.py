import numpy as np
import pytest
import scipy.sparse as sp

from classifiers import head as head_module
from classifiers.features import Features
from classifiers.head import fit_head, prune


def topics_and_noise(topics, rng):
    """Features of made-up texts: every topic has buckets of its own, besides those that all share."""
    labels = np.repeat(np.arange(-1, topics), 20)
    sparse = sp.random(len(labels), 500, density=0.05, format="lil", dtype=np.float32, random_state=rng)
    for row, label in enumerate(labels):
        if label >= 0:
            sparse[row, label * 4 + rng.integers(4)] = 1
    dense = rng.normal(size=(len(labels), 16)).astype(np.float32) / 8
    return Features(dense, sp.csr_matrix(sparse)), labels.tolist()


def test_pruning_moves_no_score_by_more_than_it_says():
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=5000) * rng.choice([1, 1e-4], size=5000)).astype(np.float32)
    kept = prune(weights, 0.3)
    assert kept.nnz < 3000
    assert np.linalg.norm(kept.toarray()[0] - weights) <= 0.3
    assert prune(np.zeros(10, np.float32), 0.3).nnz == 0


def test_words_and_letters_each_tell_the_topic():
    rng = np.random.default_rng(0)
    features, labels = topics_and_noise(1, rng)
    letters = Features(features.dense, sp.hstack([features.sparse, features.sparse], format="csr"))
    head = fit_head(letters, labels, 1)
    assert np.allclose(head.sparse[:500].toarray(), head.sparse[500:].toarray(), atol=0.3)
    without = Features(features.dense, sp.hstack([features.sparse * 0, features.sparse], format="csr"))
    about = np.asarray(labels) == 0
    assert head.logits(without)[about].min() > head.logits(without)[~about].max()


def test_every_topic_is_scored_by_one_product():
    rng = np.random.default_rng(0)
    features, labels = topics_and_noise(5, rng)
    head = fit_head(features, labels, 5)
    logits = head.logits(features)
    assert logits.shape == (len(labels), 5)
    assert logits.dtype == np.float32
    for row, label in enumerate(labels):
        assert (logits[row] > 0).tolist() == [topic == label for topic in range(5)]
    by_hand = features.dense @ head.dense + features.sparse.toarray() @ head.sparse.toarray() + head.bias
    assert np.allclose(logits, by_hand, atol=1e-5)


def test_learning_from_the_nearest_negatives_tells_topics_apart_too(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    features, labels = topics_and_noise(20, rng)
    for name, value in (("_ALL_PAIRS", 0), ("_NEAR", 60), ("_SAMPLED", 60)):
        monkeypatch.setattr(head_module, name, value)
    logits = fit_head(features, labels, 20).logits(features)
    best = logits.argmax(axis=1)
    assert all(best[row] == label for row, label in enumerate(labels) if label >= 0)
