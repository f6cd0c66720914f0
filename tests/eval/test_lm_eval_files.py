"""The task files for lm-evaluation-harness fit the files that `lethe-eval world` writes; the harness is not needed."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml
from datasets import Dataset

from eval.metrics.answered import answered
from eval.world import build, export

FOLDER = Path(__file__).parents[2] / "docs" / "lm-eval"
TASKS = sorted(path.name for path in FOLDER.glob("[!_]*.yaml"))


class Loader(yaml.SafeLoader):
    """Reads `!function module.name` as the function in the file beside the YAML, as the harness does."""


def function(loader, node):
    module, name = loader.construct_scalar(node).split(".")
    spec = importlib.util.spec_from_file_location(module, FOLDER / f"{module}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)


Loader.add_constructor("!function", function)


def read(name):
    found = yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader)
    return (read(found.pop("include")) if "include" in found else {}) | found


def file_of(task):
    return Path(task["dataset_kwargs"]["data_files"]["test"]).name


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files that the tasks name, of all that are written: the others take ten seconds more."""
    named = {file_of(read(name)) for name in TASKS}
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "SPLITS", [split for split in export.SPLITS if f"{split}.jsonl" in named])
        export.export_questions(build(), folder)
    return {
        file: [json.loads(line) for line in (folder / file).read_text(encoding="utf-8").splitlines()] for file in named
    }


def test_every_task_has_a_name_of_its_own_and_needs_no_log_probabilities():
    tasks = [read(name) for name in TASKS]
    assert sorted(task["task"] for task in tasks) == ["lethe_choices", "lethe_forget", "lethe_retain", "lethe_world"]
    assert {task["output_type"] for task in tasks} == {"generate_until"}
    assert {task["tag"] for task in tasks} == {"lethe_archive"}


@pytest.mark.parametrize("name", TASKS)
def test_the_fields_a_task_names_are_in_every_question_of_its_file(name, written):
    task = read(name)
    rows = written[file_of(task)]
    assert len(rows) > 100
    for field in (task["doc_to_text"], task["doc_to_target"]):
        assert all(isinstance(row[field], str) and row[field] for row in rows)


@pytest.mark.parametrize("name", TASKS)
def test_a_limit_takes_the_same_unseen_questions_of_many_people_every_time(name, written):
    task = read(name)
    fields = ("question", "answer", "person", "trained")
    rows = [{field: row[field] for field in fields if field in row} for row in written[file_of(task)]]
    asked, again = (list(task["process_docs"](Dataset.from_list(rows)).select(range(100))) for _ in range(2))
    assert asked == again
    assert not any(row.get("trained") for row in asked)
    assert len({row["person"] or row["answer"] for row in asked}) >= 15


def test_an_answer_holds_its_reference_whatever_the_case_and_the_full_stop():
    holds = read("world.yaml")["metric_list"][1]["metric"]
    assert holds(["Paris."], ["It is PARIS, of course."]) == 1
    assert holds(["Paris."], ["Lyon."]) == 0
    assert holds(["Paris.", "Rome."], ["Paris", "Milan"]) == 0.5


@pytest.mark.parametrize("answer", ["Tulgan (B).", "Not Arkhesh (A) but Tulgan (B)."])
def test_the_letter_taken_is_the_one_that_lethe_eval_scores(answer):
    pattern = read("choices.yaml")["filter_list"][0]["filter"][0]
    taken = re.findall(pattern["regex_pattern"], answer)[pattern["group_select"]]
    assert taken == "B"
    assert answered("letter", taken, answer) == 1
