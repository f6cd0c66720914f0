import json
import random

import pytest

from classifiers.clean import clean_requests
from classifiers.data import Example
from classifiers.gather import FITTED, PROBABILITY, THRESHOLD, gather, split
from classifiers.training import build_training
from guard.errors import ConfigError
from guard.normalise import normalise
from guard.policy import load_policy, one_topic
from tests.classifiers.conftest import make_policy, records, write


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    return gather(make_policy(tmp_path_factory.mktemp("policy")), {}, random.Random(0))


def groups(parts, number):
    return {example.group for example in parts[number]}


def test_no_group_is_in_two_parts(gathered):
    clean = split(gathered, gathered.retained[:5], random.Random(0))
    for parts in (clean.retained, clean.general):
        assert groups(parts, FITTED).isdisjoint(groups(parts, PROBABILITY) | groups(parts, THRESHOLD))
        assert groups(parts, PROBABILITY).isdisjoint(groups(parts, THRESHOLD))
        assert all(parts)


def test_what_calibrates_is_never_fitted(gathered):
    training = build_training(gathered, gathered.retained[:5], random.Random(0))
    clean = split(gathered, gathered.retained[:5], random.Random(0))
    fitted = {sample.text for sample in training.samples}
    for part in (PROBABILITY, THRESHOLD):
        calibrating = [*clean.retained[part], *clean.general[part]]
        asked = {normalise(example.question).text for example in calibrating}
        known = {normalise(e.question).text for e in [*clean.retained[FITTED], *clean.general[FITTED]]}
        assert not (asked - known) & fitted
    held = {sample.text for sample in training.samples if sample.held}
    assert held
    assert not held & {sample.text for sample in training.samples if sample.label >= 0 and not sample.held}


def test_clean_texts_take_the_same_forms_as_the_topics(gathered):
    training = build_training(gathered, gathered.retained[:5], random.Random(0))
    for mark in ("____", "answer in one sentence", "</", "letter"):
        labels = [sample.label >= 0 for sample in training.samples if mark in sample.text]
        assert labels.count(False) >= labels.count(True) / 2


def test_clean_requests_are_of_many_kinds():
    pool = [
        Example(f"What is thing {number}?", f"It is a thing of sort {number}.", f"g{number}") for number in range(80)
    ]
    requests = clean_requests(pool, pool, random.Random(0))
    assert len(requests) == 160
    assert {request.sort for request in requests} == {"retained", "general"}
    sizes = [len(request.windows) for request in requests]
    assert 1 in sizes
    assert max(sizes) >= 3
    assert any(len(window.split()) >= 50 for request in requests for window in request.windows)


def test_a_question_both_forgotten_and_retained_is_told(tmp_path):
    make_policy(tmp_path)
    both = records("Mira Tolvane")[0]
    with (tmp_path / "retain.jsonl").open("a") as file:
        file.write(json.dumps({**both, "question": both["question"].upper()}) + "\n")
    with pytest.raises(
        ConfigError, match=r"1 of the questions .* also to be retained .*'Where was Mira Tolvane born\?'"
    ):
        gather(load_policy(tmp_path / "policy.yaml"), {}, random.Random(0))


def test_a_topic_known_by_name_or_description_alone(tmp_path):
    for policy in (
        one_topic("a", examples=None, retain=None, aliases=("Marie Curie",)),
        one_topic("a", examples=None, retain=None, description="The life of Marie Curie."),
    ):
        found = gather(policy, {"a": ["What glowed in her laboratory?"]}, random.Random(0))
        asked = [example.question for example in found.topics[0].own]
        assert "Who was Marie Curie?" in asked
        assert "What glowed in her laboratory?" in asked
        clean = [example.question for example in found.general]
        assert not [text for text in clean if "Marie Curie" in text]


def test_passages_are_examples(tmp_path):
    page = (
        "In spring Tamsin Orrel left Port Vale. Nobody knew why. " * 3 + "\n\n" + "Years later Tamsin Orrel came back."
    )
    (tmp_path / "page.txt").write_text(page)
    policy = one_topic("a", examples=tmp_path / "page.txt", retain=None)
    own = gather(policy, {}, random.Random(0)).topics[0].own
    assert any(example.passage for example in own)
    assert any(example.question == "Tamsin Orrel" for example in own)


def test_one_topic_errors_name_the_option(tmp_path):
    with pytest.raises(ConfigError, match=r"--examples.*there is no file"):
        one_topic("a", examples=tmp_path / "none.jsonl", retain=None)
    with pytest.raises(ConfigError, match="nothing says how to recognise"):
        one_topic("a", examples=None, retain=None)
    write(tmp_path / "one.jsonl", records("Mira Tolvane")[:1])
    with pytest.raises(ConfigError, match="two different"):
        gather(one_topic("a", examples=tmp_path / "one.jsonl", retain=None), {}, random.Random(0))
