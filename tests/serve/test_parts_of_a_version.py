import pytest
from serving import make_auxiliary, make_checkpoint
from transformers import AutoTokenizer

from guard.errors import ConfigError
from guard.policy import load_policy
from guard.steer.auxiliary import Auxiliary
from serve.parts import _auxiliary, _check_dimensions
from serve.policies.identity import policy_id
from serve.run import _auxiliary as the_pair


def test_more_dimensions_than_the_model_has_are_refused(tmp_path):
    (tmp_path / "policy.yaml").write_text(
        "version: 1\ntopics: [{name: a, aliases: [Ada], action: {kind: corrupt, function: zero, dimensions: 193}}]"
    )
    policy = load_policy(tmp_path / "policy.yaml")
    _check_dimensions(policy, 193)
    with pytest.raises(ConfigError, match=r"'a' corrupts 193 dimensions, .* have 192; give fewer"):
        _check_dimensions(policy, 192)


def test_auxiliary_models_for_another_model_are_refused(checkpoint, tmp_path):
    tiny = make_checkpoint(tmp_path / "tiny")
    make_auxiliary(tiny, tmp_path / "pair")
    text = "version: 1\nauxiliary: pair\ntopics: [{name: a, aliases: [Ada], action: {kind: KIND}}]"
    (tmp_path / "policy.yaml").write_text(text.replace("KIND", "diverge"))
    policy = load_policy(tmp_path / "policy.yaml")
    own, other = (AutoTokenizer.from_pretrained(model) for model in (tiny, checkpoint))
    assert _auxiliary(policy, own, str(tiny)) == Auxiliary.read(tmp_path / "pair")
    with pytest.raises(ConfigError, match=r"and the served model has \d+; make them anew"):
        _auxiliary(policy, other, str(checkpoint))
    with pytest.raises(ConfigError, match="have another tokenizer"):
        _auxiliary(policy, other, str(tiny))
    (tmp_path / "policy.yaml").write_text(text.replace("KIND", "refuse"))
    assert _auxiliary(load_policy(tmp_path / "policy.yaml"), other, str(checkpoint)) is None


def test_an_engine_has_one_pair_of_auxiliary_models(tmp_path):
    def policy(folder):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "auxiliary.json").touch()
        (tmp_path / "policy.yaml").write_text(
            f"version: 1\nauxiliary: {folder}\ntopics: [{{name: a, aliases: [Ada], action: {{kind: diverge}}}}]"
        )
        return load_policy(tmp_path / "policy.yaml")

    one, other = policy("one"), policy("other")
    assert the_pair([one, one]) == tmp_path / "one"
    with pytest.raises(ConfigError, match="has one pair"):
        the_pair([one, other])


def test_a_policys_version_hangs_on_all_that_decides_and_not_on_where_it_lies(tmp_path):
    def version(folder, action="{kind: refuse}", seal=b"one", secret=b"0" * 32):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "a.jsonl").write_text("{}")
        policy = tmp_path / folder / "policy.yaml"
        policy.write_text(f"version: 1\ntopics: [{{name: a, aliases: [Ada], examples: a.jsonl, action: {action}}}]")
        (tmp_path / folder / "manifest.hmac").write_bytes(seal)
        return policy_id(load_policy(policy), tmp_path / folder, secret)

    assert version("here") == version("there")
    others = [version("here", "{kind: prefix}"), version("here", seal=b"two"), version("here", secret=b"1" * 32)]
    assert len({version("here"), *others}) == 4
