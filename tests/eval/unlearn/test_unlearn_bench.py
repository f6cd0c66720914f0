"""The sweep's table of settings and rows, what it chooses, and a lesioned model served for real."""

import json
import multiprocessing
import os
import time
from functools import partial

import pytest
import typer
from typer.testing import CliRunner

from eval.bench import unlearn_served, unlearn_sweep
from eval.bench.unlearn_data import write
from eval.bench.unlearn_make import measured
from eval.bench.unlearn_measure import Figures, measure, questions
from eval.bench.unlearn_rows import Row, Rows
from eval.bench.unlearn_settings import SETTINGS, Setting
from eval.bench.unlearn_sweep import chosen, ends
from eval.engines.local import LocalModel
from eval.side_by_side import Dead, side_by_side
from eval.systems import demo_dir
from eval.unlearn.methods import METHODS
from eval.unlearn.run import chosen as method_of
from eval.world import build
from guard.conversation import single
from guard.errors import ConfigError

NEVER, FULL = Figures(0.3, 0.1, 0.3, 0.3), Figures(0.9, 0.9, 0.9, 0.9)


def test_every_setting_is_one_that_its_method_takes_and_has_a_name_of_its_own():
    for setting in SETTINGS:
        made = method_of(setting.method, setting.given)
        assert made.name == setting.method
    names = [setting.name for setting in SETTINGS]
    assert len(set(names)) == len(names)
    assert {setting.method for setting in SETTINGS} == METHODS.keys() - {"retrain"}


def test_a_setting_is_named_by_what_differs_from_the_defaults():
    setting = Setting("npo", {"beta": 0.5}, {"learning_rate": 3e-4, "epochs": 3})
    assert setting.given == ("beta=0.5",)
    assert setting.name == "npo beta=0.5 learning_rate=0.0003 epochs=3"


def test_the_distance_is_0_for_exact_forgetting_and_counts_each_gap_once():
    assert Figures(0.3, 0.1, 0.9, 0.9).distance(NEVER, FULL) == 0
    assert Figures(0.3, 0.1, 0.95, 1.0).distance(NEVER, FULL) == 0
    assert Figures(0.1, 0.1, 0.9, 0.9).distance(NEVER, FULL) == pytest.approx(0.05), "too much is forgotten, too"
    assert Figures(0.3, 0.1, 0.5, 0.9).distance(NEVER, FULL) == pytest.approx(0.1)


def row(setting, figures, reason=None):
    return Row(setting.name, setting.method, figures, reason, None)


class TestChoice:
    npo = tuple(setting for setting in SETTINGS if setting.method == "npo")

    def rows(self, *more):
        both = (Row("full", "full", FULL, None, None), Row("never knew", "never knew", NEVER, None, None))
        return {own.name: own for own in (*both, *more)}

    def test_the_nearest_is_chosen_and_what_failed_is_not(self):
        far, near, failed = self.npo[:3]
        rows = self.rows(
            row(far, Figures(0.3, 0.1, 0.2, 0.2)), row(near, Figures(0.4, 0.1, 0.9, 0.9)), row(failed, None, "status 1")
        )
        assert chosen(rows) == {"npo": near}

    def test_without_the_ends_there_is_no_choice(self):
        with pytest.raises(ConfigError, match="has not measured"):
            ends({})


def test_rows_are_found_again_and_another_sweeps_are_refused(tmp_path):
    kept = Rows(tmp_path, {"asked": 3})
    kept.add(row(SETTINGS[0], FULL))
    kept.add(row(SETTINGS[1], None, "status 1: no"))
    assert Rows(tmp_path, {"asked": 3}).rows == kept.rows == Rows.read(tmp_path)
    with pytest.raises(ConfigError, match="another sweep"):
        Rows(tmp_path, {"asked": 4})
    with pytest.raises(ConfigError, match="no sweep's file"):
        Rows.read(tmp_path / "none")


def test_the_data_is_the_draws_and_anchors_name_nobody_of_the_world(tmp_path):
    data = write("b", tmp_path)
    named = json.loads(data.anchors.read_text())
    gone = {person.name for person in build().forgotten("10", "b")}
    assert named.keys() == gone
    assert not set(named.values()) & {person.name for person in (*build().people, *build().trunk)}
    assert len(list(data.forget.iterdir())) == 15
    kept = data.retain.read_text()
    assert not [name for name in gone if f"born {name}" in kept]


def test_the_embedded_models_measure_as_their_ends():
    splits = questions("a", 12)
    full, never, trunk = (measure(str(demo_dir() / name), splits) for name in ("full", "retrained", "trunk"))
    assert max(trunk.forget, trunk.retain, trunk.neighbour) < 0.6
    assert trunk.probability < 0.4
    assert min(full.forget, full.probability, full.retain, full.neighbour) > 0.8
    assert never.forget < 0.6
    assert never.probability < 0.4
    assert never.retain > 0.8
    assert full.distance(never, full) > 0.1 > never.distance(never, full)


