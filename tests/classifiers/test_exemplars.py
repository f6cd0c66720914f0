import json
import re
from pathlib import Path

import pytest

from classifiers.data import load_examples
from classifiers.exemplars import SAME_ITEM, IndexedExemplars
from classifiers.index import index_examples, known_examples
from classifiers.remember import Remembering
from classifiers.windows import windows
from guard.conversation import single
from guard.errors import ConfigError
from guard.policy import load_policy
from guard.types import Conversation, Message
from tests.classifiers.conftest import SECRET, write

DEMO = Path(__file__).parents[2] / "serve" / "demo"
PERSON = "ivo-garecombe"
NAME = "Ivo Garecombe"


@pytest.fixture(scope="module")
def remembering(encoder):
    return Remembering(encoder)


def indexed(policy, remembering, *, secret=SECRET):
    files = [policy.retain, *(topic.examples for topic in policy.topics)]
    remembering.encode([w for file in files if file for e in load_examples(file) for w in windows(e.question)[:1]])
    known = remembering.known
    return IndexedExemplars(index_examples(known_examples(policy, known), known), remembering, policy, secret=secret)


def policy_of(folder, forget, retain, action="{kind: icul}", more="", aliases=f"[{NAME}]"):
    write(folder / "forget.jsonl", forget)
    write(folder / "retain.jsonl", retain)
    (folder / "policy.yaml").write_text(
        f"version: 1\nretain: retain.jsonl\ntopics:\n"
        f"  - {{name: a, examples: forget.jsonl, aliases: {aliases}, action: {action}}}\n{more}"
    )
    return load_policy(folder / "policy.yaml")


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, remembering):
    """One forgotten person of the embedded archive, and a ninth of what is retained."""
    folder = tmp_path_factory.mktemp("demo")
    forget = lines(DEMO / "topics" / f"{PERSON}.jsonl")
    retain = lines(DEMO / "retain.jsonl")[::9]
    policy = policy_of(folder, forget, retain)
    return forget, retain, policy, indexed(policy, remembering)


def asked_all(source, forget, count=4, **more):
    wanted = {"forget": count, "retain": 4, "wrong": True} | more
    return [(row, *source.nearest("a", single(row["question"]), **wanted)) for row in forget[::3]]


def test_the_topics_exemplars_have_answers_of_others_and_never_a_true_one(demo):
    forget, retain, _, source = demo
    true = {row["answer"] for row in forget}
    questions = {row["question"]: row["answer"] for row in forget}
    others = {row["answer"] for row in retain}
    for _, own, kept in asked_all(source, forget):
        assert len(own) == 4
        assert len(kept) == 4
        for one in own:
            assert one.topic == "a"
            assert one.answer in others - true
            assert one.question in questions
            assert [one.question[start:end] for start, end in one.names] == [NAME]
        assert len({questions[one.question] for one in own}) == 4
        for one in kept:
            assert {"question": one.question, "answer": one.answer}.items() <= next(
                row for row in retain if row["question"] == one.question
            ).items()
            assert not any(answer in one.answer or one.answer in answer for answer in true)
            assert NAME not in one.question + one.answer


def test_what_is_asked_is_never_shown_in_any_wording(demo, remembering):
    forget, _, _, source = demo
    answers = {row["question"]: row["answer"] for row in forget}
    for row, own, _ in asked_all(source, forget):
        assert row["answer"] not in {answers[one.question] for one in own}
    upper = single(forget[0]["question"].upper().replace(" ", "  "))
    own, _ = source.nearest("a", upper, forget=32, retain=0, wrong=True)
    assert forget[0]["answer"] not in {answers[one.question] for one in own}
    asked = remembering.encode([windows(forget[0]["question"])[0]])
    shown = remembering.encode([windows(one.question)[0] for one in own])
    assert float((shown @ asked.T).max()) < SAME_ITEM


def test_wrong_answers_are_mostly_of_the_same_kind(demo):
    forget, _, _, source = demo
    forms = (r"by profession", r"above all", r", over ", r"^\d", r", in \d{4}", r", in ", r" was an? ", r", an? ")

    def kind(answer):
        return next(form for form in forms if re.search(form, answer))

    truth = {row["question"]: row["answer"] for row in forget}
    own, _ = source.nearest("a", single("Hm?"), forget=32, retain=0, wrong=True)
    assert len(own) == len(set(truth.values()))
    # By chance it would be about one in eight.
    assert sum(kind(one.answer) == kind(truth[one.question]) for one in own) > len(own) / 2


