import json
import random
from collections import Counter

import pytest

from classifiers import augment
from classifiers.augment import FORMS, variants
from classifiers.data import Example
from classifiers.words import keywords, names

ASKED = Example(
    "Which prize did Ada Quill win for The Glass Meridian in 1998?",
    "Ada Quill won the Lantern Prize for The Glass Meridian in 1998, in the city of Port Vale.",
    "g",
)
CLEAN = [Example("What is rain?", "Water that falls.", "c"), Example("Who was Homer?", "A poet of old.", "d")]


def test_variants_are_different_bounded_and_seeded():
    made = variants(ASKED, CLEAN, random.Random(1), 5)
    assert len(made) == len(set(made)) == 5
    assert ASKED.question not in made
    assert made == variants(ASKED, CLEAN, random.Random(1), 5)
    assert made != variants(ASKED, CLEAN, random.Random(2), 5)


def test_a_question_without_answer_or_names_has_variants_too():
    for seed in range(20):
        assert len(variants(Example("what is rain?", "", "c"), CLEAN, random.Random(seed), 4)) == 4


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_keeps_something_of_the_question(form):
    told = {"Ada", "Quill", "Meridian", "Lantern", "1998", "98"}
    for seed in range(60):
        text = form(ASKED, CLEAN, random.Random(seed))
        if form is not augment._typos:
            assert any(word in text for word in told), text


def test_a_short_or_nameless_fragment_is_not_made():
    plain = Example("Where was the author born and why did he leave?", "In a small town by the sea.", "g")
    for form in (augment._fragment, augment._no_name, augment._part_name, augment._cloze, augment._reverse):
        assert all(form(plain, CLEAN, random.Random(seed)) == "" for seed in range(30))


def test_json_wrapping_is_json():
    shapes = Counter()
    for seed in range(60):
        text = augment._blob(ASKED, CLEAN, random.Random(seed))
        if text.startswith(("{", "[")):
            json.loads(text)
        shapes[text[:3]] += 1
    assert len(shapes) == 5


def test_names_and_keywords():
    assert names("Did she meet Juan van Horn or Ada Quill there?") == ["Juan van Horn", "Ada Quill"]
    assert names("Ada Quill's house") == ["Ada Quill"]
    assert keywords("What is the name of her dog?") == ["name", "dog"]
