"""What was answered stays, what failed is asked again, and runs are never mixed."""

import pytest

from eval.answers import Answer, AnswerStore
from guard.errors import ConfigError

GOOD = Answer("bare", "Who?", "Mira\u2028Tolvane\nof Tulgan", 0.5, 1, "stop")
BAD = Answer("bare", "When?", None, None, 3, reason="timeout", detail="no answer")


def test_answers_survive_and_failures_do_not(tmp_path):
    path = tmp_path / "partial.jsonl"
    with AnswerStore(path, {"seed": 1}) as store:
        store.add(GOOD)
        store.add(BAD)
        store.add_seconds("bare", 2.0)
        assert store.get("bare", "When?") == BAD
        assert not store.answered("bare", "When?")
    with AnswerStore(path, {"seed": 1}) as store:
        assert store.get("bare", "Who?") == GOOD
        assert not store.answered("guarded", "Who?")
        assert store.get("bare", "When?") is None
        store.add_seconds("bare", 1.5)
        assert store.asking_seconds == {"bare": 3.5}


def test_half_a_line_is_dropped_and_overwritten(tmp_path):
    path = tmp_path / "partial.jsonl"
    with AnswerStore(path, {}) as store:
        store.add(GOOD)
    path.write_bytes(path.read_bytes() + b'{"answer": {"syst')
    with AnswerStore(path, {}) as store:
        store.add(Answer("bare", "Where?", "There.", 0.1, 1))
    with AnswerStore(path, {}) as store:
        assert store.answered("bare", "Who?")
        assert store.answered("bare", "Where?")


def test_another_configuration_is_refused(tmp_path):
    with AnswerStore(tmp_path / "partial.jsonl", {"seed": 1, "tokens": 2}):
        pass
    with (
        pytest.raises(ConfigError, match="different: seed\\)"),
        AnswerStore(tmp_path / "partial.jsonl", {"seed": 2, "tokens": 2}),
    ):
        pass


def test_one_run_at_a_time(tmp_path):
    with (
        AnswerStore(tmp_path / "partial.jsonl", {}),
        pytest.raises(ConfigError, match="another run"),
        AnswerStore(tmp_path / "partial.jsonl", {}),
    ):
        pass
