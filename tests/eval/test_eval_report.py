"""What the report says: figures, what is missing from them, and who lost."""

import io
import json

import pytest
from rich.console import Console

from eval import report
from eval.answers import Answer
from eval.detection import Flag
from eval.summary import Scored, summarise
from eval.tasks.questions import Item
from eval.verdict import verdict

PEOPLE = 15


def items(split):
    return [
        Item(split, f"{split} {person}/{fact}?", "Tulgan", f"{split}-{person}")
        for person in range(PEOPLE)
        for fact in range(4)
    ]


SPLITS = {"forget": items("forget"), "retain": items("retain")}


def rows(system, **right):
    """Score 1 for the share of each split named in `right`, spread over people; 0 for the rest."""
    found = []
    for split, every in SPLITS.items():
        for number, item in enumerate(every):
            score = float((number * 7) % len(every) < right[split] * len(every))
            found.append(Scored(item, Answer(system, item.question, "Tulgan", 0.1, 1, "stop"), score, None))
    return found


def summary_of(flags="it was left out", **systems):
    scored = {name: rows(name, **right) for name, right in systems.items()}
    return scored, summarise(scored, SPLITS, flags, dict.fromkeys(systems, 12.5), seed=0)


def shown(summary):
    console = Console(file=io.StringIO(), width=80)
    report.show(summary, console)
    return console.file.getvalue()


BARE = {"forget": 0.95, "retain": 0.95}
RETRAINED = {"forget": 0.1, "retain": 0.95}


def test_the_table_shows_means_intervals_and_gaps():
    _, summary = summary_of(guarded={"forget": 0.1, "retain": 0.95}, bare=BARE, retrained=RETRAINED)
    text = shown(summary)
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    scores, gaps = [number for number, cells in enumerate(lines) if cells and cells[0] == "forget"]
    estimate = summary.find("scores", "forget", "guarded").estimate
    assert lines[scores][:3] == ["forget", "60", "0.100"]
    assert lines[scores + 1][1] == "15"
    assert lines[scores + 1][2] == f"[{estimate.low:.3f}, {estimate.high:.3f}]"
    assert lines[gaps] == ["forget", "+0.000", "-0.850"]
    assert lines[gaps + 1][1] == "[+0.000, +0.000]"
    assert "12.5" in text
    assert "Detection was not measured: it was left out." in text


@pytest.mark.parametrize(
    ("guarded", "expected"),
    [
        ({"forget": 0.5, "retain": 0.95}, "The guard loses on forget: guarded recalls 0.400 more than the retrained"),
        ({"forget": 0.0, "retain": 0.95}, "On forget guarded recalls 0.100 less than the retrained model"),
        ({"forget": 0.1, "retain": 0.95}, "On forget the guarded model cannot be told from one that never learned"),
        ({"forget": 0.1, "retain": 0.95}, "On retain the guard changed no score."),
        ({"forget": 0.1, "retain": 0.5}, "The guard loses on retain: it costs 0.450 of recall against the bare model"),
        ({"forget": 0.1, "retain": 0.93}, "On retain no loss against the bare model can be told from zero"),
    ],
)
def test_the_verdict_says_who_lost(guarded, expected):
    _, summary = summary_of(guarded=guarded, bare=BARE, retrained=RETRAINED)
    assert any(sentence.startswith(expected) for sentence in verdict(summary)), verdict(summary)


def test_unscored_is_missing_and_counted_not_zero():
    scored = {"guarded": rows("guarded", **BARE), "bare": rows("bare", **BARE)}
    for number in range(60):
        item = scored["guarded"][number].item
        gone = Answer("guarded", item.question, None, None, 3, reason="http 503")
        scored["guarded"][number] = Scored(item, gone, None, "http 503")
    one = scored["guarded"][60]
    gone = Answer("guarded", one.item.question, None, None, 1, reason="timeout")
    scored["guarded"][60] = Scored(one.item, gone, None, "timeout")
    summary = summarise(scored, SPLITS, "no policy", {}, seed=0)
    assert summary.find("scores", "forget", "guarded").estimate is None
    retain = summary.find("scores", "retain", "guarded")
    assert (retain.estimate.questions, retain.unscored) == (59, {"timeout": 1})
    text = shown(summary)
    assert "unscored" in text
    assert "(1 unscored)" in text
    assert "Unscored on forget, guarded: 60 x http 503; they count neither as 0 nor as right." in text
    assert summary.traffic[0].requests == 60 * 3 + 60
    assert summary.traffic[0].unanswered == 61


def test_detection_rates_stand_apart_and_errors_are_not_clean():
    flags = {item.question: Flag(item.question, True, 0.01) for item in SPLITS["forget"]}
    flags |= {item.question: Flag(item.question, False, 0.01) for item in SPLITS["retain"]}
    broken = SPLITS["retain"][0].question
    flags[broken] = Flag(broken, None, 0.01, "detector failed")
    _, summary = summary_of(flags, bare=BARE)
    catch, false = summary.rates
    assert (catch.estimate.value, false.estimate.value) == (1.0, 0.0)
    assert (false.estimate.questions, false.unscored) == (59, {"detector failed": 1})
    assert "[78.20%, 100.00%]" in shown(summary)


def test_files_are_whole_and_carry_their_origin(tmp_path):
    scored, summary = summary_of(guarded=BARE, bare=BARE, retrained=RETRAINED)
    report.write(tmp_path, summary, scored, "none", {"command": ["lethe-eval"], "seed": 0})
    lines = [json.loads(line) for line in (tmp_path / report.RESULTS).read_text().splitlines()]
    assert lines[0] == {"kind": "run", "command": ["lethe-eval"], "seed": 0}
    assert len(lines) == 1 + 3 * 120
    assert lines[1]["item"]["cluster"] == "forget-0"
    assert lines[1]["rouge_l_recall"] in (0.0, 1.0)
    final = json.loads((tmp_path / report.SUMMARY).read_text())
    assert final["run"]["seed"] == 0
    assert final["verdict"] == verdict(summary)
    assert (tmp_path / report.PICTURE).read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".*"))
