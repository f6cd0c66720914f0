import json
import random
from dataclasses import replace

import numpy as np
import pytest

from classifiers.calibrate import SIZES
from classifiers.clean import clean_requests
from classifiers.data import Example
from classifiers.gather import gather
from classifiers.spans import AliasFinder
from classifiers.training import CLEAN, FOLDS, PROBABILITY, THRESHOLD, build_training
from guard.errors import ConfigError
from guard.policy import load_policy, one_topic
from tests.classifiers.conftest import make_policy, records, write


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    return gather(make_policy(tmp_path_factory.mktemp("policy")), {}, random.Random(0))


@pytest.fixture(scope="module")
def near(gathered):
    return [example for example in gathered.retained if example.group == "Hedda Kross"]


@pytest.fixture(scope="module")
def training(gathered, near):
    return build_training(gathered, near, random.Random(0), 0.02)


def test_namesakes_are_known(gathered):
    namesake = [Example(f"Question {n} on Oren Bligh?", "", "Oren Bligh") for n in range(3)]
    others = replace(gathered, retained=[*gathered.retained, *namesake])
    assert namesake == [example for example in others.namesakes() if example.group == "Oren Bligh"]


def test_what_is_asked_in_a_fold_is_unknown_to_what_scores_it(training):
    everything = {sample.text for sample in training.samples}
    for fold in range(FOLDS):
        asked = {window for r in training.requests if r.fold == fold for window in r.windows}
        known = {sample.text for sample in training.without(fold)}
        assert asked
        assert not asked & known
        assert len(known) > 0.5 * len(everything)
    assert {sample.text for sample in training.without(FOLDS)} == everything


def test_no_group_is_in_two_folds_or_parts(training):
    places = {}
    for request in training.requests:
        places.setdefault((request.sort, request.group), set()).add((request.fold, request.part))
    assert all(len(found) == 1 for (sort, _), found in places.items() if sort == "retained")
    assert {request.part for request in training.requests} == {PROBABILITY, THRESHOLD}


def test_clean_requests_are_enough_of_every_size(training):
    clean = [r for r in training.requests if r.topic == CLEAN and r.part == THRESHOLD]
    sizes = np.bincount(np.digitize([len(r.windows) for r in clean], SIZES), minlength=4)
    assert all(count >= 150 for count in sizes[:3])  # these examples are too short for books


def test_clean_texts_take_the_same_forms_as_the_topics(training):
    for marks in (
        ('"input"', '"query"', "</", "```"),
        ("which one is right", "one letter"),
        ("visitor asks", "ignore all"),
    ):
        labels = [sample.label >= 0 for sample in training.samples if any(mark in sample.text for mark in marks)]
        assert True in labels
        assert labels.count(False) >= labels.count(True) / 2


def test_clean_requests_are_of_many_kinds():
    pool = [
        Example(f"What is thing {number}?", f"It is a thing of sort {number}.", f"g{number}") for number in range(80)
    ]
    requests = clean_requests(pool, pool, 10, random.Random(0), names=AliasFinder(()))
    assert len(requests) == 160 + 2 * 10 + 9 * 10
    assert {request.sort for request in requests} == {"retained", "general"}
    sizes = [len(request.windows) for request in requests]
    assert 1 in sizes
    assert max(sizes) >= 50
    assert any(len(window.split()) >= 50 for request in requests for window in request.windows)


def test_no_clean_request_says_a_topics_name_in_an_answer():
    pool = [Example(f"Who taught pupil {n}?", f"{n} was taught by Mira Tolvane.", f"g{n}") for n in range(40)]
    for names, said in ((AliasFinder(()), True), (AliasFinder(["Mira Tolvane"]), False)):
        requests = clean_requests(pool, [], 10, random.Random(0), names=names)
        assert any("tolvane" in window for request in requests for window in request.windows) == said


def test_a_question_both_forgotten_and_retained_is_told(tmp_path):
    make_policy(tmp_path)
    both = records("Mira Tolvane")[0]
    with (tmp_path / "retain.jsonl").open("a") as file:
        file.write(json.dumps({**both, "question": both["question"].upper()}) + "\n")
    with pytest.raises(
        ConfigError, match=r"1 of the questions .* also to be retained .*'Where was Mira Tolvane born\?'"
    ) as caught:
        gather(load_policy(tmp_path / "policy.yaml"), {}, random.Random(0))
    line = len((tmp_path / "retain.jsonl").read_text().splitlines())
    assert f"({tmp_path / 'mira.jsonl'}:1, {tmp_path / 'retain.jsonl'}:{line})" in str(caught.value)


def test_a_question_of_two_topics_is_told_with_both_places(tmp_path):
    make_policy(tmp_path)
    shared = records("Mira Tolvane")[2]
    with (tmp_path / "oren.jsonl").open("a") as file:
        file.write(json.dumps({**shared, "question": shared["question"].upper()}) + "\n")
    with pytest.raises(ConfigError, match="stands under two topics") as caught:
        gather(load_policy(tmp_path / "policy.yaml"), {}, random.Random(0))
    line = len((tmp_path / "oren.jsonl").read_text().splitlines())
    assert f"at {tmp_path / 'mira.jsonl'}:3 and {tmp_path / 'oren.jsonl'}:{line};" in str(caught.value)


def test_topics_of_like_names_share_what_is_made_of_them(tmp_path):
    lines = ["version: 1", "topics:"]
    for name in ("a", "b"):
        lines.append(f"  - {{name: {name}, aliases: [Marie Curie], action: {{kind: refuse}}}}")
    (tmp_path / "policy.yaml").write_text("\n".join(lines))
    first, second = gather(load_policy(tmp_path / "policy.yaml"), {}, random.Random(0)).topics
    assert {example.question for example in first.own} & {example.question for example in second.own}


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
