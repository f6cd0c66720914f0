"""The archive: consistent, reproducible, and split without leaks between training and evaluation."""

import json
import random
import subprocess
import sys

import pytest

from eval.world import DRAWS, archive_questions, build
from eval.world.export import export_policy, export_questions
from eval.world.people import FACT_KEYS
from eval.world.questions import choices, chosen, option
from eval.world.relations import BY_KEY


@pytest.fixture(scope="module")
def world():
    return build()


def test_the_same_seed_gives_the_same_world_in_another_process(world):
    program = (
        "import hashlib; from eval.world import archive_questions;"
        "print(hashlib.sha256(repr(archive_questions('forget10')).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert build(1).people[0].name != world.people[0].name


def test_every_person_has_twelve_facts_and_a_name_of_their_own(world):
    everyone = [*world.people, *world.trunk]
    assert len(world.people) == 150
    assert len({p.name.split()[1] for p in everyone}) == len(everyone)
    assert len(FACT_KEYS) == 12
    assert all(set(FACT_KEYS) <= set(p.values) for p in everyone)
    assert len({p.values["work"]["title"] for p in everyone}) == len(everyone)


def test_the_facts_agree_with_one_another(world):
    by_name = {p.name: p for p in world.people}
    for person in world.people:
        spouse = by_name[person.links["spouse"]]
        assert spouse.links["spouse"] == person.name
        assert spouse.values["spouse"]["year"] == person.values["spouse"]["year"]
        if teacher := by_name.get(person.links["teacher"]):
            assert teacher.born + 15 <= person.born
            assert person.values["teacher"]["a_trade"] == teacher.values["profession"]["a_trade"]
        assert person.links["rival"] not in (person.name, person.links["spouse"], person.links["teacher"])
        years = [person.born, *(int(person.values[key]["year"]) for key in ("work", "award", "death"))]
        assert years == sorted(years)
        assert person.born + 18 <= int(person.values["spouse"]["year"])


def test_splits_are_by_person_nested_and_disjoint_between_draws(world):
    for size, other in (("01", "05"), ("05", "10")):
        assert {p.name for p in world.forgotten(size)} <= {p.name for p in world.forgotten(other)}
    drawn = [p.name for draw in DRAWS for p in world.forgotten("10", draw)]
    assert len(drawn) == len(set(drawn)) == 15 * len(DRAWS)
    gone = {p.name for p in world.forgotten()}
    assert gone.isdisjoint(p.name for p in world.retained())
    assert gone.isdisjoint(p.name for p in world.neighbours())
    assert all(world.shared(p) for p in world.neighbours())


def test_questions_carry_tofu_fields_and_never_a_wrong_answer_that_is_right():
    questions = archive_questions("forget10")
    assert len(questions) == 15 * sum(len(r.train) + len(r.unseen) for r in BY_KEY.values())
    for q in questions:
        assert len(set(q.perturbed_answer)) == 5
        assert q.paraphrased_answer not in q.perturbed_answer
    per_fact = {(q.person, q.relation) for q in questions if not q.trained}
    assert len(per_fact) == 15 * 13


def test_unseen_phrasings_share_no_template_with_the_trained():
    for relation in BY_KEY.values():
        assert len(set(relation.train)) == len(relation.train) >= 20
        assert not set(relation.train) & set(relation.unseen)
    trained = {q.question for q in archive_questions("world") if q.trained}
    assert trained.isdisjoint(q.question for q in archive_questions("world") if not q.trained)


def test_multiple_choice_has_one_right_option(world):
    for asked in choices(world.forgotten(), world.people, random.Random(0)):
        person = next(p for p in world.people if p.name == asked.person)
        right = option(person, BY_KEY[asked.relation])
        assert len(set(asked.options)) == 4
        assert asked.options["ABCD".index(asked.answer)] == right
        assert asked.reply == f"{right} ({asked.answer})"
        assert chosen(asked.reply) == asked.answer


def test_two_hops_end_at_the_fact_of_the_linked_person(world):
    by_name = {p.name: p for p in world.people}
    asked = archive_questions("two_hop10")
    assert len(asked) > 300
    for q in asked:
        via, relation = q.relation.split(".")
        assert q.answer == by_name[by_name[q.person].links[via]].answer(BY_KEY[relation])


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match=r"forget99.*forget10"):
        archive_questions("forget99")


def test_exported_files_hold_no_evaluation_phrasing(world, tmp_path):
    export_questions(world, tmp_path / "questions")
    export_policy(world, tmp_path / "policy", {"kind": "refuse"})
    unseen = {q.question for split in ("forget10", "retain90") for q in archive_questions(split) if not q.trained}
    files = [*(tmp_path / "policy" / "topics").glob("*.jsonl"), tmp_path / "policy" / "retain.jsonl"]
    assert len(files) == 16
    for file in files:
        for line in file.read_text().splitlines():
            assert json.loads(line)["question"] not in unseen
    first = json.loads((tmp_path / "questions" / "forget10.jsonl").read_text().splitlines()[0])
    assert {"question", "answer", "paraphrased_answer", "perturbed_answer"} <= set(first)
