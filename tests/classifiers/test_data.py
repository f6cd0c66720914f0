import pytest

from classifiers.data import Example, load_examples
from classifiers.general import load_general, questions
from guard.errors import ConfigError


def test_extra_fields_are_passed_over_and_groups_found(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(
        '{"question": "Q\u2028?", "answer": "A", "other": []}\n\n{"question": "R", "answer": "B", "person": "P"}',
        encoding="utf-8-sig",
    )
    assert load_examples(path) == [Example("Q\u2028?", "A", "A"), Example("R", "B", "P")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b'{"question": "Q", "answer": "A"}\nnonsense', ":2: not a JSON object"),
        (b"[1]", ":1: expected"),
        (b'{"question": "Q"}', ":1: the field 'answer'"),
        (b'{"question": "", "answer": "A"}', ":1: the field 'question'"),
        ('{"question": "é", "answer": "A"}'.encode("latin-1"), "not UTF-8"),
    ],
)
def test_unusable_files_say_why(tmp_path, content, words):
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load_examples(path)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_examples(tmp_path / "none.jsonl")


def test_the_shipped_questions_are_what_the_generator_makes():
    shipped = load_general()
    assert [example.question for example in shipped] == [text.replace("\\n", "\n") for _, text in questions()]
    assert len(shipped) >= 1500
    assert len({example.group for example in shipped}) > 100
