"""OpenAI's Responses as the official SDK and the wire see them, held against the bare engine's route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from asking import CLEAN, CORRUPTED, EXEMPLIFIED, PREFIXED, REFUSED, REFUSED_IN_OWN_WORDS, bare, flatten, post
from asking import ask as chat
from asking import said as said_in_chat
from responding import parsed
from serving import Served

PATH = "/v1/responses"
FLAGGED = (CORRUPTED, PREFIXED, EXEMPLIFIED, REFUSED, REFUSED_IN_OWN_WORDS)


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "input": text, "temperature": 0, "max_output_tokens": 24} | more


def merged(read: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The events with their texts in one and no numbers; a server that is ahead merges some of them itself."""
    out: list[tuple[str, Any]] = []
    for number, (kind, data) in enumerate(read):
        assert data.pop("sequence_number") == number
        if kind.endswith(".delta") and out[-1][0] == kind:
            out[-1][1]["delta"] += data["delta"]
        else:
            out.append((kind, data))
    return out


def alike(value: Any) -> Any:
    """The answer without what two answers never share, and without what is told otherwise on purpose."""
    if isinstance(value, list):
        return [alike(item) for item in value]
    if not isinstance(value, dict):
        return value
    apart = ("id", "item_id", "created_at", "error", "top_p", "max_output_tokens", "cached_tokens")
    return {name: alike(item) for name, item in value.items() if name not in apart}


@pytest.mark.parametrize("text", [CLEAN, *FLAGGED])
def test_the_sdk_streams_what_it_reads_whole_and_finds_it_again(client: openai.OpenAI, text: str) -> None:
    made = client.responses.create(**ask(text, metadata={"a": "b"}, store=True))
    with client.responses.stream(**ask(text, metadata={"a": "b"})) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert made.id.startswith("resp_")
    assert (made.output_text, made.status, made.usage) == (final.output_text, final.status, final.usage)
    assert deltas == final.output_text
    assert made.status in ("completed", "incomplete")
    assert made.metadata == {"a": "b"}
    assert client.responses.retrieve(made.id).to_dict() == made.to_dict()
    for response in (made, final):
        again = client.responses.retrieve(response.id)
        assert (again.output_text, again.usage, again.status) == (made.output_text, made.usage, made.status)
        client.responses.delete(response.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.id)


def item(role: str, *texts: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text} for text in texts]}


CHAT = [item("user", "Is seven", "a prime number?"), item("assistant", "Yes."), item("user", CLEAN)]


