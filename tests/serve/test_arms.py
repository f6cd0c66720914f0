"""Who gets which arm, and what an arms file may say."""

from pathlib import Path

import pytest
from scipy import stats

from guard.errors import ConfigError, RequestError
from serve.arms.assign import assign
from serve.arms.load import load_arms
from serve.arms.schema import Experiment
from serve.caller import caller_id, caller_key
from serve.settings import resolve

SECRET = b"0" * 32
KEYS = [f"token:{number}".encode() for number in range(10_000)]


def experiment(weights, name):
    arms = [{"name": arm, "weight": weight, "kind": "guard"} for arm, weight in weights.items()]
    return Experiment.model_validate({"version": 1, "experiment": name, "arms": arms})


def dealt(weights, name="e", secret=SECRET):
    chosen = experiment(weights, name)
    return [assign(chosen, secret, key).name for key in KEYS]


def within(count, share):
    low, high = stats.binom.interval(0.9999, len(KEYS), share)
    return low <= count <= high


def test_shares_are_the_weights():
    got = dealt({"a": 1, "b": 3, "c": 6, "idle": 0})
    assert all(within(got.count(arm), share) for arm, share in (("a", 0.1), ("b", 0.3), ("c", 0.6)))
    assert got.count("idle") == 0


def test_a_key_sticks_whatever_the_order_of_the_arms_and_another_experiment_or_secret_deals_anew():
    got = dealt({"a": 1, "b": 1})
    assert got == dealt({"b": 1, "a": 1})
    for other in (dealt({"a": 1, "b": 1}, name="f"), dealt({"a": 1, "b": 1}, secret=b"1" * 32)):
        assert within(sum(map(str.__eq__, got, other)), 0.5)


def test_an_arm_that_gains_weight_takes_only_what_it_gains_and_no_other_key_moves():
    before, after = dealt({"a": 1, "b": 1, "c": 1}), dealt({"a": 2, "b": 1, "c": 1})
    moved = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert {other for _, other in moved} == {"a"}
    assert within(len(moved), 1 / 2 - 1 / 3)


def test_an_arm_that_goes_leaves_the_others_where_they_are():
    before, after = dealt({"a": 1, "b": 1, "c": 1}), dealt({"a": 1, "b": 1, "c": 0})
    assert all(one == other for one, other in zip(before, after, strict=True) if one != "c")


def scope(*headers, client=("10.0.0.1", 5)):
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": list(headers),
        "client": client,
    }


def bearer(token, scheme=b"Bearer "):
    return (b"authorization", scheme + token)


def test_callers_are_told_apart_by_token_and_else_by_address():
    assert caller_key(scope(bearer(b"t"))) == caller_key(scope(bearer(b" t ", b"bearer "), client=("10.0.0.2", 9)))
    assert caller_key(scope(bearer(b"t"))) != caller_key(scope(bearer(b"u")))
    assert caller_key(scope()) == caller_key(scope(client=("10.0.0.1", 6))) == caller_key(scope(bearer(b"")))
    assert caller_key(scope()) != caller_key(scope(client=("10.0.0.2", 5)))
    # A token that reads like an address is none.
    assert caller_key(scope(bearer(b"10.0.0.1"))) != caller_key(scope())
    with pytest.raises(RequestError, match="one Authorization"):
        caller_key(scope(bearer(b"t"), bearer(b"u")))


def test_a_callers_identity_in_the_outcomes_is_keyed():
    assert caller_id(SECRET, b"token:t") != caller_id(b"1" * 32, b"token:t")
    assert len(caller_id(SECRET, b"token:t")) == 16


GOOD = """version: 1
experiment: first
arms:
- {name: guarded, weight: 3, kind: guard}
- {name: bare, weight: 1, kind: bare, unguarded: true}
- {name: tuned, weight: 0, kind: adapter, adapter: other, unguarded: true}
- {name: away, weight: 1, kind: upstream, url: 'http://h:1', unguarded: true}
shadow: tuned
"""


def written(tmp_path, text):
    path = tmp_path / "arms.yaml"
    path.write_text(text)
    return path


def test_a_whole_arms_file_is_read(tmp_path):
    read = load_arms(written(tmp_path, GOOD))
    assert [arm.name for arm in read.unguarded] == ["bare", "away"]
    assert read.share(*read.unguarded) == pytest.approx(0.4)
    assert read.adapters == ("other",)
    assert read.policies(Path("default.yaml")) == (Path("default.yaml"),)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("kind: bare, unguarded: true", "kind: bare", 5, "without the guard; say so with `unguarded: true`"),
        ("kind: bare, unguarded: true", "kind: bare, unguarded: false", 5, "say so with `unguarded: true`"),
        ("weight: 3, kind: guard", "weight: 3, kind: guard, unguarded: true", 4, "unknown key; the keys here are name"),
        ("weight: 3, ", "", 4, "the key is missing"),
        ("weight: 3", "weight: -1", 4, "greater than or equal to 0"),
        ("kind: bare", "kind: naked", 5, "write one of {kind: guard}, {kind: bare}"),
        ("name: bare", "name: guarded", 1, "two arms are called 'guarded'"),
        ("name: bare", "name: a/b", 5, "letters, digits"),
        ("shadow: tuned", "shadow: other", 1, "'other' is none of the arms"),
        ("shadow: tuned", "shaddow: tuned", 8, "unknown key; the keys here are version, experiment, arms, shadow"),
        ("weight: 3", "weight: 0", 1, "no arm guards anybody"),
        ("http://h:1", "h:1", 7, "must begin with http"),
        ("kind: guard", "kind: guard, policy: none.yaml", 4, "there is no file"),
        ("shadow: tuned", "version: 1", 8, "stands here a second time"),
        ("version: 1", "version: [", 3, "not valid YAML"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path, old, new, line, message):
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_arms(path)
    assert f"{path}:{line}:" in str(caught.value)
    assert message in str(caught.value)


def test_an_arms_own_policy_starts_at_the_files_folder(tmp_path):
    (tmp_path / "p.yaml").write_text("")
    read = load_arms(written(tmp_path, GOOD.replace("kind: guard", "kind: guard, policy: p.yaml")))
    assert read.policies(Path("default.yaml")) == (tmp_path / "p.yaml",)


def test_options_must_fit_the_arms(tmp_path, checkpoint, policy_file, adapter):
    options = {"policy": policy_file, "artifact": None, "host": "127.0.0.1", "port": 1, "engine_flags": ()}
    options |= {"model": str(checkpoint), "upstream": None, "served_name": "m", "arms": written(tmp_path, GOOD)}
    found = resolve(**options, adapters=(f"other={adapter}",))
    assert (found.adapter_models, found.models_beside) == ((), ("other",))
    with pytest.raises(ConfigError, match="no adapter 'other'; give it with --adapter other=FOLDER"):
        resolve(**options)
    with pytest.raises(ConfigError, match="'more' is none of the arms"):
        resolve(**options, adapters=(f"other={adapter}", f"more={adapter}"))
    # A server that runs already has its own.
    assert resolve(**options | {"upstream": "http://localhost:1"}).models_beside == ("other",)
    (tmp_path / "p.yaml").write_text("")
    options["arms"] = written(tmp_path, GOOD.replace("kind: guard", "kind: guard, policy: p.yaml"))
    with pytest.raises(ConfigError, match="--artifact is made for one"):
        resolve(**options | {"artifact": tmp_path}, adapters=(f"other={adapter}",))
