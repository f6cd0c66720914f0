"""Thoughts and tool calls in answers go through the guard as what is said does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streams import DONE, Sending, chunk, compact, reply, sse, usage_event, whole
from watches import REPLACEMENT, Word

from guard.errors import EngineError
from guard.output.protected import Mark, Protected, Strength
from guard.output.sentences import SEPARATOR
from guard.output.watch import GuardedOutput
from guard.types import Conversation, Message, Pass
from serve.dialects.chat import ChatDialect
from serve.dialects.chat_parts import Part, Woven

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
ASKED: dict[str, Any] = {"tools": [TOOL], "tool_choice": "auto"}


def call(arguments: str = "", *, name: str | None = None, index: int = 0) -> dict[str, Any]:
    """A delta with some of a tool call."""
    if name is None:
        return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"id": f"call-{index}", "type": "function", "index": index, "function": function}]}


def event(delta: dict[str, Any], *, finish: str | None = None) -> dict[str, Any]:
    made = chunk("", finish=finish)
    made["choices"][0]["delta"] = delta
    return made


def calling(*arguments: str, name: str = "look_up") -> list[dict[str, Any]]:
    """A stream in which the model thinks, speaks and calls a tool."""
    opened = [chunk("", role=True), event({"reasoning": "Let me "}), event({"reasoning": "see."}), chunk("One moment.")]
    told = [event(call(name=name)), *(event(call(text)) for text in arguments)]
    return [*opened, *told, event({}, finish="tool_calls")]


def told(answers: list[dict[str, Any]]) -> tuple[str, str, str, str]:
    """What was thought, said, and what tool was called with what."""
    found = ["", "", "", ""]
    for answer in answers:
        for choice in answer["choices"]:
            delta = choice["delta"]
            found[0] += delta.get("reasoning") or ""
            found[1] += delta.get("content") or ""
            for one in delta.get("tool_calls", ()):
                found[2] += one["function"].get("name") or ""
                found[3] += one["function"].get("arguments") or ""
    return found[0], found[1], found[2], found[3]


async def test_clean_thoughts_and_calls_pass_as_they_are_and_at_once(dialect: ChatDialect) -> None:
    pieces = [*sse(*calling('{"who": ', '"Nobody"', "}"), usage_event(9, 5)), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True, **ASKED)
    assert got.log == [(way, piece) for piece in pieces for way in ("in", "out")]


async def test_several_calls_in_one_event_pass_as_they_are(dialect: ChatDialect) -> None:
    both = {"tool_calls": call('{"a": 1}', name="one")["tool_calls"] + call("{}", name="two", index=1)["tool_calls"]}
    pieces = [*sse(chunk("", role=True), event(both), event({}, finish="tool_calls")), DONE]
    got = await reply(Pass(Word()), dialect, Sending(pieces), stream=True, **ASKED)
    assert got.body == b"".join(pieces)


@pytest.mark.parametrize("place", range(4), ids=["reasoning", "content", "name", "arguments"])
async def test_a_hit_anywhere_ends_a_stream(dialect: ChatDialect, place: int) -> None:
    given = ["I think of ", "It is ", "look_up_", '{"who": "the ']
    given[place] += "Secret"
    thought, said, name, arguments = given
    events = [
        chunk("", role=True), event({"reasoning": thought[:-3]}), event({"reasoning": thought[-3:]}), chunk(said),
        event(call(name=name)), event(call(arguments[:-2])), event(call(arguments[-2:])),
        event({}, finish="tool_calls"),
    ]  # fmt: skip
    got = await reply(Pass(Word()), dialect, Sending([*sse(*events), DONE]), stream=True, **ASKED)
    kept = told(got.events)
    assert kept[:place] == tuple(given[:place])
    assert "".join(kept[place + 1 :]) == ""
    # A name means nothing in part.
    assert kept[place] == ("" if place == 2 else given[place].removesuffix("Secret"))
    assert got.finish() == ["stop"]
    assert got.body.endswith(DONE)


async def test_what_is_held_back_leaves_in_its_own_field(dialect: ChatDialect) -> None:
    events = [
        chunk("", role=True), event({"reasoning": "my Se"}), chunk("that is Sec"), event(call(name="look_up")),
        event(call('{"q": "Sec')), event(call('"}')), event({}, finish="tool_calls"),
    ]  # fmt: skip
    got = await reply(Pass(Word()), dialect, Sending([*sse(*events), DONE]), stream=True, **ASKED)
    assert told(got.events) == ("my Se", "that is Sec", "look_up", '{"q": "Sec"}')
    assert got.finish() == ["tool_calls"]
    ids = [c["id"] for e in got.events for c in e["choices"][0]["delta"].get("tool_calls", ()) if "id" in c]
    assert ids == ["call-0"]


async def test_a_call_can_be_masked(dialect: ChatDialect) -> None:
    events = calling('{"who": "Se', 'cret"}')
    got = await reply(Pass(Word(hit="redact")), dialect, Sending([*sse(*events), DONE]), stream=True, **ASKED)
    assert told(got.events)[3] == '{"who": "***"}'
    assert got.finish() == ["tool_calls"]


def answered(thought: str | None, said: str | None, *arguments: str) -> dict[str, Any]:
    calls = [call(text, name="look_up", index=number)["tool_calls"][0] for number, text in enumerate(arguments)]
    for one in calls:
        del one["index"]
    return whole(said, finish="tool_calls", reasoning=thought, tool_calls=calls)


async def test_a_clean_whole_answer_with_calls_passes_as_it_is(dialect: ChatDialect) -> None:
    body = json.dumps(answered("Hm.", None, '{"a": 1}', "{}")).encode()
    got = await reply(Pass(Word()), dialect, Sending([body], "application/json"), **ASKED)
    assert got.body == body


@pytest.mark.parametrize(
    ("answer", "thought", "said", "calls"),
    [
        (answered("The Secret.", "Hi", "{}"), "The ", "", None),
        (answered("Hm.", "A Secret", "{}"), "Hm.", "A ", None),
        (answered("Hm.", None, '{"a": "b"}', '{"a": "Secret"}'), "Hm.", None, ['{"a": "b"}']),
        (answered(None, "Hi", '{"a": "Secret"}'), None, "Hi", None),
    ],
    ids=["reasoning", "content", "second call", "only call"],
)
async def test_a_whole_answer_keeps_what_came_before_the_hit(
    dialect: ChatDialect, answer: Any, thought: str | None, said: str | None, calls: list[str] | None
) -> None:
    got = await reply(Pass(Word()), dialect, Sending([compact(answer).encode()], "application/json"), **ASKED)
    choice = json.loads(got.body)["choices"][0]
    message = choice["message"]
    assert (message["reasoning"], message["content"]) == (thought, said)
    found = [one["function"]["arguments"] for one in message.get("tool_calls", ())]
    assert (found or None) == calls
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_replacement_takes_the_place_of_thoughts_and_calls(dialect: ChatDialect, stream: bool) -> None:
    server = Sending([compact(answered("Secret.", "Hi", "{}")).encode()], "application/json")
    if stream:
        events = [chunk("", role=True), event({"reasoning": "Secret."}), chunk("Hi"), event({}, finish="stop")]
        server = Sending([*sse(*events), DONE])
    got = await reply(Pass(Word(hit="replace")), dialect, server, stream=stream, **ASKED)
    if stream:
        assert told(got.events) == ("", REPLACEMENT, "", "")
        return
    message = json.loads(got.body)["choices"][0]["message"]
    assert (message["content"], message["reasoning"], "tool_calls" in message) == (REPLACEMENT, None, False)


@pytest.mark.parametrize("wrong", [
    {"function": {"name": "x", "arguments": {"told": 1}}}, {"function": {"name": "x", "arguments": "", "more": "told"}},
    {"function": {"name": "x", "arguments": ""}, "more": "told"}, {"custom": {"input": "told"}, "type": "custom"},
])  # fmt: skip
async def test_a_call_of_another_form_is_not_served(dialect: ChatDialect, wrong: Any) -> None:
    body = whole("", tool_calls=[wrong])
    got = await reply(Pass(Word()), dialect, Sending([compact(body).encode()], "application/json"), **ASKED)
    assert got.status == 502
    delta = {"tool_calls": [wrong | {"index": 0} if isinstance(wrong, dict) else wrong]}
    events = [chunk("", role=True), event(delta), event({}, finish="stop")]
    streamed = await reply(Pass(Word()), dialect, Sending([*sse(*events), DONE]), stream=True, **ASKED)
    assert b"told" not in got.body + streamed.body


def output() -> GuardedOutput:
    """Protects Ostrava Bay where Mira is alive, and nothing where nobody is."""
    marks = [("mira", Mark("t", Strength.WEAK, name=True)), ("ostrava bay", Mark("t", Strength.WEAK))]
    protected = Protected(marks, {"t": "cut"})
    return GuardedOutput(protected, Conversation((Message("user", "Mira?"),)), asked=(), refusal="No.")


@pytest.mark.parametrize(("thought", "left"), [("So Mira it is.", ""), ("So nobody.", '{"town": "Ostrava Bay"}')])
async def test_what_was_thought_of_counts_in_calls(dialect: ChatDialect, thought: str, left: str) -> None:
    answer = answered(thought, None, '{"town": "Ostrava Bay"}')
    got = await reply(Pass(output()), dialect, Sending([compact(answer).encode()], "application/json"), **ASKED)
    message = json.loads(got.body)["choices"][0]["message"]
    assert "".join(one["function"]["arguments"] for one in message.get("tool_calls", ())) == left
    events = [chunk("", role=True), event({"reasoning": thought}), event(call(name="look_up"))]
    events += [event(call(text)) for text in ('{"town": ', '"Ostrava', ' Bay"}')] + [event({}, finish="tool_calls")]
    streamed = await reply(Pass(output()), dialect, Sending([*sse(*events), DONE]), stream=True, **ASKED)
    assert told(streamed.events)[3] == left


def test_no_span_reaches_from_one_text_into_the_next() -> None:
    strong = Protected([("ostrava bay", Mark("t", Strength.STRONG))], {"t": "redact"})
    watch = GuardedOutput(strong, Conversation((Message("user", "?"),)), asked=(), refusal="No.").watch()
    woven = Woven()
    parts = [Part("reasoning", "Ostrava"), Part("content", "Bay, Ostrava Bay")]
    released = watch.feed(woven.weave(parts, last=True)).then(watch.finish())
    assert woven.part(released) == [Part("reasoning", "Ostrava"), Part("content", "Bay, [redacted]")]


def test_the_separator_itself_is_not_written_by_models() -> None:
    with pytest.raises(EngineError):
        Woven().weave([Part("content", f"a{SEPARATOR}b")], last=False)
