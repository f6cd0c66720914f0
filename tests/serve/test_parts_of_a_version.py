import pytest

from guard.errors import ConfigError
from guard.policy import load_policy
from serve.parts import _check_dimensions
from serve.policies.identity import policy_id


def test_more_dimensions_than_the_model_has_are_refused(tmp_path):
    (tmp_path / "policy.yaml").write_text(
        "version: 1\ntopics: [{name: a, aliases: [Ada], action: {kind: corrupt, function: zero, dimensions: 193}}]"
    )
    policy = load_policy(tmp_path / "policy.yaml")
    _check_dimensions(policy, 193)
    with pytest.raises(ConfigError, match=r"'a' corrupts 193 dimensions, .* have 192; give fewer"):
        _check_dimensions(policy, 192)


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
