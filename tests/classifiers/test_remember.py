import numpy as np
import pytest

from classifiers import remember
from classifiers.remember import RememberedScores


class Counting:
    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        if "boom" in texts:
            raise RuntimeError("broken")
        self.asked += texts
        return np.array([[len(text), -len(text)] for text in texts], dtype=np.float32)


def test_a_text_is_scored_once_and_rows_stand_in_order():
    score = Counting()
    remembered = RememberedScores(score, 2)
    assert remembered(["a", "bbb", "a"])[:, 0].tolist() == [1, 3, 1]
    assert remembered(["cc", "bbb"])[:, 0].tolist() == [2, 3]
    assert score.asked == ["a", "bbb", "cc"]
    assert remembered([]).shape == (0, 2)
    remembered.clear()
    remembered(["a"])
    assert score.asked == ["a", "bbb", "cc", "a"]


def test_a_failure_is_not_kept():
    score = Counting()
    remembered = RememberedScores(score, 2)
    with pytest.raises(RuntimeError):
        remembered(["a", "boom"])
    remembered(["a"])
    assert score.asked == ["a"]


def test_the_oldest_go_first(monkeypatch):
    monkeypatch.setattr(remember, "_REMEMBERED", 4)
    score = Counting()
    remembered = RememberedScores(score, 2)
    for text in ("a", "b", "c", "b", "a"):
        remembered([text])
    assert score.asked == ["a", "b", "c", "a"]
    # More at once than is kept.
    assert remembered(["d", "e", "f"]).shape == (3, 2)
