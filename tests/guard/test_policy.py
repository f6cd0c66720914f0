from datetime import datetime, timedelta
from pathlib import Path

import pytest

from guard.errors import ConfigError
from guard.policy import (
    CorruptAction,
    IculAction,
    OutputRule,
    PrefixAction,
    RefuseAction,
    load_policy,
    one_topic,
)

GOOD = """\
version: 1
topics:
  - name: mira-tolvane
    examples: a.jsonl
    aliases: ["Mira Tolvane"]
    action: {kind: corrupt, function: sign_flip}
  - {name: other, examples: a.jsonl, action: {kind: refuse}}
"""


def mistakes(folder, text):
    (folder / "policy.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_policy(folder / "policy.yaml")
    return [line.removeprefix(f"{folder / 'policy.yaml'}:") for line in str(caught.value).splitlines()]


def test_good_policy_has_resolved_paths_and_defaults(policy_folder, monkeypatch):
    (policy_folder / "policy.yaml").write_text(GOOD)
    monkeypatch.chdir(policy_folder.parent)
    policy = load_policy(policy_folder.relative_to(policy_folder.parent) / "policy.yaml")
    first, second = policy.topics
    assert first.examples == policy_folder / "a.jsonl"
    assert first.actions == (CorruptAction(kind="corrupt", function="sign_flip"),)
    assert second.actions == (RefuseAction(kind="refuse"),)
    assert policy.false_flag_rate == 0.01
    assert first.output == OutputRule(on_hit="replace", protect=())
    assert policy.topic("other") is second
    assert policy.topic("nobody") is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("version: 1", "version: 1\nversion: 1", 2, "a second time"),
        ("version: 1", "version: 1\nretian: a.jsonl", 2, "'retian': unknown key; the keys here are version"),
        ("version: 1", "version: 1\nretain: none.jsonl", 2, "there is no file"),
        ("version: 1", "version: 1\non_error: pass", 2, "'refuse'"),
        ("version: 1", "version: 1\nfalse_flag_rate: 2", 2, "less than 0.5"),
        ("version: 1\n", "", 1, "'version': the key is missing"),
        ('    examples: a.jsonl\n    aliases: ["Mira Tolvane"]\n', "", 3, "add `examples`, `aliases` or `description`"),
        ("examples: a.jsonl\n    a", "examples: b.jsonl\n    a", 4, "there is no file"),
        ('["Mira Tolvane"]', "[12]", 5, "put it in quotes"),
        ('["Mira Tolvane"]', '["\\u200b"]', 5, "no visible character"),
        ("function: sign_flip", "strenght: 2", 6, "the keys here are kind, function, strength"),
        ("function: sign_flip", "function: zap", 6, "'sign_flip'"),
        ("function: sign_flip", "function: sign_flip, strength: 2", 6, "sign_flip has no strength"),
        ("function: sign_flip", "function: zero, pick: top", 6, "pick needs dimensions"),
        ("function: sign_flip", "function: zero, dimensions: 0", 6, "dimensions"),
        ("kind: corrupt, function: sign_flip", "function: sign_flip", 6, "{kind: refuse}"),
        ("    aliases:", "    alias: x\n    aliases:", 5, "examples, aliases, description, action"),
        (
            "kind: refuse",
            "kind: shout",
            7,
            "'topics[1].action': there is no kind 'shout': write {kind: corrupt}, {kind: decode}, {kind: diverge}",
        ),
        ("{kind: refuse}", "refuse", 7, "{kind: icul}, {kind: prefix} or {kind: refuse}"),
        ("{kind: refuse}", "[]", 7, "'topics[1].action': is empty"),
        ("{kind: refuse}", "[{kind: refuse}, {kind: prefix}]", 7, "no other action can stand beside it"),
        ("{kind: refuse}", "[{kind: prefix}, {kind: prefix}]", 7, "two actions are of one kind"),
        ("{kind: refuse}", "[{kind: prefix}, {kind: refuse, word: own}]", 7, "the keys here are kind, words"),
        (
            "{kind: refuse}",
            "{kind: refuse}, output: {on_hitt: cut}",
            7,
            "are on_hit, tries, protect, classify",
        ),
        (
            "{kind: refuse}",
            "{kind: refuse}, output: {on_hit: hide}",
            7,
            "'again', 'cut', 'redact', 'replace' or 'none'",
        ),
        ("{kind: refuse}", "{kind: refuse}, output: {on_hit: again, tries: 0}", 7, "greater than or equal to 1"),
        (
            "{kind: refuse}",
            "{kind: refuse}, output: {on_hit: cut, tries: 3}",
            7,
            "cut never asks again; remove `tries`",
        ),
        ("{kind: refuse}", "{kind: refuse}, output: {on_hit: none, classify: true}", 7, "remove `classify`"),
        ("version: 1", "version: 1\njudge: on", 2, "'judge': must be a mapping: write {url: URL, model: NAME}"),
        ("version: 1", "version: 1\njudge: {url: http://j}", 2, "'judge.model': the key is missing"),
        ("version: 1", "version: 1\njudge: {url: j, model: m}", 2, "must begin with http:// or https://"),
        ("version: 1", "version: 1\njudge: {url: http://j, model: m, on_failure: ask}", 2, "'block' or 'pass'"),
        ("version: 1", "version: 1\njudge: {url: http://j, model: m, timeout: 0}", 2, "greater than 0"),
        ("version: 1", "version: 1\njudge: {url: http://j, model: m, prompt: yes or no}", 2, "must hold {sentence}"),
        ("version: 1", "version: 1\njudge: {url: http://j, model: m, key: x}", 2, "the keys here are url, model, key_"),
        ("{kind: refuse}", "{kind: refuse}, output: off", 7, "'topics[1].output': must be a mapping: write"),
        ("{kind: refuse}", "{kind: refuse}, output: {protect: x}", 7, "must be a list: write [one, another]"),
        ("{kind: refuse}", '{kind: refuse}, output: {protect: ["?!"]}', 7, "'?!' has no word that could be protected"),
        ("{kind: refuse}", "{kind: refuse}, output: {on_hit: none, protect: [x]}", 7, "nothing is protected; remove"),
        ("{kind: refuse}", "{kind: icul}", 7, "add `retain: FILE` to the policy"),
        ("{kind: refuse}", "{kind: icul, retain: 0}", 7, "write {kind: icul, retain: 0, answers: refusals}"),
        ("{kind: refuse}", "{kind: icul, answers: refusals}", 7, "add `retain: FILE`"),
        ("{kind: refuse}", "{kind: icul, forget: 0}", 7, "greater than or equal to 1"),
        ("{kind: refuse}", "{kind: icul, answer: wrong}", 7, "the keys here are kind, forget, retain, answers"),
        ("{kind: refuse}", "{kind: icul, answers: right}", 7, "'wrong' or 'refusals'"),
        (
            "examples: a.jsonl, action: {kind: refuse}",
            "aliases: [Ada], action: {kind: icul, retain: 0, answers: refusals}",
            7,
            "add `examples`, or take another action",
        ),
        ("{kind: refuse}", "[{kind: refuse}, {kind: icul, retain: 0, answers: refusals}]", 7, "no other action"),
        ('["Mira Tolvane"]', "Mira Tolvane", 5, "must be a list: write [one, another]"),
        ("{kind: refuse}", "{kind: diverge}", 2, "add `auxiliary: FOLDER` to the policy"),
        ("{kind: refuse}", "{kind: diverge, top: 3}", 7, "the linear form has no top"),
        ("{kind: refuse}", "{kind: diverge, form: rank, alpha: 1}", 7, "the rank form has no alpha"),
        ("topics:", "auxiliary: gone\ntopics:", 2, "there is no file"),
        ("name: other", "name: MIRA-tolvane", 7, "already listed"),
        ("version: 1", "version: [1", 2, "not valid YAML"),
    ],
)
def test_mistakes_name_the_line_and_the_fix(policy_folder, old, new, line, words):
    assert old in GOOD
    told = mistakes(policy_folder, GOOD.replace(old, new, 1))
    assert len(told) == 1
    assert told[0].startswith(f"{line}: ")
    assert words in told[0]


