"""The advice picks what its rule says."""

from dataclasses import replace

import pytest
from compare_made import between, comparison, endpoint, likely, point, references, weighed

from eval.compare.advice import NONE, advice

ASKING, ATTACKS, LIKELIHOODS, WEIGHTS = range(4)


def replaced(results, system, metric, estimate):
    """The metric's figures of a system (not against bare) with another estimate."""
    for place, figure in enumerate(results.figures):
        if (figure.system, figure.metric) == (system, metric) and figure.versus != "bare":
            results.figures[place] = figure.__class__(**{**vars(figure), "estimate": estimate})


def guards(**settings):
    made = references()
    for name, setting in settings.items():
        made.subject(name, "guard")
        endpoint(made, name, **setting)
    return made


def test_the_smallest_gap_wins_and_its_far_end_is_told():
    made = guards(near={"gap": -0.02}, far={"gap": 0.2})
    found = advice(made.results)[ASKING]
    assert found.composition == "near"
    assert "may be up to 0.030 (limit 0.305" in found.why
    assert found.price == "0.050 s an answer (bare 0.031 s)"


def test_a_wide_interval_loses_to_a_narrow_one():
    made = guards(sure={"gap": 0.05}, unsure={"gap": 0.0})
    replaced(made.results, "unsure", "rouge_l_recall", between(0.0, 0.2))
    assert advice(made.results)[ASKING].composition == "sure"


def test_among_equals_the_cheaper_wins():
    made = guards(dear={"gap": 0.020, "latency": 0.5}, cheap={"gap": 0.025, "latency": 0.04})
    assert advice(made.results)[ASKING].composition == "cheap"
    made = guards(dear={"gap": 0.020, "latency": 0.5}, cheap={"gap": 0.035, "latency": 0.04})
    assert advice(made.results)[ASKING].composition == "dear"


def test_what_costs_too_much_elsewhere_is_not_taken():
    made = guards(lossy={"gap": 0.0, "loss": 0.045}, kept={"gap": 0.1, "loss": 0.039})
    found = advice(made.results)[ASKING]
    assert found.composition == "kept"
    assert "1 lose too much elsewhere" in found.why


def test_nobody_need_keep_more_than_the_gold_standard_does():
    made = guards(lossy={"gap": 0.0, "loss": 0.12}, kept={"gap": 0.1})
    assert advice(made.results)[ASKING].composition == "kept"
    for place, figure in enumerate(made.results.figures):
        if (figure.system, figure.versus) == ("retrained", "bare"):
            made.results.figures[place] = replace(figure, estimate=between(-0.12))
    assert advice(made.results)[ASKING].composition == "lossy"


def test_what_forgets_less_than_half_is_no_recommendation():
    made = guards(idle={"gap": 0.5, "worst": 0.7})
    found = advice(made.results)
    assert [one.composition for one in found] == [NONE] * 4
    assert "1 too far from retrained" in found[ASKING].why
    assert found[ASKING].price == ""


def test_an_attackers_worst_case_goes_by_the_upper_bound():
    made = guards(calm={"gap": 0.1, "worst": 0.10}, wild={"gap": 0.0, "worst": 0.3})
    assert [one.composition for one in advice(made.results)[:2]] == ["wild", "calm"]


@pytest.mark.parametrize("estimate", [None, point(0.0)])
def test_an_unscored_figure_or_one_without_an_interval_is_never_recommended(estimate):
    made = guards(known={"gap": 0.2}, unknown={"gap": 0.0})
    replaced(made.results, "unknown", "rouge_l_recall", estimate)
    found = advice(made.results)[ASKING]
    assert found.composition == "known"
    assert "1 lack a figure" in found.why


def test_likelihoods_are_judged_by_their_farthest_measure():
    made = guards(even={"gap": 0.0}, hidden={"gap": 0.0}, silent={"gap": 0.0})
    likely(made, "even", probability=0.15, distance=0.2, auc=0.6)
    likely(made, "hidden", probability=0.05, distance=0.12, auc=0.75)
    found = advice(made.results)[LIKELIHOODS]
    assert found.composition == "even"
    # 0.15 + 0.01 - 0.05; the AUC is 0.06 off at most, D 0.07 above the seeds.
    assert "may be up to 0.110" in found.why
    assert "1 lack a figure" in found.why


def test_against_whoever_holds_the_weights_no_guard_is_named():
    made = references()
    made.subject("guard", "guard")
    made.subject("npo", "weights", seconds=9.0)
    for name in ("guard", "npo"):
        endpoint(made, name, gap=0.0)
    weighed(made, "guard", 0.0)
    weighed(made, "npo", 0.2)
    found = advice(made.results)[WEIGHTS]
    assert found.composition == "npo"
    assert "may be up to 0.150 (limit 0.425" in found.why
    assert "of 1 qualify" in found.why


def test_one_layer_that_tells_disqualifies_a_method():
    made = references()
    made.subject("npo", "weights", seconds=9.0)
    endpoint(made, "npo", gap=0.0)
    weighed(made, "npo", 0.2, layers=(4.0, 0.1))
    found = advice(made.results)[WEIGHTS]
    assert found.composition == NONE
    assert found.why.endswith("Retrain without it.")


def test_without_measures_of_weights_nothing_is_said_of_them():
    made = guards(guard={"gap": 0.0})
    made.results.figures[:] = [figure for figure in made.results.figures if figure.claim == "system"]
    found = advice(made.results)[WEIGHTS]
    assert found.composition == NONE
    assert "relearn_forget was not measured" in found.why


def test_a_comparison_gets_one_recommendation_for_each_threat():
    assert [one.composition for one in advice(comparison())] == ["guard", "guard refuse", "guard", NONE]
