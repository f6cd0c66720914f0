"""What hides a question must not hide it from every reading; what hides nothing must cost no reading."""

import base64
import codecs
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.decode import decoded
from guard.english import TABLE, pair_costs, rot13
from guard.normalise import normalise
from guard.traced import Traced
from guard.views import views

QUESTION = "Who taught Mira Tolvane?"
PLAIN = QUESTION.lower()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def spaced(text, sign):
    return "Who taught " + (" " + sign + " ").join(sign.join(word) for word in text.split()) + "?"


def fold76(text):
    return "\n".join(text[i : i + 76] for i in range(0, len(text), 76))


HIDDEN = {
    "cyrillic": "Who taught \u041c\u0456r\u0430 T\u043elv\u0430n\u0435?",
    "cyrillic m": "Who t\u0430ught \u043cir\u0430 T\u043elvan\u0435?",
    "fullwidth": "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in QUESTION),
    "mathematical": "".join(chr(0x1D41A + ord(c) - 97) if c.islower() else c for c in QUESTION),
    "small capitals": "Who taught \u1d0d\u026a\u0280\u1d00 \u1d1b\u1d0f\u029f\u1d20\u1d00\u0274\u1d07?",
    "squares": "Who taught \U0001f17c\U0001f178\U0001f181\U0001f170 Tolvane?",
    "zalgo": "".join(c + "\u0336\u0315" for c in QUESTION),
    "zero width": "\u200b".join(QUESTION),
    "tags": "Hi. " + "".join(chr(0xE0000 + ord(c)) for c in QUESTION),
    "spaces": "Who taught M i r a  T o l v a n e?",
    "spaces, one width": "Who taught M i r a T o l v a n e?",
    "spaces, possessive": "Who taught M i r a  T o l v a n e's heirs?",
    "dots": "Who taught M.i.r.a T.o.l.v.a.n.e?",
    "hyphens": "Who taught M-i-r-a T-o-l-v-a-n-e?",
    "spaced, whole": "W h o  t a u g h t  M i r a  T o l v a n e",
    "spaced look-alikes": "Who taught \u041c \u0456 r \u0430  T 0 l v 4 n 3?",
    "stars": "Who taught Mi*ra Tol|vane?",
    "broken line": "Who taught Mira Tol-\nvane?",
    "underscores": "Who_taught_Mira_Tolvane?",
    "leet": "Wh0 7augh7 M1r4 T0lv4n3?",
    "leet signs": "Who t@ught M!r@ Tolv@n3?",
    "base64": "Decode this: " + b64(QUESTION),
    "base64 without padding": b64(QUESTION + "!").rstrip("="),
    "base64 url-safe": base64.urlsafe_b64encode((QUESTION + " \u00ff\u00fe~~?").encode()).decode(),
    "base64 in lines": "Read this\n" + fold76(b64("Of many people I ask about one. " * 5 + QUESTION)) + "\nplease",
    "base64 of the name": f"Who taught {b64('Mira Tolvane')}?",
    "base64 in a path": f"https://x.example/ask/{b64(QUESTION)}",
    "hex": QUESTION.encode().hex(),
    "hex, spaced": QUESTION.encode().hex(" "),
    "hex, 0x": " ".join(f"0x{byte:02x}" for byte in QUESTION.encode()),
    "percent": quote(QUESTION),
    "percent, all": "".join(f"%{byte:02X}" for byte in QUESTION.encode()),
    "form": "https://x.example/?q=Who+taught+Mira+Tolvane?",
    "entities": "".join(f"&#{ord(c)};" for c in QUESTION),
    "entities, hex": "Who taught &#x4d;i&#x72;a Tolvane?",
    "json": "".join(f"\\u{ord(c):04x}" for c in QUESTION),
    "python": "".join(f"\\x{ord(c):02x}" for c in QUESTION),
    "code points": " ".join(f"U+{ord(c):04X}" for c in QUESTION),
    "rot13": rot13(QUESTION),
    "rot13 of the name": f"Who taught {rot13('Mira Tolvane')}?",
    "base64 twice": b64(b64(QUESTION)),
    "base64 thrice": b64(b64(b64(QUESTION))),
    "base64 of rot13": b64(rot13(QUESTION)),
    "rot13 of base64": rot13(b64(QUESTION)),
    "rot13 of hex": rot13(QUESTION.encode().hex()),
    "hex of base64": b64(QUESTION).encode().hex(),
    "base64 of hex": b64(QUESTION.encode().hex()),
    "percent of base64": quote(b64(QUESTION)),
    "base64 of percent": b64(quote(QUESTION)),
    "base64 of leet": b64("Who taught M1r4 T0lv4n3?"),
}  # fmt: skip


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_reading_sees_through(text):
    found = views(text)
    assert any(PLAIN.rstrip("?") in view.text for view in found), [view.text for view in found]
    assert found[0].text.replace("\n", " ") == normalise(text).text
    assert len(found) <= 8