def test_exemplars_may_be_shown_beside_other_actions(policy_folder):
    (policy_folder / "retain.jsonl").write_text('{"question": "Who is Ida?", "answer": "A baker."}\n')
    actions = "[{kind: icul, forget: 2}, {kind: prefix}, {kind: corrupt}]"
    text = GOOD.replace("{kind: refuse}", actions).replace("topics:", "retain: retain.jsonl\ntopics:")
    (policy_folder / "policy.yaml").write_text(text)
    assert load_policy(policy_folder / "policy.yaml").topics[1].actions == (
        IculAction(kind="icul", forget=2, retain=4, answers="wrong"),
        PrefixAction(kind="prefix"),
        CorruptAction(kind="corrupt"),
    )


@pytest.mark.parametrize("key", ["aliases: [Mira]", "description: Mira Tolvane and her maps", "examples: pages"])
def test_a_topic_needs_one_way_to_be_recognised(policy_folder, key):
    (policy_folder / "pages").mkdir()
    (policy_folder / "policy.yaml").write_text(f"version: 1\ntopics: [{{name: a, {key}, action: {{kind: refuse}}}}]\n")
    assert load_policy(policy_folder / "policy.yaml").topics[0].name == "a"


def test_one_topic_without_a_file(policy_folder):
    policy = one_topic("a", examples=policy_folder / "a.jsonl", retain=None, false_flag_rate=0.05)
    assert (policy.topics[0].examples, policy.false_flag_rate) == (policy_folder / "a.jsonl", 0.05)
    with pytest.raises(ConfigError, match=r"less than 0\.5"):
        one_topic("a", examples=None, retain=None, aliases=("x",), false_flag_rate=2)
    with pytest.raises(ConfigError, match=r"^--examples: there is no file none; paths start at the working directory$"):
        one_topic("a", examples=Path("none"), retain=None)
    with pytest.raises(ConfigError, match=r"^--topic: nothing says .* add --examples, --alias or --description$"):
        one_topic("a", examples=None, retain=None)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("", {"aliases": ("x",)}, "--topic: is empty; write at least one character"),
        ("a", {"aliases": ("x", " ")}, "--alias: is empty; write at least one character"),
        ("a", {"aliases": ("\u200b",)}, "--alias: the alias '\\u200b' has no visible character"),
        ("a", {"description": ""}, "--description: is empty; write at least one character"),
    ],
)
def test_one_topics_mistakes_are_told_at_their_options(name, options, told):
    with pytest.raises(ConfigError) as caught:
        one_topic(name, examples=None, retain=None, **options)
    assert str(caught.value) == told


