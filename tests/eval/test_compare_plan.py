"""Who is compared on what, and what the guard would send to a model in this process."""

import json

import pytest
import torch
import yaml

from eval.compare.own import Own, own_plan
from eval.compare.plan import SUITES, make_plan
from eval.engines.guarded import REFUSED, PromptGuard
from eval.engines.local import LocalModel
from eval.systems import demo_dir
from eval.world import build
from guard.conversation import single
from guard.errors import ConfigError


def test_the_quick_suite_asks_three_systems_the_same_every_time(tmp_path):
    one, two = (make_plan(SUITES["quick"], None, tmp_path, seed=3) for _ in range(2))
    assert [c.subject.name for c in one.contestants] == ["bare", "retrained", "guard"]
    assert one.splits == two.splits
    assert one.probes == two.probes
    assert {split: len(items) for split, items in one.splits.items()} == dict.fromkeys(one.splits, 40)
    known = {person.name for person in build().people}
    assert not known & {item.cluster for item in one.holdout}
    assert {item.cluster for item in one.attacked} <= set(one.knowledge.siblings)
    other = make_plan(SUITES["quick"], None, tmp_path, seed=4)
    assert other.splits["forget"] != one.splits["forget"]


def test_the_full_suite_has_every_seed_action_and_checkpoint(tmp_path):
    made = tmp_path / "checkpoints" / "npo-1"
    made.mkdir(parents=True)
    settings = {"method": "npo", "hyperparameters": {"beta": 0.5}, "recipe": {"learning_rate": 4e-4}}
    cost = {"seconds": 60.0, "flops": 1e12, "peak_memory_bytes": 1e9}
    (made / "unlearn.json").write_text(json.dumps({"settings": settings, "cost": cost}))
    plan = make_plan(SUITES["full"], tmp_path / "checkpoints", tmp_path / "out", seed=0)
    kinds = [c.subject.kind for c in plan.contestants]
    assert [kinds.count(kind) for kind in ("bare", "retrained", "guard", "weights")] == [1, 3, 6, 1]
    npo = plan.of("npo-1").subject
    assert (npo.what, npo.cost["seconds"]) == ("npo: beta 0.5, rate 0.0004", 60.0)
    assert {policy for c in plan.contestants if (policy := c.policy)} >= {demo_dir() / "policy.yaml"}
    assert plan.further.keys() == {"archive-hops", "archive-mixed", "archive-books", "archive-choice"}


def test_a_folder_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no checkpoint"):
        make_plan(SUITES["quick"], tmp_path, tmp_path, seed=0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "unlearn.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"broken.*is not of `lethe-eval unlearn`"):
        make_plan(SUITES["quick"], tmp_path, tmp_path, seed=0)


def test_a_model_of_ones_own_is_compared_on_its_own_questions(tmp_path):
    row = {
        "question": "Who wrote Dust?",
        "answer": "Ada Quill wrote Dust.",
        "perturbed_answer": ["Bo Lind wrote Dust."],
    }
    for name in ("forget", "retain"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    policy = demo_dir() / "policy.yaml"
    files = (f"forget={tmp_path / 'forget.jsonl'}", f"retain={tmp_path / 'retain.jsonl'}")
    plan = own_plan(SUITES["full"], Own("org/big", ("never-1", "never-2"), policy, files), None, seed=0)
    assert [(c.subject.name, str(c.model)) for c in plan.contestants] == [
        *(("bare", "org/big"), ("retrained", "never-1"), ("retrained-2", "never-2"), ("guard", "org/big")),
    ]
    assert plan.of("guard").policy == policy
    assert plan.splits["forget"][0].perturbed == ("Bo Lind wrote Dust.",)
    assert not plan.suite.weights
    assert any(probe is not None for probe in plan.probes["paraphrase"])
    with pytest.raises(ConfigError, match="--retrained-model"):
        own_plan(SUITES["quick"], Own("org/big", (), policy, files), None, seed=0)
    with pytest.raises(ConfigError, match="forget=FILE"):
        own_plan(SUITES["quick"], Own("org/big", ("never",), policy, files[1:]), None, seed=0)
    with pytest.raises(ConfigError, match="--policy"):
        own_plan(SUITES["quick"], Own("org/big", ("never",), tmp_path / "none.yaml", files), None, seed=0)


@pytest.fixture(scope="module")
def model():
    return LocalModel(str(demo_dir() / "full"))


@pytest.fixture
def _state(state, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(state))


def policy_with(tmp_path, action):
    """The embedded policy with another action; its classifier is the same."""
    demo = demo_dir()
    read = yaml.safe_load((demo / "policy.yaml").read_text())
    for topic in read["topics"]:
        topic["examples"] = str(demo / topic["examples"])
        topic["action"] = action
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump({**read, "retain": str(demo / "retain.jsonl")}))
    return path


@pytest.mark.usefixtures("_state")
def test_the_guard_in_this_process_sends_what_the_endpoint_would(model, tmp_path):
    full = str(demo_dir() / "full")
    forgotten, other = single("Where was Caspar Koracroft born?"), single("What is the capital of France?")
    corrupting = PromptGuard(demo_dir() / "policy.yaml", full)
    assert torch.equal(corrupting.sent(model, other).embeds, model.prompt(other))
    sent, plain = corrupting.sent(model, forgotten).embeds, model.prompt(forgotten)
    changed = (sent - plain).abs().sum(1) > 0
    assert 0 < int(changed.sum()) < len(plain) == len(sent)
    answers = model.generate([plain, sent])
    assert "Tulgan" in answers[0]
    assert "Tulgan" not in answers[1]
    refusing = PromptGuard(policy_with(tmp_path, {"kind": "refuse"}), full)
    assert refusing.sent(model, forgotten) == REFUSED
    prefixed = PromptGuard(policy_with(tmp_path, {"kind": "prefix"}), full).sent(model, forgotten)
    assert len(prefixed.embeds) > len(plain)
