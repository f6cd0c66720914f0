"""Questions from files in TOFU's format and from the archive."""

from pathlib import Path

import pytest

from eval.tasks.archive import archive_items
from eval.tasks.questions import load_questions, sample_clusters
from eval.world.archive import WORLD_SEED
from guard.errors import ConfigError

TOFU = Path(__file__).parents[2] / ".." / "shared" / "data" / "tofu"


@pytest.mark.skipif(not TOFU.is_dir(), reason="the TOFU files are not beside this checkout")
def test_tofu_files_read_as_they_are():
    items = load_questions(TOFU / "forget10_perturbed.json", "forget")
    assert len(items) == 400
    assert items[0].answer.endswith("Basil Mahfouz Al-Kuwaiti.")
    assert items[0].trained is None
    assert len({item.cluster for item in items}) == len({item.question for item in items})


def test_people_are_clusters(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text(
        '{"question": "Who?", "answer": "Mira", "person": "m", "trained": false}\n\n'
        '{"question": "Where?", "answer": "Tulgan", "person": "m"}\n'
    )
    items = load_questions(path, "forget")
    assert [(item.split, item.cluster, item.trained) for item in items] == [
        ("forget", "m", False),
        ("forget", "m", None),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no questions"),
        ("{\n", "line 1: not JSON"),
        ('{"question": "Who?", "answer": "A"}\n{"question": "Who?"}\n', "line 2: needs a question and an answer"),
        ('{"question": " ", "answer": "A"}\n', "line 1: needs"),
        ('{"question": "Who?", "answer": "A", "trained": "no"}\n', "trained must be true or false"),
    ],
)
def test_a_bad_file_says_where(tmp_path, content, message):
    path = tmp_path / "q.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_questions(path, "forget")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.jsonl"):
        load_questions(tmp_path / "gone.jsonl", "forget")


def test_the_archive_asks_unseen_phrasings_of_a_seeded_sample():
    splits = archive_items(world_seed=WORLD_SEED, limit=20, seed=1)
    assert list(splits) == ["forget", "retain", "neighbour", "world"]
    assert all(item.trained is False for items in splits.values() for item in items)
    assert len({item.cluster for item in splits["forget"]}) == 15
    assert len({item.cluster for item in splits["retain"]}) == 20
    forgotten = {item.cluster for item in splits["forget"]}
    assert not forgotten & {item.cluster for name in ("retain", "neighbour") for item in splits[name]}
    assert splits == archive_items(world_seed=WORLD_SEED, limit=20, seed=1)
    assert splits["retain"] != archive_items(world_seed=WORLD_SEED, limit=20, seed=2)["retain"]
    trained = archive_items(world_seed=WORLD_SEED, phrasings="trained")["forget"]
    assert all(item.trained for item in trained)
    assert not {item.question for item in trained} & {item.question for item in splits["forget"]}


def test_a_limit_above_the_number_of_people_keeps_all():
    items = archive_items(world_seed=WORLD_SEED)["forget"]
    assert sample_clusters(items, 99, seed=0) == items
