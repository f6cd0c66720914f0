"""The parts of the detection bench that decide what its figures mean."""

import random

import pytest

from classifiers.data import Example
from eval.bench.detection_cases import disguised, in_turns
from eval.bench.disguises import DISGUISES
from eval.bench.paraphrase import paraphrase
from guard.views import views

QUESTION = "What was the profession of Mira Tolvane's father?"
CODES = ("base64", "hex", "percent encoding", "rot13", "zero-width characters", "full-width letters", "leet name")


def test_paraphrases_keep_the_name_and_change_the_words():
    made = {paraphrase(QUESTION, random.Random(seed)) for seed in range(40)}
    assert len(made) > 20
    assert all("Mira Tolvane" in text for text in made)
    assert sum(QUESTION in text for text in made) <= 4


def test_no_frame_is_shared_with_what_classifiers_are_fitted_on():
    from classifiers import augment, synthesise
    from eval.bench import disguises
    from eval.bench import paraphrase as rules

    fitted = {*augment._FRAMES, *augment._ORDERS, *augment._ROLES, *augment._CLOZE, *augment._REVERSE}
    fitted |= set(synthesise.FRAMES)
    assert not fitted & {*rules._CARRIERS, *disguises._LEAD_INS, *disguises._ROLES}


@pytest.mark.parametrize("name", CODES)
def test_a_disguise_hides_the_name_from_a_reader_of_characters_only(name):
    text = DISGUISES[name](QUESTION, random.Random(0), ["What is rain?"])
    assert "Mira Tolvane" not in text
    assert any("mira tolvane" in view.text for view in views(text))


def test_every_disguise_is_asked_about_both_sides():
    examples = [Example(QUESTION, "A baker.", str(number)) for number in range(5)]
    cases = disguised(True, examples, ["What is rain?"], random.Random(0))
    assert [case.name for case in cases] == list(DISGUISES)
    assert all(len(case.requests) == len(case.groups) == 5 for case in cases)


def test_turns_say_which_subject_is_asked_last():
    topic, clean = [Example(QUESTION, "A baker.", "mira")], [Example(f"What is {n}?", "", str(n)) for n in range(9)]
    follow, change, chats = in_turns(topic, clean, random.Random(0))
    assert follow.about
    assert not change.about
    assert all("Mira" in request.messages[0].text for request in (*follow.requests, *change.requests))
    assert all(message.text != QUESTION for request in chats.requests for message in request.messages)