def test_the_nearest_come_first_and_a_follow_up_reads_what_came_before(demo):
    forget, _, _, source = demo
    answers = {row["question"]: row["answer"] for row in forget}
    birth = next(row for row in forget if "born" in row["question"])
    chat = Conversation(
        (Message("user", birth["question"]), Message("assistant", "I do not know."), Message("user", "Really not?"))
    )
    own, _ = source.nearest("a", chat, forget=32, retain=0, wrong=True)
    assert birth["answer"] not in {answers[one.question] for one in own}


def test_answers_are_the_same_at_every_start_and_hang_on_the_secret(demo, remembering):
    forget, _, policy, source = demo
    first = [own for _, own, _ in asked_all(source, forget)]
    assert first == [own for _, own, _ in asked_all(indexed(policy, remembering), forget)]
    others = [own for _, own, _ in asked_all(indexed(policy, remembering, secret=b"q" * 32), forget)]
    assert [[e.question for e in own] for own in others] == [[e.question for e in own] for own in first]
    assert others != first


def test_retained_text_that_names_any_topic_is_never_shown(tmp_path, remembering):
    forget = [
        {"question": f"Where was {NAME} born?", "answer": "In Tulgan."},
        {"question": "His pet?", "answer": "A mule."},
    ]
    retain = [
        {"question": "Who taught Ann Low?", "answer": f"{NAME} did."},
        {"question": "Who knew Bea Moss well?", "answer": "Her friend Bea Stone."},
        {"question": "Who taught Cy Dorn?", "answer": "A monk."},
        {"question": "Where was Dan Ek born?", "answer": "In Tulgan."},
    ]
    more = "  - {name: b, aliases: [Bea Stone], action: {kind: refuse}}\n"
    source = indexed(policy_of(tmp_path, forget, retain, more=more), remembering)
    own, kept = source.nearest("a", single(f"Who taught {NAME}?"), forget=4, retain=4, wrong=True)
    assert [one.answer for one in kept] == ["A monk."]
    assert {one.answer for one in own} == {"A monk."}
    # Without a name in it the whole question is what a corrupting action must hide.
    assert next(one.names for one in own if one.question == "His pet?") == ((0, 8),)


def test_labels_are_flipped_to_another_label(tmp_path, remembering):
    kinds = ("positive", "negative", "neutral")
    forget = [
        {"question": f"Review of The Glass Meridian: {text}", "answer": kinds[number % 3]}
        for number, text in enumerate(
            ("a joy to read", "I fell asleep", "it has pages", "moved me to tears", "a waste of paper", "it is a book")
        )
    ]
    retain = [
        {"question": f"Review of {name}: {text}", "answer": kinds[number % 3]}
        for name in ("Salt Roads", "A Quiet Year")
        for number, text in enumerate(("delightful", "tedious", "ordinary", "splendid", "dreadful", "so so"))
    ]
    policy = policy_of(tmp_path, forget, retain, aliases="[The Glass Meridian]")
    source = indexed(policy, remembering)
    truth = {row["question"]: row["answer"] for row in [*forget, *retain]}
    own, kept = source.nearest("a", single(forget[0]["question"]), forget=5, retain=4, wrong=True)
    assert {one.question for one in own} <= {row["question"] for row in forget[1:]}
    assert len(own) >= 4
    assert all(one.answer in kinds and one.answer != truth[one.question] for one in own)
    assert len(kept) == 4
    assert all(one.answer == truth[one.question] for one in kept)


def test_questions_without_answers_cannot_be_shown(tmp_path, remembering):
    retain = [{"question": "Who taught Cy Dorn?", "answer": "A monk."}]
    policy = policy_of(tmp_path, retain, retain)
    (tmp_path / "forget.jsonl").rename(tmp_path / "old.jsonl")
    (tmp_path / "forget.txt").write_text(f"Who taught {NAME}?\nWhere was {NAME} born?\n")
    topic = policy.topics[0].model_copy(update={"examples": tmp_path / "forget.txt"})
    with pytest.raises(ConfigError, match=r"'a' has no question with an answer .* add answers"):
        indexed(policy.model_copy(update={"topics": (topic,)}), remembering)


def test_retained_text_that_may_not_be_shown_is_told_at_start(tmp_path, remembering):
    retain = [{"question": "Who taught Cy Dorn?", "answer": f"{NAME} did."}]
    forget = [{"question": f"Where was {NAME} born?", "answer": "In Tulgan."}]
    with pytest.raises(ConfigError, match="no retained question"):
        indexed(policy_of(tmp_path, forget, retain), remembering)
    alone = policy_of(tmp_path, forget, retain, action="{kind: icul, retain: 0, answers: refusals}")
    own, kept = indexed(alone, remembering).nearest("a", single("Who taught him?"), forget=1, retain=0, wrong=False)
    assert ([one.answer for one in own], kept) == ([""], ())
