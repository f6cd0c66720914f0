"""What tools are called with is read without JSON's escapes, and leaves as the model wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import DONE, Sending, chunk, compact, reply, sse
from test_answer_texts import ASKED, answered, call, calling, event, told
from watches import Word

from guard.errors import EngineError
from guard.output.protected import Mark, Protected, Strength
from guard.output.sentences import SEPARATOR
from guard.output.watch import GuardedOutput
from guard.types import Conversation, Message, Pass
from serve.dialects.chat import ChatDialect
from serve.dialects.chat_parts import Part, Woven
from serve.dialects.escapes import Unescaped

ESCAPED = r'{"a": "\"S\u0065cr\u0065t\" \ud83d\ude00\n"}'


def read(*pieces: str) -> list[tuple[str, str]]:
    text = Unescaped()
    return [pair for number, piece in enumerate(pieces, 1) for pair in text.feed(piece, last=number == len(pieces))]


@given(st.text(), st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_text_is_read_as_json_reads_it_wherever_it_is_cut(text: str, data: st.DataObject) -> None:
    written = json.dumps(text, ensure_ascii=data.draw(st.booleans()))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=4)))
    pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    pairs = read(*pieces)
    assert "".join(letter for letter, _ in pairs)[1:-1] == text
    assert "".join(as_it_was for _, as_it_was in pairs) == written


@pytest.mark.parametrize(
    ("written", "letters"),
    [
        (r"\u0041\x41A", "AAA"), (r"\q\uZ\x4", "quZx4"), (r"\\u0041", r"\u0041"), (r"\/\b\f\n\r\t", "/\b\f\n\r\t"),
        (r"\ud83d\u0041", "\ufffdA"), (r"\ude00\ud83d", "\ufffd\ufffd"), ("a\\", "a\\"), (r"\u00", "u00"),
    ],
)  # fmt: skip
def test_what_is_no_escape_is_read_without_its_backslash(written: str, letters: str) -> None:
    pairs = read(*written)
    assert "".join(letter for letter, _ in pairs) == letters
    assert "".join(as_it_was for _, as_it_was in pairs) == written


@pytest.mark.parametrize("cut", range(len(ESCAPED) + 1))
async def test_an_escaped_word_is_seen_wherever_its_pieces_end(dialect: ChatDialect, cut: int) -> None:
    pieces = [*sse(*calling(ESCAPED[:cut], ESCAPED[cut:])), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True, **ASKED)
    assert told(got.events)[3] == r'{"a": "\"'
    assert got.finish() == ["stop"]
    clean = await reply(Pass(Word("Nothing")), dialect, Sending(pieces), stream=True, **ASKED)
    assert told(clean.events)[3] == ESCAPED
    masked = await reply(Pass(Word(hit="redact")), dialect, Sending(pieces), stream=True, **ASKED)
    assert told(masked.events)[3] == r'{"a": "\"***\" \ud83d\ude00\n"}'


async def test_an_escaped_word_is_seen_in_a_whole_answer(dialect: ChatDialect) -> None:
    body = compact(answered(None, "Hi", ESCAPED)).encode()
    got = await reply(Pass(Word()), dialect, Sending([body], "application/json"), **ASKED)
    assert "tool_calls" not in json.loads(got.body)["choices"][0]["message"]
    clean = await reply(Pass(Word("Nothing")), dialect, Sending([body], "application/json"), **ASKED)
    assert clean.body == body


async def test_what_is_said_may_look_like_an_escape(dialect: ChatDialect) -> None:
    pieces = [*sse(chunk("", role=True), chunk(r"a \u00"), chunk("41\\"), chunk("", finish="stop")), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True, **ASKED)
    assert got.body == b"".join(pieces)


async def test_an_escape_that_another_text_tears_ends_the_stream(dialect: ChatDialect) -> None:
    torn = [event(call(name="look_up")), event(call(r'{"a": "\u00')), chunk("Hi"), event(call('53ecret"}'))]
    got = await reply(Pass(Word()), dialect, Sending([*sse(chunk("", role=True), *torn), DONE]), stream=True, **ASKED)
    assert "error" in got.events[-1]
    assert b"ecret" not in got.body


def test_the_separator_is_not_written_as_an_escape() -> None:
    with pytest.raises(EngineError):
        Woven().weave([Part("arguments", json.dumps(SEPARATOR))], last=True)


SPANS = [("ostrava bay", Mark("t", Strength.STRONG)), ("bay", Mark("t", Strength.STRONG))]
WORDS = st.lists(st.sampled_from([" Ostrava ", " Bay ", "\n", ". ", "\u00e9", '"']), max_size=12).map("".join)


@given(WORDS, st.lists(st.integers(0, 200), max_size=6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_leaves_beside_masks_is_what_was_written(text: str, places: list[int]) -> None:
    """The real guard of answers: whatever is masked, all else leaves as it came."""
    written: dict[Any, str] = {}
    for number, ascii_only in enumerate((True, False)):
        arguments = json.dumps({"a": text}, ensure_ascii=ascii_only)
        cuts = sorted(place for place in places if place < len(arguments))
        protected = Protected(SPANS, {"t": "redact"})
        conversation = Conversation((Message("user", "?"),))
        watch = GuardedOutput(protected, conversation, asked=(), refusal="No.").watch()
        woven, left = Woven(), ""
        for a, b in zip([0, *cuts], [*cuts, len(arguments)], strict=True):
            release = watch.feed(woven.weave([Part("arguments", arguments[a:b])], last=b == len(arguments)))
            left += "".join(part.text for part in woven.part(release))
        left += "".join(part.text for part in woven.part(watch.finish()))
        written[number] = json.loads(left)["a"]
        assert "Bay" not in left
        if "Bay" not in text:
            assert left == arguments
    assert written[0] == written[1]
