"""The bench of decoding: halves, distances, what is asked, and TOFU's policy."""

from pathlib import Path

import pytest

from eval.bench.steered_choice import CHOOSE, REPORT, distances, halves, of_people, table
from eval.bench.steered_kept import mark, read, write
from eval.bench.steered_material import GIVEN, archive, tofu_policy
from eval.bench.steered_rows import Subject, measure
from eval.compare.results import BARE, Figure
from eval.metrics.estimate import Estimate
from eval.systems import demo_dir
from eval.world import build
from guard.errors import ConfigError
from guard.policy import load_policy

TOFU = Path(__file__).parents[3] / "shared" / "data" / "tofu"


def figure(system, metric, value):
    return Figure(system, "", "forget", metric, "system", Estimate(value, None, None, 1, 1))


def test_a_distance_is_the_share_of_the_way_from_retrained_to_bare():
    told = {
        "bare": {"rouge_l_recall": 1.0, "probability": 0.9, "leak@1": 0.2},
        "one": {"rouge_l_recall": 0.3, "probability": 0.1, "leak@1": 0.1},
        "two": {"rouge_l_recall": 0.4, "probability": 0.2, "leak@1": 0.3},
        "near": {"rouge_l_recall": 0.35, "probability": 0.2, "leak@1": 0.9},
        "under": {"rouge_l_recall": 0.0, "probability": 0.55, "leak@1": 0.0},
    }
    figures = [figure(system, metric, value) for system, own in told.items() for metric, value in own.items()]
    far = distances(figures, [BARE, "one", "two"], ["near", "under"])
    assert far["near"] == 0, "leak@1 does not set bare apart"
    assert far["under"] == pytest.approx((0.3 / 0.6 + 0.35 / 0.7) / 2)
    assert table("t", list(told), figures, far).row_count == len(told)


def test_the_bare_model_knows_and_each_half_is_scored_by_itself(tmp_path):
    material = archive(tmp_path, 8, ["shuffle"], 8, "a", tmp_path)
    assert set(material.given) == set(GIVEN)
    assert material.policies["shuffle"].is_file()
    parts = halves(material, 8)
    assert not parts[CHOOSE] & parts[REPORT]
    assert parts[CHOOSE] | parts[REPORT] == {item.cluster for item in material.splits["forget"]}
    rows, likely = measure(Subject(str(demo_dir() / "full"), None, 24), material, 8)
    for people in parts.values():
        own = {(f.split, f.metric): f.estimate.value for f in rows.of(people).figures(BARE, 8)}
        assert own["forget", "rouge_l_recall"] > 0.7
        assert own["forget", "leak@1"] <= own["forget", "leak@16"]
        assert own["retain", "rouge_l_recall"] > 0.7
        kept = of_people({BARE: likely}, people)[BARE]
        assert {one.cluster for one in kept if one.split == "forget"} == people
        assert {one.split for one in kept} == {"forget", "retain", "neighbour", "world", "holdout"}
    write(tmp_path / "bare", mark(8, 8, "x"), rows, likely)
    assert read(tmp_path / "bare", mark(8, 8, "x")) == (rows, likely), "a stopped run goes on with what was measured"
    assert read(tmp_path / "bare", mark(8, 8, "y")) is None
    assert read(tmp_path / "none", mark(8, 8, "x")) is None


def test_another_draw_needs_two_models_of_its_own(tmp_path):
    (tmp_path / "models/retrained-c-21").mkdir(parents=True)
    (tmp_path / "models/retrained-c-21/config.json").touch()
    with pytest.raises(ConfigError, match="lethe-eval train --draw c"):
        archive(tmp_path, 8, ["shuffle"], 8, "c", tmp_path / "models")
    (tmp_path / "models/retrained-c-22").mkdir()
    (tmp_path / "models/retrained-c-22/config.json").touch()
    material = archive(tmp_path, 8, ["shuffle"], 8, "c", tmp_path / "models")
    assert list(material.models) == [BARE, "retrained", "retrained-c-22"]
    gone = {person.name for person in build().forgotten(draw="c")}
    assert {item.cluster for item in material.splits["forget"]} <= gone


@pytest.mark.skipif(not TOFU.is_dir(), reason="TOFU's files are not here")
def test_tofus_authors_are_topics_by_name(tmp_path):
    policy = load_policy(tofu_policy(TOFU, tmp_path, 8))
    assert len(policy.topics) == 20
    assert policy.topics[0].aliases == ("Basil Mahfouz Al-Kuwaiti",)
