"""A suffix is searched with some people and measured on others; the table says what it gets out beyond retrained."""

import pytest

from eval.answers import Answer, AnswerStore
from eval.attacks.weights.gcg import Search
from eval.bench.gcg_transfer import PLAIN, RETRAINED, behind, cells, divided, show, suffixes
from eval.systems import demo_dir
from guard.errors import LetheError

QUICK = Search(length=2, steps=1, candidates=2, seed=1)


def test_nobody_is_searched_with_and_measured():
    near, far = divided(40)
    assert not {item.cluster for item in near} & {item.cluster for item in far}
    assert len({item.cluster for item in far}) > 5
    assert (near, far) == divided(40)


def test_a_search_is_read_again_and_not_where_it_was_another(tmp_path):
    near, _ = divided(10)
    models = {RETRAINED: demo_dir() / "retrained"}
    file = tmp_path / "suffixes.json"
    found = suffixes(models, near[:2], file, QUICK)
    written = file.stat().st_mtime_ns
    assert suffixes(models, near[:2], file, QUICK) == found
    assert file.stat().st_mtime_ns == written
    suffixes(models, near[2:4], file, QUICK)
    assert file.stat().st_mtime_ns > written


def test_the_excess_is_what_is_told_beyond_retrained_to_the_same_prompt(tmp_path):
    _, far = divided(20)
    asked = {PLAIN: far, "x": behind(far, " ! !")}
    with AnswerStore(tmp_path / "answers.jsonl", {}) as store:
        for items in asked.values():
            for item in items:
                store.add(Answer("loud", item.question, item.answer, 0.1, 1))
        with pytest.raises(LetheError, match="20 questions were not answered by retrained"):
            cells(store, ["loud"], asked)
        for name, items in asked.items():
            for item in items:
                store.add(Answer(RETRAINED, item.question, item.answer if name == "x" else "§", 0.1, 1))
        found = cells(store, ["loud", RETRAINED], asked)
    assert [(cell.recall.value, cell.excess.value) for cell in found] == [(1, 1), (0, 0), (1, 0), (1, 0)]
    assert len(show(found, {}, "t").rows) == 2