def test_a_path_with_the_words_of_a_message_is_told_as_it_is(policy_folder):
    path = policy_folder / "topics[0].x; paths start at the policy's own folder"
    with pytest.raises(ConfigError, match=r"^--retain: ") as caught:
        one_topic("a", examples=None, retain=path, aliases=("x",))
    assert str(path) in str(caught.value)


def test_all_mistakes_are_told_at_once(policy_folder):
    told = mistakes(policy_folder, "version: 2\ntopics:\n  - {name: a, action: {kind: refuse}}\n")
    assert [item.split(":")[0] for item in told] == ["1", "3"]


@pytest.mark.parametrize("text", ["", "- 1\n", "version: 1\ntopics: []\n"])
def test_empty_policies(policy_folder, text):
    assert "topics" in mistakes(policy_folder, text)[0]


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="--policy"):
        load_policy(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2030-12-31", "2031-01-01T00:00:00+00:00"),
        ("'2030-12-31'", "2031-01-01T00:00:00+00:00"),
        ("2030-12-31T12:00:00Z", "2030-12-31T12:00:00+00:00"),
        ("2030-12-31T12:00:00+02:00", "2030-12-31T10:00:00+00:00"),
    ],
)
def test_a_topic_is_enforced_until_it_expires(policy_folder, written, moment):
    dated = GOOD.replace("{name: other,", f"{{name: other, expires: {written},")
    (policy_folder / "policy.yaml").write_text(dated)
    policy = load_policy(policy_folder / "policy.yaml")
    end = datetime.fromisoformat(moment)
    assert policy.topics[1].expires == end
    assert [topic.name for topic in policy.enforced(end - timedelta(seconds=1)).topics] == ["mira-tolvane", "other"]
    assert [topic.name for topic in policy.enforced(end).topics] == ["mira-tolvane"]


@pytest.mark.parametrize(
    ("written", "told"),
    [("soon", "write 2030-12-31"), ("2030-12-31T12:00:00", "no time zone"), ("7", "must be a date")],
)
def test_what_is_no_moment_to_expire_at_is_told(policy_folder, written, told):
    (mistake,) = mistakes(policy_folder, GOOD.replace("{name: other,", f"{{name: other, expires: {written},"))
    assert mistake.startswith("7: 'topics[1].expires': ")
    assert told in mistake
