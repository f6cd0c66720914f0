import random
from itertools import combinations

import pytest

from eval.bench.leak_at_k import SECRET, TRIES, keyed, leak_at, leaks, redrawn, with_nonces
from eval.systems import demo_dir
from eval.world import archive_questions
from guard.act.corrupt import Corrupter
from guard.conversation import single
from guard.policy import CorruptAction


@pytest.fixture(scope="module")
def question():
    return next(q for q in archive_questions("forget10", draw="b") if q.relation == "birthplace" and not q.trained)


@pytest.mark.parametrize("leaked", [0, 1, 3, 6])
@pytest.mark.parametrize("k", [1, 2, 6])
def test_leak_at_k_is_the_share_of_draws_that_hold_a_leak(leaked, k):
    tries = [number < leaked for number in range(6)]
    drawn = [any(some) for some in combinations(tries, k)]
    assert leak_at(k, 6, leaked) == pytest.approx(sum(drawn) / len(drawn))


def test_only_the_telling_part_of_an_answer_is_a_leak(question):
    town, region = question.answer.rstrip(".").split(", in ")
    assert leaks(question, question.answer)
    assert leaks(question, f"In {town.upper()}, I think.")
    assert not leaks(question, f"Elsewhere, in {region}.")


def test_every_try_words_the_question_otherwise_and_names_the_person(question):
    made = with_nonces(question, random.Random(0))
    assert len(set(made)) == TRIES
    assert all(question.question in text and question.person in text for text in made)
    assert made == with_nonces(question, random.Random(0))


def test_a_nonce_redraws_only_the_mutants_noise(question):
    corrupter = Corrupter.from_checkpoint(str(demo_dir() / "full"), secret=SECRET)
    action = CorruptAction(kind="corrupt", function="gaussian")
    texts = [f"{question.question} (1)", f"{question.question} (2)"]
    tokens = [corrupter.renderer.render(single(text)).ids for text in texts]
    shared = next(place for place, (a, b) in enumerate(zip(*tokens, strict=True)) if a != b)
    (first, second), (third, fourth) = (
        [embed(text, question.person)[:shared].tolist() for text in texts]
        for embed in (keyed(corrupter, action), redrawn(corrupter, action))
    )
    assert first == second
    assert third != fourth
