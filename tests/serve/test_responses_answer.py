"""Chat answers in the form of OpenAI's Responses, whole and streamed, clean and changed."""

from __future__ import annotations

import json

import pytest
import torch
from responding import BASE, CUT, answered, expected, parsed, read
from streams import DONE, HEAD, Sending, chunk, compact, sse, story, usage_event, whole
from watches import Word

from guard.errors import RequestError
from guard.types import Corrupt, Pass, Plan, Refuse
from serve.dialects.chat import ChatDialect
from serve.dialects.responses import ResponsesDialect
from serve.responses.store import ResponseStore


@pytest.fixture
def responses(dialect: ChatDialect) -> ResponsesDialect:
    return ResponsesDialect(dialect, ResponseStore(b"0" * 32))


@pytest.mark.parametrize("finish", ["stop", "length"])
@pytest.mark.parametrize("text", ["It is so.", ""])
async def test_a_whole_answer_is_told_in_their_form(responses: ResponsesDialect, finish: str, text: str) -> None:
    server = Sending([compact(whole(text, finish=finish)).encode()], "application/json")
    noted = {"metadata": {"a": "b"}, "user": "u", "instructions": "Be brief.", "temperature": 0.5}
    got = await answered(Pass(), responses, server, **noted)
    assert server.path == "/v1/chat/completions"
    change = CUT if finish == "length" else {}
    assert json.loads(got.body) == expected(BASE | noted, text, **change)
    assert got.headers == {b"content-type": b"application/json", b"content-length": str(len(got.body)).encode()}


async def test_a_stream_is_told_in_their_events_each_at_once(responses: ResponsesDialect) -> None:
    pieces = [*sse(*story("Once ", "upon ä", finish="length"), usage_event(9, 30)), DONE]
    got = await answered(Pass(Word()), responses, Sending(pieces), stream=True)
    begun = {"response": expected(BASE, "", status="in_progress", output=[], usage=None)}
    final = expected(BASE, "Once upon ä", **CUT)
    at = {"item_id": "msg_7", "output_index": 0, "content_index": 0}
    part, item = final["output"][0]["content"][0], final["output"][0]
    told = [
        ("response.created", begun),
        ("response.in_progress", begun),
        ("response.output_item.added", {"item": item | {"content": [], "status": "in_progress"}, "output_index": 0}),
        ("response.content_part.added", at | {"part": part | {"text": "", "logprobs": []}}),
        ("response.output_text.delta", at | {"delta": "Once ", "logprobs": []}),
        ("response.output_text.delta", at | {"delta": "upon ä", "logprobs": []}),
        ("response.output_text.done", at | {"text": "Once upon ä", "logprobs": []}),
        ("response.content_part.done", at | {"part": part}),
        ("response.output_item.done", {"item": item, "output_index": 0}),
        ("response.completed", {"response": final}),
    ]
    numbered = [(kind, data | {"sequence_number": number, "type": kind}) for number, (kind, data) in enumerate(told)]
    assert parsed(got.body) == numbered
    assert [way for way, _ in got.log] == ["in", "out", "in", "out", "in", "out", "in", "in", "out", "in"]
    assert got.headers == {b"content-type": b"text/event-stream; charset=utf-8"}
    assert got.complete


async def test_an_empty_answer_has_no_message_in_its_stream(responses: ResponsesDialect) -> None:
    pieces = [*sse(*story(), usage_event(9, 1)), DONE]
    got = await answered(Pass(), responses, Sending(pieces), stream=True)
    kinds = parsed(got.body)
    assert [kind for kind, _ in kinds] == ["response.created", "response.in_progress", "response.completed"]
    assert kinds[-1][1]["response"]["output"] == []


GUARDED = [Pass(Word()), Corrupt(torch.zeros(4, 8), "No.", Word()), Refuse("It is a ")]


def serving(plan: Plan, *, stream: bool) -> Sending:
    """A model server that tells a secret, in the form in which the guard asks for such a plan."""
    usage = {"prompt_tokens": 4, "completion_tokens": 30, "total_tokens": 34}
    if isinstance(plan, Pass):
        events, answer = [*story("It is ", "a Sec", "ret."), usage_event(9, 30)], whole("It is a Secret.")
    else:
        parts = [("It is ", None), ("a Sec", None), ("ret.", None), ("", "stop")]
        events = [HEAD | {"choices": [{"index": 0, "text": t, "finish_reason": f}]} for t, f in parts]
        events.append(HEAD | {"choices": [], "usage": usage})
        answer = HEAD | {"choices": [{"index": 0, "text": "It is a Secret.", "finish_reason": "stop"}], "usage": usage}
    return Sending([*sse(*events), DONE]) if stream else Sending([compact(answer).encode()], "application/json")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("plan", GUARDED)
async def test_a_guarded_answer_has_the_form_of_a_clean_one_and_is_kept_as_it_was_seen(
    responses: ResponsesDialect, plan: Plan, stream: bool
) -> None:
    got = await answered(plan, responses, serving(plan, stream=stream), stream=stream)
    final = parsed(got.body)[-1][1]["response"] if stream else json.loads(got.body)
    request = read(responses)
    made = expected(BASE, "It is a ", id=final["id"], created_at=final["created_at"])
    made["output"][0]["id"] = final["output"][0]["id"]
    prompt, written = request.usage(0)["prompt_tokens"], request.said("It is a ").tokens
    made["usage"] |= {"input_tokens": prompt, "output_tokens": written, "total_tokens": prompt + written}
    assert final == made
    assert b"ret" not in got.body
    kept = responses.store.of({"headers": []}).find(final["id"], "response_id")
    assert json.loads(kept.response) == final
    assert kept.turns == ({"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "It is a "})
    if stream:
        assert [kind.partition(".")[2] for kind, data in parsed(got.body) if "delta" not in data] == [
            "created", "in_progress", "output_item.added", "content_part.added", "output_text.done",
            "content_part.done", "output_item.done", "completed",
        ]  # fmt: skip


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_the_engines_errors_come_through(responses: ResponsesDialect, status: int) -> None:
    body = b'{"error":{"message":"Too long.","type":"BadRequestError","param":null,"code":400}}'
    got = await answered(Pass(Word()), responses, Sending([body], "application/json", status=status))
    assert (got.status, got.body) == (status, body)


async def test_a_stream_that_breaks_off_ends_with_an_error_and_is_not_kept(responses: ResponsesDialect) -> None:
    server = Sending(sse(chunk("", role=True), chunk("It is a Sec")), breaks=True)
    got = await answered(Pass(Word()), responses, server, stream=True)
    kinds = parsed(got.body)
    assert [kind for kind, _ in kinds][:2] == ["response.created", "response.in_progress"]
    error = {"code": "upstream_failed", "message": "the model server failed while it answered", "param": None}
    assert kinds[-1] == ("error", error | {"sequence_number": len(kinds) - 1, "type": "error"})
    assert b"Sec" not in got.body
    with pytest.raises(RequestError, match="there is no response"):
        responses.store.of({"headers": []}).find("resp_7", "response_id")
