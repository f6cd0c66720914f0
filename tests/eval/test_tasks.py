"""Tasks: what each reads, from which files, under which roles."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app
from eval.metrics.answered import answered
from eval.tasks.questions import load_questions
from eval.tasks.registry import TASKS
from eval.tasks.tofu import tofu
from eval.world.questions import chosen
from guard.errors import ConfigError

TOFU = Path(__file__).parents[2].parent / "shared" / "data" / "tofu"
needs_tofu = pytest.mark.skipif(not TOFU.is_dir(), reason="the TOFU files are not beside this checkout")
EMBEDDED = [task for task in TASKS.values() if not task.hub]
MCQ = {"question": "Which is even?", "choices": ["1", "2", "3", "5"], "answer": 1}


def load(name, folder=None, limit=None, seed=0):
    return TASKS[name].load(folder, limit=limit, seed=seed)


def write(folder, **files):
    """Files of rows: JSON lines where the name ends so, else one indented array, as RWKU's are."""
    for name, rows in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(rows, indent=1))
    return folder


def write_tofu(folder, size="10", authors=3):
    """As many authors to forget as to retain, and one question about an author and the world."""
    asked = [{"question": f"Q{n}?", "answer": f"A{n}."} for n in range(20 * authors)]
    for row in asked:
        row |= {"paraphrased_answer": "P.", "perturbed_answer": ["W.", "V."]}
    files = {
        f"forget{size}_perturbed": asked,
        f"retain{100 - int(size)}": [{"question": row["question"], "answer": row["answer"]} for row in asked],
        "retain_perturbed": asked[:20],
        "real_authors_perturbed": [{"question": "Who?", "answer": "Homer", "perturbed_answer": ["Ovid"]}],
        "world_facts_perturbed": [{"question": "Where?", "answer": "Rome", "perturbed_answer": ["Oslo"]}],
    }
    for name, rows in files.items():
        (folder / f"{name}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_rwku(folder):
    probe = {"query": "Ada was born in ___.", "answer": "London", "subject": "Ada", "level": "1", "type": "synonym"}
    truth = {"mc1_targets": {"choices": ["No", "Yes", "Maybe"], "labels": [0, 1, 0]}, "question": "Is it?"}
    passage = {"text": "Ada was a mathematician.", "subject": "Ada"}
    probed = ("forget_level1", "forget_level2", "forget_level3", "neighbor_level1", "neighbor_level2")
    return write(
        folder,
        **{name: [probe] for name in probed},
        forget_mia=[passage],
        retain_mia=[{"text": "Rain fell."}, {"text": "Snow fell."}],
        retain_mmlu=[{**MCQ, "task": "arithmetic"}],
        truthful=[truth],
        triviaqa=[{"question": "Capital of France?", "answers": ["Paris", "City of Paris"]}],
    )


def write_muse(folder):
    pair, text = [{"question": "Who?", "answer": "Bo"}], [{"text": "News."}]
    return write(
        folder,
        knowmem__forget_qa=pair,
        knowmem__retain_qa=pair,
        verbmem__forget=[{"prompt": "It was", "gt": "a dark night."}],
        privleak__forget=text,
        privleak__retain=text,
        privleak__holdout=text,
    )


WRITERS = {
    "tofu01": lambda folder: write_tofu(folder, "01"),
    "tofu05": lambda folder: write_tofu(folder, "05"),
    "tofu10": write_tofu,
    "rwku": write_rwku,
    "muse-news": write_muse,
    "muse-books": write_muse,
    "wmdp": lambda folder: write(folder, **{f"wmdp-{kind}__test": [MCQ] for kind in ("bio", "cyber", "chem")}),
    "mmlu": lambda folder: write(folder, all__test=[{**MCQ, "subject": "arithmetic"}]),
}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_loads_every_split_under_its_role(name, tmp_path):
    splits = load(name, WRITERS[name](tmp_path) if TASKS[name].hub else None)
    assert {split.name: split.role for split in splits.values()} == dict(TASKS[name].roles)
    for split in splits.values():
        assert split.items
        assert {item.split for item in split.items} == {split.name}


@pytest.mark.parametrize("name", TASKS)
def test_a_letter_is_among_the_options_that_its_prompt_lists(name, tmp_path):
    splits = load(name, WRITERS[name](tmp_path) if TASKS[name].hub else None)
    asked = [item for split in splits.values() for item in split.items if item.form == "letter"]
    assert bool(asked) == (name in {"archive-choice", "biology", "rwku", "wmdp", "mmlu"})
    for item in asked:
        options = [line for line in item.question.split("\n") if chosen(line)]
        assert [chosen(line) for line in options] == list("ABCD")
        assert [answered("letter", item.answer, line) for line in options].count(1.0) == 1


@pytest.mark.parametrize("task", EMBEDDED, ids=lambda task: task.name)
def test_a_limit_keeps_whole_clusters_and_is_drawn_by_seed(task):
    full, some = task.load(None, limit=None, seed=3), task.load(None, limit=4, seed=3)
    for name, split in some.items():
        kept = {item.cluster for item in split.items}
        assert len(kept) == 4
        assert split.items == tuple(item for item in full[name].items if item.cluster in kept)
    assert task.load(None, limit=4, seed=3) == some
    assert task.load(None, limit=4, seed=4) != some


@pytest.mark.parametrize("task", EMBEDDED, ids=lambda task: task.name)
def test_what_comes_with_lethe_reads_no_folder(task, tmp_path):
    with pytest.raises(ConfigError, match=r"leave .* out"):
        task.load(tmp_path, limit=None, seed=0)


@needs_tofu
def test_tofus_real_files_give_its_counts_and_authors():
    splits = load("tofu10", TOFU)
    counts = {name: len(split.items) for name, split in splits.items()}
    assert counts == {
        "forget10": 400,
        "retain90": 3600,
        "retain_perturbed": 400,
        "real_authors_perturbed": 100,
        "world_facts_perturbed": 117,
    }
    forget, retain = splits["forget10"].items, splits["retain90"].items
    assert set(Counter(item.cluster for item in (*forget, *retain)).values()) == {20}
    assert [item.cluster for item in forget][::20] == [f"author {n}" for n in range(180, 200)]
    assert [item.cluster for item in retain][::20] == [f"author {n}" for n in range(180)]
    assert all(item.paraphrased and len(item.perturbed) == 5 for item in forget)
    assert {len(item.perturbed) for item in splits["world_facts_perturbed"].items} == {3}


@needs_tofu
def test_tofus_real_files_stand_in_the_order_that_clusters_count_on():
    splits = load("tofu10", TOFU)
    forget, retain = splits["forget10"].items, splits["retain90"].items
    given = load_questions(TOFU / "forget10.json", "forget10")
    assert [(item.question, item.answer) for item in forget] == [(item.question, item.answer) for item in given]
    both = zip(splits["retain_perturbed"].items, retain[:400], strict=True)
    assert all((one.question, one.cluster) == (two.question, two.cluster) for one, two in both)
    # The name of a cluster's author stands in most of its questions and answers, and in none of the next one's.
    for number, name in ((180, "Al-Kuwaiti"), (181, "Abilov"), (183, "Xin Lee Williams"), (184, "Ben-David")):
        naming = Counter(item.cluster for item in forget if name in item.question + item.answer)
        assert set(naming) == {f"author {number}"}
        assert naming[f"author {number}"] > 10


def test_tofus_forgotten_authors_are_numbered_behind_the_retained(tmp_path):
    for size, first in (("01", 198), ("05", 190), ("10", 180)):
        folder = tmp_path / size
        folder.mkdir()
        splits = tofu(size).load(write_tofu(folder, size, authors=2), limit=None, seed=0)
        forget = [item.cluster for item in splits[f"forget{size}"].items]
        assert forget == [f"author {first}"] * 20 + [f"author {first + 1}"] * 20
        assert {item.cluster for item in splits[f"retain{100 - int(size)}"].items} == {"author 0", "author 1"}


def test_rwkus_probes_keep_their_kind_and_subject(tmp_path):
    splits = load("rwku", write_rwku(tmp_path))
    blank, attack = splits["forget_level1"].items[0], splits["forget_level3"].items[0]
    assert (blank.question, blank.answer) == ("Fill in the blank.\nAda was born in ___.", "London")
    assert (blank.cluster, blank.relation) == ("Ada", "")
    assert (attack.question, attack.relation) == ("Ada was born in ___.", "synonym")
    truth, trivia = splits["utility_truthfulness"].items[0], splits["utility_factuality"].items[0]
    assert (truth.form, truth.answer, truth.perturbed) == ("text", "Yes", ("No", "Maybe"))
    assert (trivia.form, trivia.answer) == ("holds", "Paris")


@pytest.mark.parametrize(("name", "split"), [("rwku", "mia_retain"), ("muse-news", "privleak/holdout")])
def test_passages_are_scored_as_texts_and_never_asked(name, split, tmp_path):
    for item in load(name, WRITERS[name](tmp_path))[split].items:
        assert (item.form, item.question) == ("text", "")
        assert item.answer.endswith(".")


def test_muses_verbatim_split_goes_on_from_its_prompt(tmp_path):
    item = load("muse-books", write_muse(tmp_path))["verbmem/forget"].items[0]
    assert (item.form, item.question, item.answer) == ("text", "It was", "a dark night.")


def test_parquet_of_the_hubs_layout_reads_like_json(tmp_path):
    from pyarrow import Table, parquet

    (tmp_path / "rows" / "all").mkdir(parents=True)
    rows = [{**MCQ, "subject": "arithmetic"}, {**MCQ, "answer": 3, "subject": "arithmetic"}]
    parquet.write_table(Table.from_pylist(rows), tmp_path / "rows" / "all" / "test-00000-of-00001.parquet")
    as_json = write(tmp_path / "json", all__test=rows)
    assert load("mmlu", tmp_path / "rows") == load("mmlu", as_json)
    assert [item.answer for item in load("mmlu", as_json)["mmlu"].items] == ["B", "D"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no rows"),
        ('{"question": "Q", "answer": "A"', "test.json, line 1: not JSON"),
        ('[\n{"question": 1},\nnonsense]', "test.json, line 3: not JSON"),
        ("[1]", "test.json, record 1: not an object"),
        (
            json.dumps(MCQ | {"subject": "s"}) + '\n{"question": "Q?"}\n',
            "test.json, line 2: there is no column 'subject'",
        ),
        (json.dumps(MCQ), "test.json, line 1: there is no column 'subject'"),
        (json.dumps(MCQ | {"subject": "s", "choices": ["1", "2", "3"]}), "line 1: choices must hold 4 options"),
        (json.dumps(MCQ | {"subject": "s", "choices": "1234"}), "line 1: choices must hold a list of texts"),
        (json.dumps(MCQ | {"subject": "s", "answer": 4}), "line 1: answer must be a place from 0 to 3"),
        (json.dumps(MCQ | {"subject": "s", "answer": "B"}), "line 1: answer must hold a whole number"),
        (json.dumps(MCQ | {"subject": "s", "question": " "}), "line 1: question must hold text"),
    ],
)
def test_malformed_rows_name_their_file_and_line(content, words, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "test.json").write_text(content)
    with pytest.raises(ConfigError, match=re.escape(words)):
        load("mmlu", tmp_path)


