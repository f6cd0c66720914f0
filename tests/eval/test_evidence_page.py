"""The page to file: what it says is so, and what it must not tell is not in it."""

import json
import os
import re

import pytest
from compare_made import comparison
from test_compare_page import Reading
from typer import Typer
from typer.testing import CliRunner

from classifiers.data import fingerprint
from eval.compare.evidence import evidence
from eval.compare.evidence_cli import evidence as command
from eval.systems import demo_dir
from guard.errors import ArtifactError, ConfigError

POLICY = demo_dir() / "policy.yaml"
TOPIC = "thea-jorby"
EXAMPLES = demo_dir() / "topics" / f"{TOPIC}.jsonl"


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path / "state"))


def measured(policy=POLICY):
    results = comparison()
    results.header["fingerprint"] = {
        "subjects": {"bare": ["0" * 16, None], "guard": ["0" * 16, fingerprint(policy).hex()[:16]]},
        "revision": {"commit": "abc123", "dirty": True, "changes": "d1ff"},
    }
    return results


def test_it_says_what_was_forgotten_by_which_policy_and_with_what_result():
    words = Reading(evidence(TOPIC, POLICY, measured())).words
    count = len(EXAMPLES.read_text().splitlines())
    assert f"Examples {count} " in words
    assert fingerprint(EXAMPLES).hex() in words
    assert fingerprint(POLICY).hex() in words
    assert "corrupt shuffle" in words
    assert "0.329 [0.319, 0.339]" in words
    assert "0.312 [0.302, 0.322]" in words
    assert "beyond retrained +0.123 [+0.073, +0.173] paraphrase" in words
    assert "97.5% [96.5%, 98.5%]" in words
    assert f"Model {'0' * 16}, revision abc123, with changes (d1ff)." in words
    assert "begun 2026-02-03T04:05:06+00:00" in words
    assert "The weights are unchanged" in words


def test_it_says_that_the_figures_are_of_all_topics_together():
    assert (
        "The figures are of all 15 topics of the policy together" in Reading(evidence(TOPIC, POLICY, measured())).words
    )


def test_it_says_how_many_questions_were_about_the_topic_and_is_not_written_where_none_was():
    results = measured()
    assert "about this topic is not recorded" in Reading(evidence(TOPIC, POLICY, results)).words
    results.header["asked_about"] = {"Caspar Koracroft": 2, "Thea Jorby": 5}
    words = Reading(evidence("caspar-koracroft", POLICY, results)).words
    assert "2 of the 7 questions on what was to be forgotten were about this topic" in words
    with pytest.raises(ConfigError, match="asked nothing about 'ilse-pelenbrook'"):
        evidence("ilse-pelenbrook", POLICY, results)


def test_no_example_no_fact_and_no_answer_is_in_it():
    html = evidence(TOPIC, POLICY, measured())
    for line in EXAMPLES.read_text().splitlines():
        row = json.loads(line)
        assert row["question"] not in html
        assert row["answer"] not in html
    assert "Thea Jorby" not in html
    assert "Tulgan" not in html


def test_it_loads_nothing():
    read = Reading(evidence(TOPIC, POLICY, measured()))
    assert read.loads == []
    assert "script" not in read.tags


def test_dates_are_the_files_own_and_said_to_be_so(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 1\ntopics:\n- name: <b>she</b>\n  aliases: [Secret Name]\n"
        "  action: {kind: prefix, text: Never tell of Tulgan.}\n  output: {on_hit: cut, protect: [Tulgan]}\n"
    )
    os.utime(policy, (1_700_000_000, 1_700_000_000))
    html = evidence("<b>she</b>", policy, measured(policy))
    words = Reading(html).words
    assert "Policy's file last changed 2023-11-14 22:13 UTC" in words
    assert "dates of modification" in words
    assert "none was found here for this policy" in words
    assert "recognised by its names" in words
    assert "<b>she" not in html
    assert not re.search("Secret Name|Tulgan", html)


def test_an_unscored_figure_is_a_dash_with_its_reason():
    results = measured()
    kept = [figure for figure in results.figures if figure.metric not in ("flagged", "probability")]
    results.figures[:] = kept
    words = Reading(evidence(TOPIC, POLICY, results)).words
    assert "Requests about it that are flagged (catch) — (not measured in this run)" in words


def test_a_policy_that_was_not_measured_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="measured no guard with the policy"):
        evidence(TOPIC, POLICY, comparison())


def test_an_unknown_topic_and_a_missing_artifact_are_told(tmp_path):
    with pytest.raises(ConfigError, match="no topic 'nobody'"):
        evidence("nobody", POLICY, measured())
    with pytest.raises(ArtifactError, match="no artifact folder"):
        evidence(TOPIC, POLICY, measured(), artifact=tmp_path / "none")


def test_the_command_writes_the_page_and_tells_errors(tmp_path):
    app = Typer()
    app.command()(command)
    file, out = tmp_path / "results.jsonl", tmp_path / "page.html"
    measured().write(file)
    done = CliRunner().invoke(app, ["--topic", TOPIC, "--results", str(file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "Record of forgetting" in out.read_text()
    for wrong in (
        ["--topic", "nobody", "--results", str(file)],
        ["--topic", TOPIC, "--results", str(tmp_path / "absent")],
        ["--topic", TOPIC, "--results", str(file), "--out", str(tmp_path / "no" / "page.html")],
    ):
        done = CliRunner().invoke(app, wrong)
        assert done.exit_code == 2
        assert "lethe-eval: " in done.output