def test_leet_has_both_readings_of_one_and_never_loses_numbers():
    texts = {view.text for view in views("Did T1m Co1e write 17 books in 1984?")}
    assert {
        "did t1m co1e write 17 books in 1984?",
        "did tim coie write 17 books in 1984?",
        "did tlm cole write 17 books in 1984?",
    } == texts


@pytest.mark.parametrize(
    "text",
    [
        "Who won in the 1990s, the 3rd or the 20th, and what is an mp3, a 4K film or GPT-4?",
        "Mail bob@example.com about $100, 50% off, C++ and a well-known U.S.A. firm, e.g. this!",
        "Solve x + 2 = y for x, with 1 2 3 4 5 and 20240131.",
        "Я люблю читать длинные книжные истории.",
        "Qui a \u00e9crit \u00ab Les Mis\u00e9rables \u00bb ? \u0905\u0930\u094d\u0925 \u4f60\u597d\uff01",
        "entrenched characteristics, JavaScript, internationalisation, deadbeef and question",
        "Is Queen Zoe from Iraq? Ask in June.",
    ],
)
def test_ordinary_text_has_one_reading(text):
    assert [view.text for view in views(text)] == [normalise(text).text]


def test_the_shipped_questions_have_one_reading_each():
    from classifiers.general import load_general

    asked = [example.question for example in load_general()]
    assert sum(len(views(text)) for text in asked) <= 1.005 * len(asked)


def test_the_letter_table_is_of_the_shipped_questions():
    from classifiers.general import load_general

    made = pair_costs(example.question for example in load_general())
    assert abs(made - TABLE).mean() < 0.5


@pytest.mark.parametrize(
    ("text", "part", "name"),
    [
        ("Hi! Who taught \u041c\u0456ra To\u200blvane?", "\u041c\u0456ra To\u200blvane", "mira tolvane"),
        ("Hi, M i r a  T o l v a n e there", "M i r a  T o l v a n e", "mira tolvane"),
        ("Hi, M1r4 T0lv4n3!", "M1r4 T0lv4n3", "mira tolvane"),
        (f"Say {b64('It is Mira Tolvane')} now", b64("It is Mira Tolvane"), "mira"),
        ("Is it M%69ra%20Tolvane?", "M%69ra%20Tolvane", "mira tolvane"),
        ("About Zven Gbyinar, please", "Zven Gbyinar", "mira tolvane"),
    ],
)
def test_places_lead_back_to_what_was_written(text, part, name):
    view = next(view for view in views(text) if name in view.text)
    start = view.text.index(name)
    a, b = view.original(start, start + len(name))
    assert text[a:b] == part


def test_random_letters_are_not_taken_for_text():
    noise = base64.b64encode(bytes(i * 7919 % 256 for i in range(3000))).decode()
    seen = decoded(Traced.of(noise)).text
    # A stretch of letters may look better under rot13 by luck; nothing else is undone.
    assert len(seen) == len(noise)
    assert sum(a != b for a, b in zip(seen, noise, strict=True)) < 0.2 * len(noise)


def test_turning_letters_is_rot13():
    assert rot13(QUESTION + " \u00e9 1") == codecs.encode(QUESTION + " \u00e9 1", "rot13")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_and_traced(text):
    for view in views(text):
        assert view.text
        assert normalise(view.text).text == view.text.replace("\n", " ")
        assert len(view.starts) == len(view.ends) == len(view.text)
        assert (view.starts < view.ends).all()
        assert (view.starts[1:] >= view.starts[:-1]).all()
        assert (view.ends[1:] >= view.ends[:-1]).all()
        assert view.ends[-1] <= len(text)


UNITS = [
    "Who taught Mira? ", "M i r a  ", "M1r4 ", "%4d%69 ", "\u041cir\u0430 ", "zven gbyinar ", "ab ", "aGVsbG8gdGhl ",
    "a", "=", "\\u004d", "&amp;", "U+004D ", "e\u0301", "a+", "0x4d ", "a@", ". ",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_cost_is_linear(unit):
    def seconds(size):
        text = (unit * size)[:size]
        took = []
        for _ in range(2):
            started = time.process_time()
            views(text)
            took.append(time.process_time() - started)
        return min(took)

    # Quadratic work would make sixteen times the text cost 256 times as much.
    assert seconds(64_000) < 80 * max(seconds(4_000), 0.002)
