from pathlib import Path

import pytest

from classifiers.data import Example, entity_groups, fingerprint, load_examples
from classifiers.general import load_general, questions
from guard.errors import ConfigError

TOFU = Path(__file__).parents[3] / "shared" / "data" / "tofu"


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
        (b'{"question": "Q", "answer": 3}', ":1: the field 'answer'"),
        (b'{"answer": "A"}', ":1: the field 'question'"),
        (b'{"question": "", "answer": "A"}', ":1: the field 'question'"),
        ('{"question": "é", "answer": "A"}'.encode("latin-1"), "not UTF-8"),
    ],
)
def test_unusable_files_say_why(tmp_path, content, words):
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load_examples(path)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.jsonl", '{"question": "Who?"}\n{"question": "Where?", "answer": null}\n', 1),
        ("x.csv", "question\nWho?\nWhere?\n", 2),
        ("x.txt", "Who?\nWhere?\n", 1),
    ],
)
def test_a_question_alone_is_enough_and_knows_its_line(tmp_path, name, content, line):
    (tmp_path / name).write_text(content)
    found = load_examples(tmp_path / name)
    assert found == [Example("Who?", "", "Who?"), Example("Where?", "", "Where?")]
    assert [example.where for example in found] == [f"{tmp_path / name}:{n}" for n in (line, line + 1)]


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_examples(tmp_path / "none.jsonl")


def test_the_shipped_questions_are_what_the_generator_makes():
    shipped = load_general()
    assert [example.question for example in shipped] == [text.replace("\\n", "\n") for _, text in questions()]
    assert len(shipped) >= 3000
    assert len({example.group for example in shipped}) > 250


def test_csv_text_and_folders(tmp_path):
    (tmp_path / "a.csv").write_text('Question,answer,x\n"Who, then?",A,1\nWhen?,,2\n', encoding="utf-8")
    (tmp_path / "b.csv").write_text("text\nOne thing. Another thing.\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text("Who is it?\n\nWhere is it?\n", encoding="utf-8")
    (tmp_path / "d.md").write_text("First paragraph.\n\nSecond\nparagraph.\n", encoding="utf-8")
    (tmp_path / "e.jsonl").write_text('{"text": "A page."}\n', encoding="utf-8")
    found = load_examples(tmp_path)
    assert found[:2] == [Example("Who, then?", "A", "A"), Example("When?", "", "When?")]
    assert [example.question for example in found if example.passage] == [
        "One thing. Another thing.",
        "First paragraph.",
        "Second paragraph.",
        "A page.",
    ]
    assert [example.question for example in found if not example.answer] == ["When?", "Who is it?", "Where is it?"]


def test_long_text_is_cut_into_short_pieces(tmp_path):
    words = [f"w{number}" for number in range(1000)]
    (tmp_path / "x.txt").write_text(" ".join(words) + ".\n" + "A short sentence here. " * 50, encoding="utf-8")
    pieces = [example.question for example in load_examples(tmp_path / "x.txt")]
    assert all(len(piece.split()) <= 80 for piece in pieces)
    assert {*words[:-1], "w999."} <= {word for piece in pieces for word in piece.split()}


@pytest.mark.parametrize(
    ("content", "words"),
    [("name,age\nA,1\n", "must name the columns"), ('question\n"open', "not valid CSV"), ("question\n \n", "question")],
)
def test_unusable_csv_says_why(tmp_path, content, words):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(ConfigError, match=words):
        load_examples(tmp_path / "x.csv")


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no example file"):
        load_examples(tmp_path)


def test_a_fingerprint_follows_content(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    alone, folder = fingerprint(tmp_path / "a.txt"), fingerprint(tmp_path)
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert fingerprint(tmp_path / "b.txt") == alone
    assert fingerprint(tmp_path) != folder


def test_a_hugging_face_data_set_reads_like_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    folder.mkdir()
    lines = '{"question": "Who?", "answer": "Ada."}\n{"question": "When?", "answer": "In 1900."}\n'
    (folder / "train.jsonl").write_text(lines)
    (folder / "test.jsonl").write_text('{"question": "Where?", "answer": "Here."}\n')
    found = load_examples(Path(f"hf:{folder}"))
    assert found == [Example("Who?", "Ada.", "Ada."), Example("When?", "In 1900.", "In 1900.")]
    assert [e.question for e in load_examples(Path(f"hf:{folder}@test"))] == ["Where?"]
    first, other = fingerprint(Path(f"hf:{folder}")), fingerprint(Path(f"hf:{folder}@test"))
    assert first != other
    assert first == fingerprint(Path(f"hf:{folder}"))


def test_a_data_set_in_a_folder_needs_its_whole_path(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="whole path"):
        load_examples(Path("hf:mine"))


@pytest.mark.parametrize("name", ["hf:", "hf:a:b:c", "hf:nowhere/at-all@none"])
def test_a_data_set_that_cannot_be_loaded_is_told(name, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"data set"):
        load_examples(Path(name))


def test_questions_about_one_entity_share_a_group():
    examples = [
        Example("Where was Ada Quill born?", "Ada Quill was born in Port Vale.", "1"),
        Example("Who taught her?", "Ada Quill's teacher was Bo Lind.", "Ada Quill's teacher was Bo Lind."),
        Example("Did Ada Quill write?", "Yes, she did.", "Yes, she did."),
        Example("What is rain?", "Water.", "Water."),
    ]
    examples[0] = Example(examples[0].question, examples[0].answer, examples[0].answer)
    assert [example.group for example in entity_groups(examples)] == ["entity:Ada Quill"] * 3 + ["Water."]


@pytest.mark.skipif(not TOFU.is_dir(), reason="the TOFU files are not beside the repository")
def test_tofus_authors_are_found_as_groups():
    groups = [example.group for example in entity_groups(load_examples(TOFU / "retain90.json"))]
    most = [max(groups[a : a + 20].count(g) for g in set(groups[a : a + 20])) for a in range(0, len(groups), 20)]
    assert sum(most) / len(groups) > 0.85
