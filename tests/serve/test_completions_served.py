"""Completions as the official SDK and the wire see them, held against the bare engine's route."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from asking import CORRUPTED, EXEMPLIFIED, PREFIXED, REFUSED, REFUSED_IN_OWN_WORDS, bare, flatten, post, said, shape
from asking import ask as chat
from serving import Served

from guard.act.prefix import DEFAULT
from guard.act.refuse import PHRASINGS

PATH = "/v1/completions"
CLEAN = "The capital of France is"
FLAGGED = (CORRUPTED, PREFIXED, EXEMPLIFIED, REFUSED, REFUSED_IN_OWN_WORDS)
# What two answers to the same request never share.
APART = {"id": "", "created": 0}


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": text, "temperature": 0, "max_tokens": 24} | more


def events(stream: str) -> list[dict[str, Any]]:
    assert stream.endswith("data: [DONE]\n\n")
    return [json.loads(line[6:]) for line in stream.split("\n\n")[:-2]]


def told(read: list[dict[str, Any]]) -> tuple[list[str], list[Any], list[Any]]:
    """The texts, ends and usage of a stream, in whatever pieces they came: a server that is ahead merges some."""
    choices = [choice for event in read for choice in event["choices"]]
    texts = ["".join(c["text"] for c in choices if c["index"] == index) for index in range(2)]
    ends = sorted((c["index"], c["finish_reason"], c["stop_reason"]) for c in choices if c["finish_reason"])
    return texts, ends, [event["usage"] for event in read if "usage" in event]


@pytest.mark.parametrize("text", [CLEAN, *FLAGGED])
def test_the_sdk_streams_what_it_reads_whole(client: openai.OpenAI, text: str) -> None:
    made = client.completions.create(**ask(text))
    chunks = list(client.completions.create(**ask(text), stream=True, stream_options={"include_usage": True}))
    assert made.id.startswith("cmpl-")
    assert made.object == "text_completion"
    assert made.choices[0].text == "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert made.choices[0].finish_reason == chunks[-2].choices[0].finish_reason
    assert chunks[-1].usage.total_tokens == made.usage.total_tokens


@pytest.mark.parametrize("change", [
    {}, {"prompt": [CLEAN]}, {"stop": " "}, {"prompt": "Q: Is seven a prime number?\nA:"}, {"max_tokens": None},
    {"n": 2, "temperature": 0.8, "seed": 5}, {"stream_options": {"include_usage": True}},
])  # fmt: skip
async def test_a_clean_prompt_is_completed_as_by_the_engines_own_route(served: Served, change: dict[str, Any]) -> None:
    body = {name: value for name, value in (ask(CLEAN) | change).items() if value is not None}
    whole = {name: value for name, value in body.items() if name != "stream_options"}
    status, answer, _ = await post(served, whole, PATH)
    plain = await bare(served, whole, PATH)
    assert status == 200
    assert answer | APART == plain | APART
    assert list(flatten(answer)) == list(flatten(plain))
    _, stream, _ = await post(served, body | {"stream": True}, PATH)
    ours, theirs = (events(text) for text in (stream, await bare(served, body | {"stream": True}, PATH)))
    assert told(ours) == told(theirs)
    # That of a text, that of an end, and maybe that of the usage.
    kinds = {json.dumps(list(flatten(event))) for event in [*ours, *theirs]}
    assert len(kinds) <= (3 if "stream_options" in change else 2)


async def test_flagged_and_clean_answers_have_one_form(served: Served) -> None:
    _, clean, headers = await post(served, ask(CLEAN), PATH)
    _, stream, stream_headers = await post(served, ask(CLEAN, stream=True), PATH)
    kinds = {json.dumps(list(flatten(event))) for event in events(stream)}
    for text in FLAGGED:
        _, answer, own_headers = await post(served, ask(text), PATH)
        assert json.dumps(shape(answer)) == json.dumps(shape(clean))
        assert list(own_headers) == list(headers)
        counted = (await bare(served, ask(text, max_tokens=1), PATH))["usage"]["prompt_tokens"]
        assert answer["usage"]["prompt_tokens"] == counted
        _, stream, own_headers = await post(served, ask(text, stream=True), PATH)
        assert {json.dumps(list(flatten(event))) for event in events(stream)} <= kinds
        assert list(own_headers) == list(stream_headers)


async def test_a_corrupted_prompt_is_completed_otherwise(served: Served) -> None:
    # The noise's key is new in every run, and the same words may come once: complete several.
    texts = [CORRUPTED, "Mira Tolvane was born in", "Mira Tolvane married", "Q: Who taught Mira Tolvane?\nA:"]
    pairs = [((await post(served, ask(t), PATH))[1], await bare(served, ask(t), PATH)) for t in texts]
    assert any(ours["choices"][0]["text"] != theirs["choices"][0]["text"] for ours, theirs in pairs)


async def test_a_refusal_is_a_completion(served: Served) -> None:
    _, answer, _ = await post(served, ask(REFUSED, max_tokens=200), PATH)
    assert answer["choices"][0]["text"] in PHRASINGS
    assert answer["choices"][0]["finish_reason"] == "stop"
    _, answer, _ = await post(served, ask(REFUSED, max_tokens=3), PATH)
    assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 3)


async def test_a_prefixed_prompt_is_asked_as_a_chat(served: Served) -> None:
    _, answer, _ = await post(served, ask(PREFIXED), PATH)
    guided = chat(PREFIXED, max_tokens=24)
    guided["messages"].insert(0, {"role": "system", "content": DEFAULT.replace("{names}", "Selma Ambrake")})
    assert answer["choices"][0]["text"] == said(await bare(served, guided))


def test_the_sdk_raises_its_own_errors(client: openai.OpenAI, checkpoint: Any) -> None:
    from transformers import AutoTokenizer

    token = AutoTokenizer.from_pretrained(checkpoint).eos_token
    for change, param in (
        ({"echo": True}, "echo"), ({"prompt": [1, 2]}, "prompt"), ({"prompt": f"a{token}b"}, "prompt"),
        ({"prompt": "word " * 4000}, "prompt"), ({"prompt": f"{CORRUPTED} " * 400}, "prompt"),
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as caught:
            client.completions.create(**ask(CLEAN) | change)
        assert caught.value.param == param
    with pytest.raises(openai.NotFoundError):
        client.completions.create(**ask(CLEAN, model="another"))
