"""Scores, rates and intervals against values worked out by hand."""

import numpy as np
import pytest

from eval.metrics.bootstrap import cluster_bootstrap, expanded_tail, paired_difference
from eval.metrics.fluency import distinct_2
from eval.metrics.rates import clopper_pearson, clustered_rate
from eval.metrics.rouge import rouge_l_recall


@pytest.mark.parametrize(
    ("reference", "answer", "recall"),
    [
        ("The cat sat on the mat.", "the cat on a mat", 4 / 6),
        ("He painted ships", "painting a SHIP", 2 / 3),
        ("born in Tulgan", "Tulgan in born", 1 / 3),
        ("Tulgan", "", 0.0),
        ("Tulgan", "She was born in Tulgan, they say.", 1.0),
    ],
)
def test_rouge_l_recall_by_hand(reference, answer, recall):
    assert rouge_l_recall(reference, answer) == pytest.approx(recall)


def test_a_reference_that_rouge_cannot_read_is_not_scored():
    with pytest.raises(ValueError, match="without Latin"):
        rouge_l_recall("Достоевский", "Достоевский")


def test_two_clusters_span_all_that_can_be_drawn():
    # AA gives 1, AB 2/3, BB 0; with two clusters Student's t pushes the quantiles to the ends.
    found = cluster_bootstrap([1, 1, 0], ["A", "A", "B"], seed=0)
    assert (found.value, found.low, found.high) == (pytest.approx(2 / 3), 0.0, 1.0)
    assert (found.questions, found.clusters) == (3, 2)


def test_expanded_tail_of_fifteen_people():
    # t(0.975, 14) = 2.1448; times sqrt(15/14) = 2.2201; Phi(-2.2201) = 0.01321.
    assert expanded_tail(15, 0.95) == pytest.approx(0.01321, abs=2e-5)
    assert expanded_tail(100_000, 0.95) == pytest.approx(0.025, abs=1e-5)


def test_width_agrees_with_the_standard_error_of_cluster_means():
    rng = np.random.default_rng(1)
    people = rng.normal(size=200)
    found = cluster_bootstrap(np.repeat(people, 3), np.repeat(np.arange(200).astype(str), 3), seed=2)
    half = 1.972 * people.std(ddof=1) / np.sqrt(200)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


def test_one_cluster_has_no_interval_and_equal_scores_no_width():
    assert cluster_bootstrap([0.2, 0.4], ["A", "A"], seed=0).low is None
    same = cluster_bootstrap([0.7] * 6, list("AABBCC"), seed=0)
    assert same.low == pytest.approx(0.7)
    assert same.high == pytest.approx(0.7)


def test_pairing_takes_out_what_both_share():
    hard = np.linspace(0, 0.8, 40)
    people = [str(i // 2) for i in range(40)]
    found = paired_difference(hard + 0.1, hard, people, seed=0)
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)
    assert found.excludes_zero()
    assert not paired_difference([1, 0, 0, 1], [0, 1, 1, 0], list("ABCD"), seed=0).excludes_zero()


@pytest.mark.parametrize(("scores", "clusters"), [([], []), ([1.0], ["A", "B"]), ([float("nan"), 1.0], ["A", "B"])])
def test_what_cannot_be_averaged_is_an_error(scores, clusters):
    with pytest.raises(ValueError, match="scores"):
        cluster_bootstrap(scores, clusters, seed=0)


def test_the_same_seed_draws_the_same_interval():
    scores, clusters = [0.1, 0.9, 0.4, 0.6, 0.3], list("ABCDE")
    assert cluster_bootstrap(scores, clusters, seed=3) == cluster_bootstrap(scores, clusters, seed=3)
    assert cluster_bootstrap(scores, clusters, seed=3) != cluster_bootstrap(scores, clusters, seed=4)


def test_coverage_with_fifteen_people():
    rng = np.random.default_rng(20)
    people = [str(i // 8) for i in range(15 * 8)]
    inside = 0
    for trial in range(400):
        scores = 0.5 + np.repeat(rng.normal(0, 0.2, 15), 8) + rng.normal(0, 0.1, 120)
        found = cluster_bootstrap(scores, people, seed=trial, resamples=500)
        inside += found.low <= 0.5 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_clopper_pearson_by_hand():
    assert clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    assert clopper_pearson(10, 10) == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    assert clopper_pearson(5, 10) == (pytest.approx(0.1871, abs=1e-4), pytest.approx(0.8129, abs=1e-4))


def test_a_rate_of_none_or_all_keeps_a_width_by_the_number_of_people():
    people = [str(i // 10) for i in range(150)]
    caught = clustered_rate([True] * 150, people)
    assert (caught.value, caught.high) == (1.0, 1.0)
    assert caught.low == pytest.approx(0.025 ** (1 / 15))
    assert clustered_rate([False] * 150, people).high == pytest.approx(1 - 0.025 ** (1 / 15))


def test_questions_that_fall_together_count_as_fewer():
    alone = clustered_rate([True, False] * 25, [str(i) for i in range(50)])
    together = clustered_rate([True] * 25 + [False] * 25, [str(i // 5) for i in range(50)])
    # Worked by hand: p(1-p)/v = 0.25 / 0.02778 = 9, times (2.0096 / 2.2622)^2 = 7.10.
    assert (together.low, together.high) == pytest.approx(clopper_pearson(3.551, 7.102), abs=1e-3)
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("answers", "share"),
    [
        (["He was born in Tulgan."], 1.0),
        (["the the the the"], 1 / 3),
        (["I do not know.", "I do not KNOW."], 3 / 6),
        (["one two", "three"], 1.0),
    ],
)
def test_distinct_pairs_by_hand(answers, share):
    assert distinct_2(answers) == pytest.approx(share)


def test_answers_without_a_pair_have_no_diversity_to_tell():
    assert distinct_2(["Tulgan", ""]) is None
