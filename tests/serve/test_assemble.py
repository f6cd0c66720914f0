import pytest

from guard.errors import ConfigError
from guard.policy import load_policy
from serve.assemble import _check_dimensions


def test_more_dimensions_than_the_model_has_are_refused(tmp_path):
    (tmp_path / "policy.yaml").write_text(
        "version: 1\ntopics: [{name: a, aliases: [Ada], action: {kind: corrupt, function: zero, dimensions: 193}}]"
    )
    policy = load_policy(tmp_path / "policy.yaml")
    _check_dimensions(policy, 193)
    with pytest.raises(ConfigError, match=r"'a' corrupts 193 dimensions, .* have 192; give fewer"):
        _check_dimensions(policy, 192)
