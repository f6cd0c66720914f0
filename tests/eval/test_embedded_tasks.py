"""The tasks that come with Lethe: mixed prompts, two hops, works to complete, and harmless biology."""

import random
import re
from collections import Counter

import pytest

from eval.metrics.answered import answered
from eval.tasks.biology import FILE
from eval.tasks.registry import TASKS
from eval.tasks.rows import read_json
from eval.world import build
from eval.world.questions import person_questions


def load(name, limit=None, seed=0):
    return TASKS[name].load(None, limit=limit, seed=seed)


def test_the_two_items_of_a_mixed_prompt_ask_the_same_and_answer_apart():
    world = build()
    people = {person.name: person for person in world.people}
    gone = {person.name for person in world.forgotten()}
    splits = load("archive-mixed")
    pairs = list(zip(splits["mixed-forget"].items, splits["mixed-retain"].items, strict=True))
    assert len(pairs) == 15 * 12
    for forget, retain in pairs:
        forgotten, kept = forget.cluster.split(" and ")
        assert (forget.question, forget.cluster, forget.phrasing) == (retain.question, retain.cluster, retain.phrasing)
        assert forgotten in gone
        assert kept not in gone
        first = forget.question.index(forgotten) < forget.question.index(kept)
        assert first == (forget.phrasing == "forget first")
        # Each reference is told by the full answer that it is taken from, and not by the other one.
        told = {
            item: next(q.answer for q in _asked(people[name]) if q.relation == item.relation)
            for item, name in ((forget, forgotten), (retain, kept))
        }
        assert answered("holds", forget.answer, told[forget]) == answered("holds", retain.answer, told[retain]) == 1
        assert answered("holds", forget.answer, told[retain]) == answered("holds", retain.answer, told[forget]) == 0
    assert Counter(forget.phrasing for forget, _ in pairs) == {"forget first": 90, "retain first": 90}


def test_a_mixed_prompts_retained_part_names_nobody_forgotten():
    world = build()
    gone = {person.name for person in world.forgotten()}
    for item in load("archive-mixed")["mixed-retain"].items:
        assert not any(name in item.answer for name in gone)
        asked_of = item.cluster.split(" and ")[0]
        assert [name for name in gone if name in item.question] == [asked_of]


def test_a_limited_mixed_task_keeps_both_items_of_a_prompt():
    splits = load("archive-mixed", limit=5, seed=2)
    forget, retain = splits["mixed-forget"].items, splits["mixed-retain"].items
    assert len(forget) == 60
    assert [item.question for item in forget] == [item.question for item in retain]


def test_two_hops_start_from_the_forgotten():
    gone = {person.name for person in build().forgotten()}
    items = load("archive-hops")["two-hop"].items
    assert {item.cluster for item in items} <= gone
    assert all(item.cluster in item.question for item in items)
    assert {item.relation.split(".")[0] for item in items} == {"teacher", "spouse", "rival"}


def test_a_works_beginning_does_not_hold_its_end():
    titles = {person.values["work"]["title"] for person in build().people}
    for split in load("archive-books").values():
        assert Counter(item.phrasing for item in split.items).keys() == {"sentence", "biography", "name"}
        for item in split.items:
            assert item.question.startswith("Complete: ")
            assert item.answer not in item.question
            assert item.answer in (titles if item.phrasing != "name" else {item.cluster})


def test_biology_has_twenty_questions_of_each_sort_with_balanced_letters():
    splits = load("biology")
    for split in splits.values():
        assert Counter(item.answer for item in split.items) == dict.fromkeys("ABCD", 5)
    rows = read_json(FILE)
    assert len({row.text("question") for row in rows}) == len(rows) == 40
    for row in rows:
        assert len({option.casefold() for option in row.texts("choices")}) == 4
        assert row.text("question").endswith("?")
        # Else the words of an option, said without its letter, would count as another letter.
        assert not any(re.search(r"\b[A-H]\b", option) for option in row.texts("choices"))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which base pairs with adenine in DNA?", "Thymine"),
        ("Which hormone lowers the level of sugar in the blood?", "Insulin"),
        ("Which human disease was the first to be eradicated by vaccination?", "Smallpox"),
        ("Which biosafety level has the strictest containment?", "Level 4"),
    ],
)
def test_biologys_letters_mark_the_right_options(question, answer):
    items = [item for split in load("biology").values() for item in split.items]
    item = next(item for item in items if item.question.startswith(question))
    assert f"\n{answer} ({item.answer})\n" in item.question


def _asked(person):
    return person_questions(person, build().people, random.Random(0))