@pytest.mark.parametrize("labels", [None, [0, 0, 0], [1, 1, 0], [1, 0]])
def test_truthfulness_needs_exactly_one_true_choice(labels, tmp_path):
    row = {"question": "Is it?", "mc1_targets": {"choices": ["No", "Yes", "Maybe"], "labels": labels}}
    folder = write(write_rwku(tmp_path), truthful=[row])
    with pytest.raises(ConfigError, match="record 1, mc1_targets: labels must mark one"):
        load("rwku", folder)


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "test-00000-of-00001.parquet").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"cannot read .*test-00000-of-00001\.parquet"):
        load("mmlu", tmp_path)


def test_a_missing_folder_or_file_says_where_to_get_it(tmp_path):
    with pytest.raises(ConfigError, match=r"no folder .*gone; download cais/mmlu"):
        load("mmlu", tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"holds no forget10_perturbed\.json.*download it from locuslab/TOFU"):
        load("tofu10", tmp_path)


def test_a_hub_out_of_reach_offers_a_local_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"cannot load .*or name a local folder that holds the files of cais/wmdp"):
        load("wmdp")


def test_the_command_lists_every_task_and_whether_its_data_was_read(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(app, ["tasks"])
    assert result.exit_code == 0
    rows = {
        row[0]: row for line in result.output.split("\n") if (row := [cell.strip() for cell in line.split("│")][1:-1])
    }
    for task in TASKS.values():
        assert rows[task.name][-1] == ("yes" if task.met else "no")
        assert all(name in result.output for name in task.roles)
