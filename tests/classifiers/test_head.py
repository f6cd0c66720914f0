import numpy as np
import pytest
import scipy.sparse as sp

from classifiers import head as head_module
from classifiers.features import Features
from classifiers.head import fit_head, prune


def topics_and_noise(topics, rng):
    """Features of made-up texts: every topic has letters and words of its own, besides those that all share."""
    labels = np.repeat(np.arange(-1, topics), 20)
    sparse = sp.random(len(labels), 500, density=0.05, format="lil", dtype=np.float32, random_state=rng)
    for row, label in enumerate(labels):
        if label >= 0:
            sparse[row, label * 4 + rng.integers(4)] = 1
    dense = rng.normal(size=(len(labels), 16)).astype(np.float32) / 8
    return Features(dense, sp.hstack([sparse, sparse], format="csr")), labels.tolist()


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
    head = fit_head(features, labels, 1)
    assert head.topics == 1
    assert not head.sparse[:500, 1].nnz
    assert not head.sparse[500:, 0].nnz
    about = np.asarray(labels) == 0
    for lost in (0, 1):
        parts = [features.sparse[:, :500], features.sparse[:, 500:]]
        parts[lost] = parts[lost] * 0
        logits = head.logits(Features(features.dense, sp.hstack(parts, format="csr")))
        assert logits[about].min() > logits[~about].max()


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
    odds = (np.sqrt(np.exp(by_hand[:, :5])) + np.sqrt(np.exp(by_hand[:, 5:]))) ** 2 / 4
    assert np.allclose(logits, np.log(odds), atol=1e-4)


def test_learning_from_the_nearest_negatives_tells_topics_apart_too(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    features, labels = topics_and_noise(20, rng)
    for name, value in (("_ALL_PAIRS", 0), ("_NEAR", 60), ("_SAMPLED", 60)):
        monkeypatch.setattr(head_module, name, value)
    logits = fit_head(features, labels, 20).logits(features)
    best = logits.argmax(axis=1)
    assert all(best[row] == label for row, label in enumerate(labels) if label >= 0)
