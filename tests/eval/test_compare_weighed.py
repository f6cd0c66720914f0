"""What is found in a checkpoint's weights: every figure of the page, on embedded models, with a short relearning."""

import pytest

from eval.compare import weighed
from eval.compare.weighed import Material, weigh
from eval.systems import demo_dir
from eval.tasks.archive import archive_items
from eval.world.archive import WORLD_SEED


@pytest.fixture(scope="module")
def material():
    splits = archive_items(world_seed=WORLD_SEED)
    people = sorted({item.cluster for item in splits["retain"]})[:30]
    known = [item for item in splits["retain"] if item.cluster in people]
    gone = splits["forget"][::4]
    return Material(gone[::2], known[:40], splits["world"][:40], known, gone)


def by_place(figures):
    return {(f.split, f.metric): f.estimate.value for f in figures}


def test_the_full_model_shows_in_every_figure_what_retrained_does_not(material, monkeypatch):
    monkeypatch.setattr(weighed, "STEPS", 4)
    full, never = (by_place(weigh(name, str(demo_dir() / name), material, 0)) for name in ("full", "retrained"))
    assert full.keys() == never.keys()
    places = {metric for _, metric in full}
    relearned = {f"relearn_{what}" for what in ("forget", "retain", "world")}
    assert places == {"unlearned", "lens", "quantised_8", "quantised_4", "probe", *relearned}
    for metric in ("unlearned", "quantised_8", "quantised_4", *sorted(relearned)):
        assert full["forget", metric] > never["forget", metric] + 0.4
    # The last layer of the lens is what the model itself says.
    assert full["layer 6", "lens"] == pytest.approx(full["forget", "unlearned"])
    assert full["layer 6", "probe"] > never["layer 6", "probe"]


def test_a_probe_without_anything_to_learn_is_unscored(material, monkeypatch):
    monkeypatch.setattr(weighed, "STEPS", 4)
    bare = Material(material.forget, material.retain, material.world, material.known[:3], material.gone)
    [probe] = [f for f in weigh("full", str(demo_dir() / "full"), bare, 0) if f.metric == "probe"]
    assert probe.estimate is None
    assert "nothing to learn" in probe.reason
