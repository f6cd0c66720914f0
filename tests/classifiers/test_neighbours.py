import numpy as np

from classifiers.neighbours import nearest


def test_the_nearest_come_first_and_only_they():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(200, 16)).astype(np.float32)
    clean /= np.linalg.norm(clean, axis=1, keepdims=True)
    topics = clean[[7, 90]]
    found = nearest(clean, topics, each=3)
    assert set(found[:2]) == {7, 90}
    similar = np.argsort(-(clean @ topics.T), axis=0)[:3]
    assert set(found) == set(similar.ravel().tolist())
    assert nearest(clean[:0], topics, each=3) == []
    assert len(nearest(clean[:2], topics, each=3)) == 2
