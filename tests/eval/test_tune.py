"""The search for a corruption: what it asks, how it looks, what it keeps, and a small one on the embedded model."""

import json
from dataclasses import replace
from math import log

import pytest
import yaml
from typer.testing import CliRunner

from eval.cli import app
from eval.tune import run as tuning
from eval.tune import search as searching
from eval.tune.asked import from_archive, from_file, strangers
from eval.tune.figures import Point, Target
from eval.tune.record import SEARCH, Record
from eval.tune.search import MOST, best, search
from eval.tune.show import picture, snippet
from eval.world import build
from guard.errors import ConfigError
from guard.policy import CorruptAction

TARGET = Target("a test", recall=0.3, probability=0.2, distinct=0.5, nats=4.0)


def point(action, distance, fluent=True):
    strength = action.strength if "strength" in action.model_fields_set else None
    return Point(action.function, strength, distance, [distance], 0.3, 0.2, 0.4, 0.2, 0.9, 3.0 if fluent else 9.0)


def landscape(action):
    """Least at strength 1.4, but for `add`, which comes nearer still and talks gibberish."""
    if action.function == "gaussian":
        return point(action, min(1.0, 0.05 + abs(log(action.strength / 1.4)) / 4))
    if action.function == "add":
        return point(action, 0.01, fluent=False)
    return point(action, 0.5)


def test_the_search_finds_the_strength_between_the_grids_and_no_gibberish():
    points = search(landscape, TARGET)
    chosen = best(points, TARGET)
    assert chosen.function == "gaussian"
    assert chosen.strength == pytest.approx(1.4, rel=0.15)
    assert chosen.strength not in searching.GRID
    assert min(points, key=lambda p: p.distance).function == "add"
    assert len(points) <= MOST


def test_without_a_fluent_point_nothing_is_chosen():
    points = search(lambda action: point(action, 0.1, fluent=False), TARGET)
    assert best(points, TARGET) is None


@pytest.mark.parametrize("changed", [{"distinct": 0.4}, {"nats": 4.1}, {"distinct": None}, {"nats": None}])
def test_fluency_is_a_condition_and_what_is_unscored_fails_it(changed):
    good = point(CorruptAction(kind="corrupt", function="zero"), 0.1)
    assert good.fluent(TARGET)
    assert not replace(good, **changed).fluent(TARGET)


def test_a_stopped_search_goes_on_and_another_is_refused(tmp_path):
    seen = []

    def evaluate(action):
        if len(seen) == 9:
            raise KeyboardInterrupt
        seen.append(action)
        return landscape(action)

    with pytest.raises(KeyboardInterrupt):
        search(Record(tmp_path, {"seed": 1}).remembering(evaluate), TARGET)
    whole = search(landscape, TARGET)
    again = []
    record = Record(tmp_path, {"seed": 1})
    assert search(record.remembering(lambda action: again.append(action) or landscape(action)), TARGET) == whole
    assert len(again) == len(whole) - 9
    assert not set(again) & set(seen)
    with pytest.raises(ConfigError, match=r"another search \(different: seed\)"):
        Record(tmp_path, {"seed": 2})
    (tmp_path / SEARCH).write_text('{"settings": {"seed": 1}}\n{"function": "zero"}\n')
    with pytest.raises(ConfigError, match="is no search's file"):
        Record(tmp_path, {"seed": 1})


def test_unknown_people_take_the_names_place_everywhere():
    asked = from_archive("b", 30, seed=1)
    others = strangers(asked, seed=1)
    known = {person.name.split()[-1] for person in build().people}
    for one, other in zip(asked, others, strict=True):
        assert one.names[0] in one.question
        assert one.names[0] not in other.question + other.answer
        assert other.names[0] in other.question
        assert other.names[0].split()[-1] not in known
        assert (one.names[0] in one.answer) == (other.names[0] in other.answer)
    assert strangers(asked, seed=1) == others


def test_files_need_names_to_corrupt(tmp_path):
    file = tmp_path / "topic.jsonl"
    rows = [
        {"question": "Who wrote The Glass Meridian?", "answer": "Ada Quill."},
        {"question": "Why?", "answer": "So."},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [one] = from_file(file, ["the glass meridian"], 10, seed=0)
    assert one.targets(CorruptAction(kind="corrupt"))[0][0].spans[0].start == len("Who wrote ")
    for aliases in (["Nobody"], []):
        with pytest.raises(ConfigError, match="--alias"):
            from_file(file, aliases, 10, seed=0)
    assert len(from_file(file, (), 10, seed=0, named=False)) == 2
    file.write_text('{"question": "Who?", "answer": "Ада"}\n')
    with pytest.raises(ConfigError, match="without Latin"):
        from_file(file, ["Who"], 10, seed=0)


def test_a_search_on_the_embedded_model_forgets_and_speaks(tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "GRID", (0.25, 4.0))
    monkeypatch.setattr(searching, "STEPS", 1)
    out = tmp_path / "out"
    command = ["tune", "--out", str(out), "--asked", "8", "--keys", "1"]
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (out / SEARCH).read_text().splitlines()]
    points = {(row["function"], row["strength"]): row for row in rows[1:]}
    weak, shuffled = points["gaussian", 0.25], points["shuffle", None]
    assert weak["recall"] > 0.7
    assert shuffled["recall"] < 0.6
    assert shuffled["distance"] < weak["distance"]
    assert "people who do not exist" in done.output
    assert (out / "search.png").stat().st_size > 5_000
    before = (out / SEARCH).read_bytes()
    monkeypatch.setattr(tuning, "_measured", None)
    assert CliRunner().invoke(app, command).exit_code == 0, "a finished search is shown again, not made again"
    assert (out / SEARCH).read_bytes() == before
    other = CliRunner().invoke(app, [*command[:-1], "2"])
    assert other.exit_code == 2
    assert "different: keys" in other.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--draw", "a"], "chooses nothing"),
        (["--target", "x", "--unknown", "y"], "two targets"),
        (["--model", "x"], "belong together"),
        (["--unknown", "gone.jsonl"], "cannot read gone.jsonl"),
        (["--target", "serve/demo/none"], "there is no folder serve/demo/none"),
        (["--model", "./gone", "--examples", "x"], "there is no folder ./gone"),
    ],
)
def test_options_that_cannot_be_used_say_why(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["tune", "--out", "out", *options], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert message in done.output


def test_the_snippet_is_a_policys_action_and_the_picture_is_drawn():
    points = search(landscape, TARGET)
    action = yaml.safe_load(snippet(best(points, TARGET)))["action"]
    assert CorruptAction(**action).function == "gaussian"
    assert yaml.safe_load(snippet(points[-1]))["action"] == {"kind": "corrupt", "function": points[-1].function}
    assert picture(points, TARGET).startswith(b"\x89PNG")
