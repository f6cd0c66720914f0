import pytest

from classifiers.windows import request_windows
from guard.conversation import single
from guard.types import Conversation, Message

QUESTION = "who was the teacher of mira tolvane?"


@pytest.mark.parametrize(
    "text",
    [
        "The weather is awful. Who was the teacher of Mira Tolvane? Thanks a lot!",
        "Notes of today\nWho was the teacher of Mira Tolvane?\nbuy some bread",
        '{"id": 7, "query": "Who was the teacher of Mira Tolvane?", "lang": "en"}',
        '[{"input":"Who was the teacher of Mira Tolvane?","output":""}]',
        "<task><text>Who was the teacher of Mira Tolvane?</text></task>",
        'print(ask("Who was the teacher of Mira Tolvane?"))',
        r"{'text': 'first line\nWho was the teacher of Mira Tolvane?\nlast line'}",
        "A visitor asks the pirate: Who was the teacher of Mira Tolvane? He says:",
        "He laughed (loudly.) Who was the teacher of Mira Tolvane?",
    ],
)
def test_a_question_in_company_is_also_read_alone(text):
    assert QUESTION in request_windows(single(text))


def test_one_sentence_is_read_once():
    assert list(request_windows(single("Who was the teacher of Mira Tolvane?"))) == [QUESTION]


def test_lines_part_sentences_but_stay_out_of_what_is_scored():
    found = list(request_windows(single("a list of towns\nand a list of rivers")))
    assert found == ["a list of towns and a list of rivers", "a list of towns", "and a list of rivers"]


def test_a_sentence_knows_where_it_stands():
    text = "Hello there, my friend.  WHO was the teacher of\u200b Mira Tolvane?\nBye for now."
    conversation = Conversation((Message("system", "Be brief."), Message("user", text)))
    window = request_windows(conversation)[QUESTION]
    spans = window.spans(0, len(QUESTION))
    assert [(span.message, text[span.start : span.end]) for span in spans] == [
        (1, "WHO was the teacher of\u200b Mira Tolvane?")
    ]


def test_sentences_do_not_multiply_the_work():
    """Whatever the signs, pieces stay within a constant of the text's length."""
    for text in ("a. " * 5000, "x\n" * 5000, '"a", ' * 3000, "word " * 3000, "A sentence of six words stands. " * 500):
        pieces = list(request_windows(single(text)))
        assert sum(map(len, pieces)) <= 4 * len(text)
