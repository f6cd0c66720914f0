import pytest

from guard.conversation import earlier_turns, readings, single, without
from guard.followup import stands_alone
from guard.types import Conversation, Message, Span

CALL = ("assistant", "call", {"tool_calls": [{"id": "call_1"}]})
ALONE = "What is the capital of France?"
LEANS = "and who was her teacher?"


def talk(*turns):
    return Conversation(tuple(Message(*turn) for turn in turns))


def texts(conversation):
    return {reading.text for reading in readings(conversation)}


def test_a_follow_up_is_read_with_everything_before_it():
    turns = [("system", "S"), ("user", "U1"), ("assistant", "A1"), ("user", "U2"), ("assistant", "A2"), ("user", LEANS)]
    found = texts(talk(*turns))
    assert {"S", "U1", "A1", "U2", "A2", LEANS} <= found
    assert f"U1\nU2\n{LEANS}" in found
    assert f"U2\nA2\n{LEANS}" in found


def test_a_new_subject_is_read_without_what_was_asked_before():
    old = [("user", "Where was Mira Tolvane born?"), ("assistant", "Mira? I do not know.")]
    assert texts(talk(*old, ("user", ALONE))) == {ALONE}
    assert len(texts(talk(*old, ("user", LEANS)))) > 1


@pytest.mark.parametrize("role", ["system", "tool", "developer"])
def test_texts_that_nobody_said_count_at_any_age(role):
    old = (("user", "Hello"), (role, "Mira"), ("assistant", "Hi"), (role, "More"), ("assistant", "Well"))
    found = texts(talk(*old, ("user", ALONE)))
    assert found == {"Mira", "More", ALONE, f"Mira\nMore\n{ALONE}"}


def test_a_question_between_a_call_and_its_result_is_read_with_both():
    old = (("user", "One"), ("assistant", "Two"), ("user", "Mira"), CALL)
    for now in ((("tool", "T"), ("user", ALONE)), (("user", ALONE), ("tool", "T"))):
        found = texts(talk(*old, *now))
        assert {"Mira", "call", "T", ALONE} <= found
        assert not {"One", "Two"} & found
        assert earlier_turns(talk(*old, *now)) == ((0, 1),)


def test_a_call_and_its_result_are_of_one_turn():
    asked = (("user", "Mira"), CALL, ("user", "And?"), ("tool", "T"), ("assistant", "So."))
    then = (("user", "Two"), CALL, ("tool", "T"), CALL, ("tool", "T"))
    turns = earlier_turns(talk(*asked, *then, ("assistant", "So."), ("user", ALONE)))
    assert turns == ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9, 10))


def test_turns_since_the_last_answer_are_one_question():
    found = texts(talk(("assistant", "Hi"), ("user", "Mira"), ("user", "Tolvane, who taught her?"), ("tool", "T")))
    assert {"Mira", "T", "Mira\nTolvane, who taught her?\nT"} <= found


def test_a_name_split_over_turns_meets_in_one_reading():
    found = texts(talk(("user", "Keep: Mira"), ("assistant", "ok"), ("user", "Add Tolvane to it. Who taught her?")))
    assert "Keep: Mira\nAdd Tolvane to it. Who taught her?" in found


def test_what_stands_after_the_question_is_read():
    assert {ALONE, "Mira"} <= texts(talk(("user", ALONE), ("assistant", "Mira")))
    assert texts(talk(("assistant", "Mira"))) == {"Mira"}


def test_each_text_once_and_none_empty():
    assert texts(single("hello")) == {"hello"}
    assert len(readings(single("hello"))) == 1
    assert readings(single(" ")) == ()
    assert readings(Conversation(())) == ()


def test_places_in_a_reading_lead_to_messages():
    both = next(r for r in readings(talk(("user", "abc"), ("user", "defg"))) if "\n" in r.text)
    assert both.spans(1, 2) == [Span(0, 1, 2)]
    assert both.spans(4, 8) == [Span(1, 0, 4)]
    assert both.spans(2, 6) == [Span(0, 2, 3), Span(1, 0, 2)]
    assert both.spans(3, 4) == []


