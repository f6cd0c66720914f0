import random

from classifiers.synthesise import (
    FRAMES,
    about_description,
    about_names,
    about_passages,
    made_up_names,
    recurring_names,
    terms,
)


def test_names_fill_every_frame_and_frames_are_families():
    found = about_names(["Ada Quill", "The Glass Meridian"], random.Random(0))
    assert len({example.question for example in found}) == 2 * len(FRAMES)
    assert len({example.group for example in found}) == len(FRAMES)
    assert all("Ada Quill" in e.question or "The Glass Meridian" in e.question for e in found)
    assert len(about_names(["Ada Quill"], random.Random(0), most=5)) == 5


def test_terms_of_a_description():
    text = "The novels of Ada Quill about Port Vale, above all The Glass Meridian and its heroine Tamsin."
    assert terms(text) == ["Ada Quill", "Port Vale", "The Glass Meridian", "Tamsin"]
    assert terms("how to pick door locks without a key") == ["pick door locks"]


def test_a_description_gives_itself_and_questions_about_its_terms():
    found = [e.question for e in about_description("Ada Quill wrote novels. She lived in Port Vale.", random.Random(0))]
    assert found[:3] == [
        "Ada Quill wrote novels. She lived in Port Vale.",
        "Ada Quill wrote novels.",
        "She lived in Port Vale.",
    ]
    assert "Who was Ada Quill?" in found


def test_a_books_own_names_are_asked_about_but_not_everybodys():
    pages = [
        "At dawn Tamsin left Port Vale for Paris.",
        "In Port Vale nobody saw Tamsin in Paris.",
        "Later, as Tamsin slept, it rained in Paris.",
        "They told Tamsin of Paris.",
    ]
    assert set(recurring_names(pages, "what is the capital of france? paris")) == {"Port Vale", "Tamsin"}
    found = about_passages(pages, "paris", random.Random(0))
    assert [example.question for example in found[:4]] == pages
    assert all(example.passage for example in found[:4])
    assert any("Port Vale" in example.question and not example.passage for example in found[4:])
    assert not any("Paris" in example.question for example in found[4:])


def test_made_up_names_look_like_names():
    found = made_up_names(20, random.Random(0))
    assert all(name.istitle() and len(name.split()) == 2 for name in found)
    assert found == made_up_names(20, random.Random(0))