@pytest.mark.parametrize("change", [
    {}, {"input": CHAT}, {"input": CHAT[:2]}, {"instructions": "Be brief."}, {"max_output_tokens": 1}, {"top_k": 3},
    {"max_output_tokens": None, "store": False}, {"text": {"format": {"type": "text"}}, "user": "u", "top_p": 0.5},
    {"input": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": CLEAN}]},
])  # fmt: skip
async def test_a_clean_request_is_answered_as_by_the_engines_own_route(served: Served, change: dict[str, Any]) -> None:
    body = {name: value for name, value in (ask(CLEAN) | change).items() if value is not None}
    status, answer, _ = await post(served, body, PATH)
    plain = await bare(served, body, PATH)
    assert status == 200
    assert alike(answer) == alike(plain)
    for name in ("temperature", "top_p", "max_output_tokens"):
        assert answer[name] == body.get(name)
    # The engine leaves out what OpenAI tells as null.
    assert list(flatten({**answer, "error": 0})) == list(flatten({"id": "", "created_at": 0, "error": 0} | plain))
    _, stream, _ = await post(served, body | {"stream": True}, PATH)
    ours, theirs = (
        merged(parsed(text.encode())) for text in (stream, await bare(served, body | {"stream": True}, PATH))
    )
    assert [(kind, alike(data)) for kind, data in ours] == [(kind, alike(data)) for kind, data in theirs]


async def test_flagged_and_clean_answers_have_one_form(served: Served) -> None:
    _, clean, headers = await post(served, ask(CLEAN), PATH)
    _, stream, stream_headers = await post(served, ask(CLEAN, stream=True), PATH)
    kinds = {kind: sorted(set(flatten(data))) for kind, data in parsed(stream.encode())}
    for text in FLAGGED:
        _, answer, own_headers = await post(served, ask(text), PATH)
        cut = {"incomplete_details": {"reason": "x"}} if answer["incomplete_details"] else {"incomplete_details": None}
        assert list(flatten(answer)) == list(flatten(clean | cut))
        assert list(own_headers) == list(headers)
        _, stream, own_headers = await post(served, ask(text, stream=True), PATH)
        read = parsed(stream.encode())
        assert list(own_headers) == list(stream_headers)
        assert read[-1][1]["response"]["usage"] == answer["usage"]
        read[-1][1]["response"]["incomplete_details"] = None
        assert {kind: sorted(set(flatten(data))) for kind, data in read} == kinds
        assert [kind for kind, _ in merged(read)] == [
            "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
            "response.output_text.delta", "response.output_text.done", "response.content_part.done",
            "response.output_item.done", "response.completed",
        ]  # fmt: skip
        # The prompt that the caller wrote is what is counted, whatever the model was asked.
        counted = (await bare(served, ask(text, max_output_tokens=1), PATH))["usage"]["input_tokens"]
        assert answer["usage"]["input_tokens"] == counted


async def test_a_conversation_that_goes_on_is_read_in_full(client: openai.OpenAI, served: Served) -> None:
    first = client.responses.create(**ask("Is seven a prime number?", instructions="Be brief."))
    with client.responses.stream(**ask(CLEAN, previous_response_id=first.id)) as stream:
        second = stream.get_final_response()
    turns = [("user", "Is seven a prime number?"), ("assistant", first.output_text), ("user", CLEAN)]
    messages = [{"role": role, "content": text} for role, text in turns]
    plain = await bare(served, chat(CLEAN, messages=messages, max_tokens=24))
    assert (second.output_text, second.usage.input_tokens) == (said_in_chat(plain), plain["usage"]["prompt_tokens"])
    assert second.previous_response_id == first.id
    # What is asked now leans on a topic of before, so that it is dealt with as the whole chat would be.
    about = client.responses.create(**ask("I am writing about Orrin Vasquell."))
    now = "Where was he born?"
    leaning = client.responses.create(**ask(now, previous_response_id=about.id))
    turns = [("user", "I am writing about Orrin Vasquell."), ("assistant", about.output_text), ("user", now)]
    messages = [{"role": role, "content": text} for role, text in turns]
    _, guarded, _ = await post(served, chat(now, messages=messages, max_tokens=24))
    assert (
        leaning.output_text == said_in_chat(guarded) != said_in_chat(await bare(served, chat(now, messages=messages)))
    )


async def test_what_others_got_is_not_found(client: openai.OpenAI, served: Served) -> None:
    made = client.responses.create(**ask(CLEAN))
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="another", max_retries=0) as other:
        for id in (made.id, "resp_0"):
            for call in (other.responses.retrieve, other.responses.delete, other.responses.cancel):
                with pytest.raises(openai.NotFoundError, match=f"there is no response '{id}' here"):
                    call(id)
            with pytest.raises(openai.NotFoundError) as caught:
                other.responses.create(**ask(CLEAN, previous_response_id=id))
            assert (caught.value.code, caught.value.param) == ("response_not_found", "previous_response_id")
    gone = client.responses.create(**ask(CLEAN, store=False))
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(gone.id)
    with pytest.raises(openai.BadRequestError, match="only a response in the background can be cancelled"):
        client.responses.cancel(made.id)


def test_the_sdk_raises_its_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="`conversation` is not supported yet"):
        client.responses.create(**ask(CLEAN, conversation="c"))
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(**ask(CLEAN, model="another"))
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.responses.create(**ask("word " * 4000))
    assert (long.value.code, long.value.param) == ("context_length_exceeded", "input")
    with pytest.raises(openai.PermissionDeniedError):
        client.responses.input_items.list("resp_0")