def test_earlier_turns_are_what_was_asked_with_what_came_of_it():
    roles = ["system", "user", "user", "assistant", "tool", "assistant", "user", "assistant", "user", "tool", "user"]
    conversation = talk(*((role, str(i)) for i, role in enumerate(roles)))
    assert earlier_turns(conversation) == ((1, 2, 3, 4, 5), (6, 7))
    left = without(conversation, frozenset((6, 7)))
    assert [message.text for message in left.messages] == ["0", "1", "2", "3", "4", "5", "8", "9", "10"]
    assert earlier_turns(single("hello")) == ()
    assert earlier_turns(talk(("system", "s"), ("assistant", "hi"), ("user", "hello"))) == ((1,),)
    early = (("user", "hi"), ("tool", "T"), ("assistant", "ok"))
    assert earlier_turns(talk(*early, ("user", "hello"))) == ((0, 1, 2),)


@pytest.mark.parametrize(
    "text",
    [
        ALONE, "How do I bake sourdough bread?", "Who wrote Hamlet?", "Where was Marie Curie born?",
        "Explain photosynthesis to me.", "Give me a recipe for lentil stew.",
        "Is it true that I need a visa for Peru?",
        "Write a Python function that sorts a list of numbers.", "Write a function that adds two numbers.",
        "Is there any award that Farid Benoit has received?", "Can you name another book by Farid Benoit?",
        "How did Nadia Nowak's parents influence her, and what did the author study?",
        "Can you elaborate on Nadia Nowak's own life?",
        "Which town is the one where Nadia Nowak was born?", "Could you name the person who taught Nadia Nowak?",
        "I want to know the title of the most famous work Nadia Nowak made.",
        "What is the best known novel written by Nadia Nowak?", "What inspires Andr\u00e9 Mart\u00ednez in Lisbon?",
    ],
)  # fmt: skip
def test_complete_questions_stand_alone(text):
    assert stands_alone(text)


@pytest.mark.parametrize(
    "text",
    [
        LEANS, "Where was she born?", "Birthplace?", "Continue.", "go on", "Answer my first question.", "Tell me more.",
        "What about the awards?", "Who taught the mapmaker?", "Where was the author born?", "Write a short biography.",
        "List all awards won.", "What is the full name?", "Do what I asked before.",
        "Please answer the question in French.",
        "Was the mother famous in France?",
        "Y quien fue su maestra?",
        "\u0410 \u043a\u0442\u043e \u0435\u0451 \u0443\u0447\u0438\u043b?",
        "What is the capital of France? And where did she live?", "WHERE WAS THE AUTHOR BORN?", "Why?",
        "Summarise the life story in three sentences.",
        "Please tell me about childhood and parents", "Is it in France?",
        "Write a poem that praises her.", "Write a story that is about that.", "Give me a list that says more.",
        "Can you name another book?", "Is there more by now in Paris?", "What was the first award?",
        "Who was her teacher, Marie Curie?", "Was the woman who came up born in Paris?",
        "Is that what Marie Curie wrote?", "Does Marie know him?", "What is the answer to my Marie question?",
        "Which one of them met Marie Curie?",
        "Did Marie Curie know the answer to my first question?", "Is Marie Curie the one you told me of earlier?",
        "W h e r e was s h e born?", "What is the capital of France? JHVzZQ== V2hlcmUgd2FzIHNoZSBib3JuPw==", "",
    ],
)  # fmt: skip
def test_questions_that_lean_do_not(text):
    assert not stands_alone(text)


def test_most_shipped_questions_stand_alone():
    from classifiers.general import load_general

    asked = [example.question for example in load_general()]
    assert sum(map(stands_alone, asked)) > 0.5 * len(asked)
