"""Telling two systems' answers apart: what differs, what does not, and what may not be learned from."""

import numpy as np
import pytest

from eval.metrics.apart import Shown, apart

WORDS = [
    "Tulgan",
    "Lisbon",
    "Oslo",
    "tall",
    "short",
    "baker",
    "smith",
    "she",
    "was",
    "born",
    "in",
    "near",
    "the",
    "sea",
]


def said(rng):
    return " ".join(rng.choice(WORDS, 6))


def views(left, right, questions, clusters=None):
    return {view.name: view for view in apart(left, right, questions, clusters or questions, seed=0)}


def test_refusals_are_told_from_answers_by_text_and_by_length():
    rng = np.random.default_rng(0)
    left = [Shown(said(rng)) for _ in range(30)]
    right = [Shown("I cannot help with that.") for _ in range(30)]
    found = views(left, right, [f"q{i}" for i in range(30)], [f"p{i // 3}" for i in range(30)])
    assert found["text"].auc.value == 1.0
    assert found["text"].auc.low == 1.0
    assert found["length"].auc.value > 0.7
    assert (found["text"].auc.questions, found["text"].auc.clusters, found["text"].missing) == (60, 10, 0)


def test_the_same_answers_cannot_be_told_apart():
    rng = np.random.default_rng(1)
    shown = [Shown(said(rng), {"seconds": float(rng.normal())}) for _ in range(20)]
    found = views(shown, shown, [f"q{i}" for i in range(20)])
    assert list(found) == ["text", "length", "seconds"]
    assert [view.auc.value for view in found.values()] == [0.5, 0.5, 0.5]


def test_answers_compare_within_the_fold_that_scored_them():
    # Five questions, one a fold. Of any four the right ones are higher on the whole, so higher is taken for right:
    # that holds for four questions of five, whatever the answers to other questions are.
    left, right = [0.0, 1.0, 2.0, 3.0, 4.0], [0.5, 1.5, 2.5, 3.5, 3.0]
    shown = ([Shown(None, {"seconds": value}) for value in side] for side in (left, right))
    assert views(*shown, list("abcde"))["seconds"].auc.value == pytest.approx(0.8)


def test_a_slower_system_is_told_by_its_seconds_alone():
    rng = np.random.default_rng(2)
    # Two normals a standard deviation apart: Phi(1 / sqrt 2) = 0.760.
    left = [Shown("yes", {"seconds": float(x)}) for x in rng.normal(0, 1, 400)]
    right = [Shown("yes", {"seconds": float(x)}) for x in rng.normal(1, 1, 400)]
    found = views(left, right, [f"q{i}" for i in range(400)])
    assert found["seconds"].auc.value == pytest.approx(0.760, abs=0.04)
    assert found["text"].auc.value == 0.5


def test_answers_to_a_question_are_never_both_learned_from_and_scored():
    rng = np.random.default_rng(3)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    left, right = ([Shown("".join(rng.choice(letters, 20))) for _ in range(30)] for _ in range(2))
    once, asked = [f"q{i}" for i in range(30)], [f"q{i}" for i in range(30)] * 2
    same = views(left * 2, right * 2, asked)["text"].auc.value
    assert abs(same - 0.5) < 0.2
    # Under other names the repeats are learned by heart, which is what the grouping keeps out.
    assert views(left * 2, right * 2, once + [f"again {name}" for name in once])["text"].auc.value > 0.9


def test_what_is_unscored_is_left_out_and_too_little_has_a_reason():
    rng = np.random.default_rng(4)
    left = [Shown(said(rng), {"nats": 1.0 if i < 4 else None}) for i in range(12)]
    right = [Shown(None if i < 3 else said(rng), {"nats": 2.0}) for i in range(12)]
    found = views(left, right, [f"q{i}" for i in range(12)])
    assert (found["text"].missing, found["text"].auc.questions) == (3, 18)
    assert (found["nats"].auc, found["nats"].missing) == (None, 8)
    assert found["nats"].reason == "needs 5 different questions with it on both sides, got 4"


def test_systems_that_say_nothing_cannot_be_told_apart():
    found = views([Shown("")] * 6, [Shown("")] * 6, [f"q{i}" for i in range(6)])
    assert (found["text"].auc.value, found["length"].auc.value) == (0.5, 0.5)


def test_answers_that_are_not_aligned_are_an_error():
    with pytest.raises(ValueError, match="as many answers"):
        apart([Shown("a")], [], ["q"], ["p"], seed=0)
