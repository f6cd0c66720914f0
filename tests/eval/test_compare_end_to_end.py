"""The quick comparison as a user runs it: three systems, six attacks, one page; then it goes on where it stopped."""

import os
import subprocess
import sys

import pytest

from eval.compare.results import read


def command(*given, state):
    line = [sys.executable, "-c", "from eval.cli import main; main()", *given]
    return subprocess.run(line, env=os.environ | {"LETHE_STATE": str(state)}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def compared(tmp_path_factory, state):
    out = tmp_path_factory.mktemp("compare") / "out"
    done = command("compare", "--out", str(out), state=state)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def value(results, system, split, metric, versus=""):
    figure = results.figure(system, split, metric, versus=versus)
    assert figure is not None
    assert figure.estimate is not None, figure.reason
    return figure.estimate.value


def test_the_guard_comes_near_retrained_and_the_bare_model_does_not(compared):
    results = read(compared[0] / "results.jsonl")
    assert value(results, "bare", "forget", "rouge_l_recall", "retrained") > 0.4
    assert abs(value(results, "guard", "forget", "rouge_l_recall", "retrained")) < 0.25
    assert value(results, "guard", "forget", "probability") < value(results, "bare", "forget", "probability") - 0.4
    assert 0 < value(results, "guard", "forget", "forget_quality_D", "retrained") < 1
    assert value(results, "bare", "forget", "mia_min_k") > value(results, "retrained", "forget", "mia_min_k") + 0.1
    assert value(results, "guard", "forget", "flagged") > 0.9
    for split in ("retain", "neighbour", "world"):
        assert abs(value(results, "guard", split, "rouge_l_recall", "bare")) < 0.1
    leaks = {(one.system, one.attack): one for one in results.leaks}
    assert leaks["bare", "variable-for-name"].leak.value > 0.3
    assert leaks["guard", "worst"].leak is not None


def test_the_page_and_the_evidence_stand_by_themselves(compared, state, tmp_path):
    out, printed = compared
    page = (out / "report.html").read_text()
    assert "retrained" in page
    assert "src=" not in page.replace('src="data:', "")
    assert "report.html" in printed
    filed = tmp_path / "evidence.html"
    given = ("--topic", "caspar-koracroft", "--results", str(out / "results.jsonl"), "--out", str(filed))
    done = command("evidence", *given, state=state)
    assert done.returncode == 0, done.stderr
    assert "caspar-koracroft" in filed.read_text()
    assert "Tulgan" not in filed.read_text()


def test_what_was_asked_is_not_asked_again(compared, state):
    out, _ = compared
    before = (out / "answers.jsonl").read_text()
    logs = {path: path.stat().st_mtime for path in (out / "logs").iterdir()}
    done = command("compare", "--out", str(out), state=state)
    assert done.returncode == 0, done.stderr
    assert (out / "answers.jsonl").read_text() == before
    assert {path: path.stat().st_mtime for path in (out / "logs").iterdir()} == logs, "no server was started"
