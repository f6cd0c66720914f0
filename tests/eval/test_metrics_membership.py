"""Memorisation, membership scores and their AUCs against values worked out by hand and reference libraries."""

import zlib as compression
from math import log

import numpy as np
import pytest
from scipy import stats

from eval.metrics.auc import auc, clustered_auc
from eval.metrics.membership import MEMBERSHIP, loss, min_k, min_k_plus_plus, privleak, zlib
from eval.metrics.memory import exact_memorisation, extraction_strength
from eval.metrics.tokens import TokenScores


def scores(logprobs, *, top=None, means=None, stds=None, text="He was born in Tulgan."):
    count = len(logprobs)
    return TokenScores(
        logprobs=np.array(logprobs, dtype=np.float64),
        top=np.array(top if top is not None else [True] * count),
        means=np.array(means if means is not None else [-1.0] * count),
        stds=np.array(stds if stds is not None else [1.0] * count),
        text=text,
    )


@pytest.mark.parametrize(
    ("top", "exact", "strength"),
    [
        ([False, True, False, True, True], 0.6, 0.4),
        ([True, True, True, True], 1.0, 1.0),
        ([False, True, True, True], 0.75, 0.75),
        ([True, True, True, False], 0.75, 0.0),
        ([False], 0.0, 0.0),
    ],
)
def test_memorisation_by_hand(top, exact, strength):
    found = scores([-1.0] * len(top), top=top)
    assert exact_memorisation(found) == pytest.approx(exact)
    assert extraction_strength(found) == pytest.approx(strength)


def test_loss_and_zlib_by_hand():
    text = "aaaa" * 40
    found = scores([-1.0, -3.0], text=text)
    assert loss(found) == -2.0
    assert zlib(found) == pytest.approx(-2.0 / len(compression.compress(text.encode())))
    # What compresses well is expected to be likely: the same log-probability tells less of it.
    assert zlib(found) < zlib(scores([-1.0, -3.0], text="q7#Zx!pL0w&Kd9@vR2m" * 2 + "Yt4^Gn8*Hs"))


def test_min_k_is_over_the_least_likely_two_fifths():
    assert min_k(scores([-1, -9, -2, -5, -3])) == -7.0
    assert min_k(scores([-4, -6])) == -6.0
    assert min_k(scores([-4])) == -4.0


def test_min_k_plus_plus_is_standardised_place_by_place():
    # z: 0, -2, -4, 1, 0.5; the two lowest are -4 and -2.
    found = scores([-2, -8, -4, -1, -1], means=[-2, -4, -2, -2, -2], stds=[1, 2, 0.5, 1, 2])
    assert min_k_plus_plus(found) == pytest.approx(-3.0)
    assert min_k_plus_plus(scores([-0.5], means=[0.0], stds=[0.0])) == pytest.approx(-500.0)


def test_every_score_is_higher_where_the_text_is_likelier():
    known, unknown = scores([-0.1, -0.2, -0.3]), scores([-2.0, -3.0, -0.3])
    assert len(MEMBERSHIP) == 4
    assert all(attack(known) > attack(unknown) for attack in MEMBERSHIP.values())


def test_auc_by_hand_and_as_the_rank_sum_test_has_it():
    assert auc([3, 1], [2, 0]) == 0.75
    assert auc([1, 1], [1]) == 0.5
    rng = np.random.default_rng(3)
    members, others = rng.integers(0, 9, 40).tolist(), rng.integers(2, 11, 30).tolist()
    assert auc(members, others) == pytest.approx(stats.mannwhitneyu(members, others).statistic / (40 * 30))


@pytest.mark.parametrize(("positives", "negatives"), [([], [1.0]), ([1.0], []), ([float("nan")], [1.0])])
def test_what_has_no_auc_is_an_error(positives, negatives):
    with pytest.raises(ValueError, match="AUC"):
        auc(positives, negatives)


def test_clusters_of_sides_that_share_none_are_drawn_apart():
    # Twice the worse member against twice the better other gives 0; twice the better member 1.
    found = clustered_auc([3, 1], [2, 0], ["A", "B"], ["C", "D"], seed=0)
    assert (found.value, found.low, found.high) == (0.75, 0.0, 1.0)
    assert (found.questions, found.clusters) == (4, 4)


def test_clusters_that_both_sides_share_are_drawn_together():
    # Either cluster alone gives 1, both together 3/4.
    found = clustered_auc([3, 1], [2, 0], ["A", "B"], ["A", "B"], seed=0)
    assert (found.value, found.low, found.high) == (0.75, 0.75, 1.0)
    assert found.clusters == 2


def test_sides_that_share_some_clusters_never_count_a_draw_without_a_side():
    found = clustered_auc([3, 1], [2, 0], ["A", "B"], ["B", "C"], seed=0)
    assert 0.0 <= found.low < found.value < found.high <= 1.0


def test_the_width_is_that_of_delongs_variance():
    rng = np.random.default_rng(5)
    members, others = rng.normal(0.7, 1, 300), rng.normal(0, 1, 250)
    found = clustered_auc(members, others, [f"m{i}" for i in range(300)], [f"n{i}" for i in range(250)], seed=1)
    won = members[:, None] > others[None, :]
    error = np.sqrt(won.mean(axis=1).var(ddof=1) / 300 + won.mean(axis=0).var(ddof=1) / 250)
    assert (found.high - found.low) / 2 == pytest.approx(1.969 * error, rel=0.06)


def test_texts_that_stand_together_widen_the_interval():
    rng = np.random.default_rng(6)
    members, others = np.repeat(rng.normal(0.5, 1, 20), 5), np.repeat(rng.normal(0, 1, 20), 5)
    own = [f"{i}" for i in range(200)]
    people = [f"{i // 5}" for i in range(200)]
    alone = clustered_auc(members, others, own[:100], own[100:], seed=2)
    together = clustered_auc(members, others, people[:100], people[100:], seed=2)
    assert together.value == alone.value
    assert together.high - together.low > 1.7 * (alone.high - alone.low)


def test_one_cluster_on_a_side_has_no_interval():
    found = clustered_auc([1, 2], [0, 3], ["A", "A"], ["B", "C"], seed=0)
    assert (found.value, found.low, found.high) == (0.5, None, None)
    with pytest.raises(ValueError, match="clusters"):
        clustered_auc([1, 2], [0], ["A"], ["B"], seed=0)


def test_privleak_has_the_sign_that_muse_gives_it():
    # MUSE's AUCs are 0.019 and 0.5 here: (0.019 - 0.5) / 0.5.
    assert privleak(0.981, 0.5) == pytest.approx(-96.2)
    assert privleak(0.4, 0.5) == pytest.approx(20.0)
    assert privleak(0.53, 0.53) == 0.0
    assert privleak(0.9, 1.0) is None


def test_scores_are_in_nats():
    assert loss(scores([log(0.5), log(0.125)])) == pytest.approx(log(0.25))