def work(how):
    if how == "die":
        os._exit(9)
    if how == "raise":
        raise RuntimeError(how)
    return how, os.getpid()


def test_work_is_done_in_processes_of_its_own_and_one_that_dies_takes_no_other_with_it(capfd):
    works = {name: partial(work, name) for name in ("one", "die", "raise", "two")}
    found = dict(side_by_side(works, 2))
    assert found.keys() == works.keys()
    assert found["die"] == Dead("the process ended with status 9; a status of -9 may be want of memory")
    assert "status 1" in found["raise"].reason
    assert "RuntimeError: raise" in capfd.readouterr().err
    (one, first), (two, second) = found["one"], found["two"]
    assert (one, two) == ("one", "two")
    assert len({first, second, os.getpid()}) == 3


def test_whoever_stops_asking_stops_the_work(tmp_path):
    works = {"quick": partial(work, "one"), "slow": partial(time.sleep, 60)}
    started = time.monotonic()
    results = side_by_side(works, 2)
    assert next(results)[0] == "quick"
    results.close()
    assert time.monotonic() - started < 50
    assert not multiprocessing.active_children()


def command(module, *given):
    app = typer.Typer()
    app.command()(module.main)
    return CliRunner().invoke(app, list(map(str, given)))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two lesions, whose end that never knew is the embedded retrained model, on its own draw."""
    out = tmp_path_factory.mktemp("sweep")
    given = (
        "--never",
        demo_dir() / "retrained",
        "--draw",
        "a",
        "--methods",
        "lesion",
        "--asked",
        8,
        "--out",
        out,
        "--jobs",
        1,
    )
    done = command(unlearn_sweep, *given, "--limit", 1)
    assert done.exit_code == 0, done.output
    first = (out / "rows.jsonl").read_text()
    done = command(unlearn_sweep, *given, "--limit", 2)
    assert done.exit_code == 0, done.output
    return out, first, (out / "rows.jsonl").read_text()


def test_a_sweep_goes_on_from_its_rows(swept):
    out, first, second = swept
    assert second.startswith(first)
    rows = Rows.read(out)
    assert list(rows) == ["full", "never knew", "lesion share=0.02", "lesion share=0.05"]
    costs = [rows[name].cost for name in list(rows)[2:]]
    assert all(cost["peak_memory_bytes"] > 1e8 and cost["flops"] > 0 for cost in costs)
    assert not any(path.is_dir() for path in (out / "checkpoints").iterdir()), "checkpoints are not kept unasked"


def test_a_setting_that_fails_is_a_row_with_its_reason(tmp_path):
    data = write("a", tmp_path / "data")
    impossible = Setting("rmu", {"layer": 9}, {"epochs": 1})
    found = measured(impossible, str(demo_dir() / "full"), data, questions("a", 2), tmp_path, keep=False)
    assert found.figures is None
    assert "layers 0 to 5" in found.reason


@pytest.mark.skipif("LETHE_SLOW" not in os.environ, reason="starts three engines, for minutes; set LETHE_SLOW=1")
def test_served_models_answer_and_score_as_in_this_process(swept, tmp_path):
    given = ("--sweep", swept[0], "--asked", 8, "--out", tmp_path / "out")
    done = command(unlearn_served, *given)
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "out" / "unlearn.json").read_text())
    references = [f"retrained {number}" for number, _ in enumerate(sorted(demo_dir().glob("retrained*")), 1)]
    assert list(told["rows"]) == ["full", *references, "lesion, 100% of the forget set"]
    splits = questions("a", 8)
    for name, model in (
        ("full", demo_dir() / "full"),
        ("lesion, 100% of the forget set", tmp_path / "out" / "checkpoints" / "lesion-1"),
    ):
        local = LocalModel(str(model))
        prompts = [local.prompt(single(item.question)) for item in splits["forget"]]
        expected = local.nats(prompts, [item.answer for item in splits["forget"]])
        nats = json.loads((tmp_path / "out" / "nats" / f"{name}.json").read_text())
        # The engine calculates in bfloat16.
        assert nats == pytest.approx(expected, abs=0.3, rel=0.2)
    cells = {(cell["name"], cell["split"]): cell["estimate"]["value"] for cell in told["cells"]}
    assert cells["full", "forget"] > 0.8 > cells["retrained 1", "forget"]
    assert cells["full", "probability"] > 0.7 > cells["retrained 1", "probability"]
    assert (tmp_path / "out" / "unlearn.png").stat().st_size > 5_000
    again = command(unlearn_served, *given)
    assert again.exit_code == 0, again.output
    assert json.loads((tmp_path / "out" / "unlearn.json").read_text())["cells"] == told["cells"]
