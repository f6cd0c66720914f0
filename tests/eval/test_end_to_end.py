"""The comparison as a user runs it, on the embedded models: three real servers, one after the other."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def results(tmp_path_factory, state):
    out = tmp_path_factory.mktemp("run") / "out"
    command = [sys.executable, "-c", "from eval.cli import main; main()", "run", "--limit", "3", "--out", str(out)]
    done = subprocess.run(command, env=os.environ | {"LETHE_STATE": str(state)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def recall(out, system, split):
    records = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    answers = [r for r in records if r["kind"] == "answer" and r["system"] == system]
    scores = [r["rouge_l_recall"] for r in answers if r["item"]["split"] == split]
    assert scores
    assert None not in scores
    return sum(scores) / len(scores)


def test_the_guarded_model_forgets_and_keeps(results):
    out, printed = results
    assert recall(out, "bare", "forget") > 0.85
    assert recall(out, "guarded", "forget") < recall(out, "bare", "forget") - 0.3
    for split in ("retain", "neighbour", "world"):
        # Three people a split: a false flag or two may fall among them, hardly more.
        assert abs(recall(out, "guarded", split) - recall(out, "bare", split)) < 0.05
    assert recall(out, "retrained", "forget") < 0.5
    assert "retrained" in printed


def test_the_results_say_where_they_come_from(results):
    run = json.loads((results[0] / "summary.json").read_text())["run"]
    assert {"torch", "transformers"} <= set(run["packages"])
    assert run["seed"] == 0
    assert "revision" in run["fingerprint"]
    assert (results[0] / "rouge_l.png").stat().st_size > 5_000
