"""The served model as the official SDK and as the wire see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from asking import (
    ALSO_CORRUPTED,
    CLEAN,
    CORRUPTED,
    EXEMPLIFIED,
    PREFIXED,
    REFUSED,
    REFUSED_IN_OWN_WORDS,
    ask,
    bare,
    flatten,
    post,
    said,
    shape,
)
from serving import Served

from guard.act.prefix import DEFAULT
from guard.act.refuse import DECLINE, PHRASINGS
from guard.conversation import single
from guard.pipeline import Pipeline
from guard.secret import load_secret
from guard.types import Ask
from serve.parts import make_parts
from serve.policies.store import Store
from serve.settings import Settings


@pytest.fixture(scope="session")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_sdk_reads_whole_answers(client: openai.OpenAI) -> None:
    for text in (CLEAN, CORRUPTED, PREFIXED, REFUSED):
        answer = client.chat.completions.create(**ask(text))
        assert answer.id.startswith("chatcmpl-")
        assert answer.model == "m"
        assert answer.choices[0].message.role == "assistant"
        assert answer.choices[0].finish_reason in ("stop", "length")
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_sdk_streams_what_it_reads_whole(client: openai.OpenAI) -> None:
    for text in (CLEAN, CORRUPTED, PREFIXED, REFUSED):
        whole = client.chat.completions.create(**ask(text))
        chunks = list(client.chat.completions.create(**ask(text), stream=True, stream_options={"include_usage": True}))
        assert (
            "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
        )
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
        assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_models_and_health(client: openai.OpenAI, served: Served) -> None:
    assert [model.id for model in client.models.list()] == ["m", "other"]
    assert client.models.retrieve("m").id == "m"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("another")


@pytest.mark.parametrize(
    "text", [CLEAN, "What is the capital of France?", "Write a poem about rain.", "Is seven a prime number?"]
)
async def test_a_clean_prompt_is_answered_as_by_the_bare_engine(served: Served, text: str) -> None:
    body = ask(text, max_tokens=40)
    status, answer, _ = await post(served, body)
    plain = await bare(served, body)
    assert status == 200
    assert said(answer) == said(plain)
    assert answer["usage"] == plain["usage"]
    assert answer.keys() == plain.keys()


async def test_a_corrupted_prompt_is_answered_otherwise_in_the_same_form(served: Served) -> None:
    body = ask(CORRUPTED, max_tokens=24)
    _, answer, headers = await post(served, body)
    plain = await bare(served, body)
    # The noise's key is new in every run, and a model that never knew her may guess the same once: ask several things.
    others = [ask(text, max_tokens=24) for text in ALSO_CORRUPTED]
    pairs = [(said(answer), said(plain))]
    pairs += [(said((await post(served, other))[1]), said(await bare(served, other))) for other in others]
    assert any(guarded != unguarded for guarded, unguarded in pairs)
    assert answer["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    _, clean, clean_headers = await post(served, ask(CLEAN, max_tokens=24))
    assert json.dumps(shape(answer)) == json.dumps(shape(clean))
    assert list(headers) == list(clean_headers)


@pytest.mark.parametrize("system", [None, "Be brief."])
async def test_a_prefixed_prompt_is_answered_as_if_the_caller_had_written_the_prefix(
    served: Served, system: str | None
) -> None:
    told = DEFAULT.replace("{names}", "Selma Ambrake")
    own = [] if system is None else [{"role": "system", "content": system}]
    body = ask(PREFIXED, max_tokens=24)
    body["messages"] = [*own, *body["messages"]]
    guided = ask(PREFIXED, max_tokens=24)
    guided["messages"].insert(0, {"role": "system", "content": told if system is None else f"{system}\n\n{told}"})
    _, answer, _ = await post(served, body)
    plain, as_told = await bare(served, body), await bare(served, guided)
    assert said(answer) == said(as_told)
    assert answer["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] < as_told["usage"]["prompt_tokens"]
    assert json.dumps(shape(answer)) == json.dumps(shape(plain))


async def test_exemplars_are_asked_as_if_the_caller_had_written_them(
    served: Served, checkpoint: Path, policy_file: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETHE_STATE", str(state))
    version = Store.of(policy_file, load_secret()).in_force()
    parts = make_parts(Settings(str(checkpoint), policy_file, "m"), version)
    pipeline = Pipeline(parts.policy, parts.detector, parts.corrupter, parts.protected, exemplars=parts.exemplars)
    plan = pipeline.plan(single(EXEMPLIFIED))
    assert isinstance(plan, Ask)
    assert plan.output is not None
    body = ask(EXEMPLIFIED, max_tokens=24)
    taught = body | {"messages": [{"role": m.role, "content": m.text} for m in plan.conversation.messages]}
    _, answer, _ = await post(served, body)
    plain, as_taught = await bare(served, body), await bare(served, taught)
    watch = plan.output.watch()
    assert said(answer) == watch.feed(said(as_taught)).text + watch.finish().text
    assert answer["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"] < as_taught["usage"]["prompt_tokens"]
    assert json.dumps(shape(answer)) == json.dumps(shape(plain))


async def test_a_prefix_that_finds_no_room_is_a_refusal(served: Served) -> None:
    _, models, _ = await post(served, b"", "/v1/models", method="GET")
    room = models["data"][0]["max_model_len"] - (await bare(served, ask(PREFIXED)))["usage"]["prompt_tokens"]
    _, answer, _ = await post(served, ask(PREFIXED, max_tokens=room))
    assert said(answer) in PHRASINGS


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("text", [CLEAN, CORRUPTED, PREFIXED, EXEMPLIFIED, REFUSED, REFUSED_IN_OWN_WORDS])
async def test_at_the_edge_of_the_context_all_are_answered_by_one_rule(served: Served, text: str, path: str) -> None:
    _, models, _ = await post(served, b"", "/v1/models", method="GET")
    context = models["data"][0]["max_model_len"]
    room = context - (await bare(served, ask(text)))["usage"]["prompt_tokens"]
    for most, expected in ((room, 200), (room + 1, 200), (context, 200), (context + 1, 400)):
        assert (await post(served, ask(text, max_tokens=most), path))[0] == expected
    long = text + " so" * (context - 12)
    own = (await bare(served, {"model": "m", "messages": ask(long)["messages"]}, "/tokenize"))["count"]
    fitting, over = (text + " so" * (context - 12 + wanted - own) for wanted in (context - 1, context))
    status, answer, _ = await post(served, ask(fitting, max_tokens=100), path)
    assert status == 200
    assert 1 in (answer["usage"].get("completion_tokens"), answer["usage"].get("output_tokens"))
    status, error, _ = await post(served, ask(over), path)
    assert status == 400
    assert (
        error["error"]["message"]
        == f"the prompt has {context} tokens, and 1 are to be written; the context is {context}"
    )


async def test_a_refusal_in_own_words_is_what_the_model_says_to_a_question_without_the_topic(served: Served) -> None:
    body = ask(REFUSED_IN_OWN_WORDS, max_tokens=24)
    _, answer, _ = await post(served, body)
    plain = await bare(served, body)
    asked = ask(DECLINE.messages[0].text, max_tokens=24)
    assert said(answer) == said(await bare(served, asked))
    assert answer["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    assert json.dumps(shape(answer)) == json.dumps(shape(plain))


async def test_a_refused_prompt_never_names_the_topic(served: Served) -> None:
    _, answer, headers = await post(served, ask(REFUSED, max_tokens=200))
    assert "Orrin" not in said(answer)
    assert answer["choices"][0]["finish_reason"] == "stop"
    _, clean, clean_headers = await post(served, ask(CLEAN))
    unlike = {"stop_reason"}
    assert shape(answer["usage"]) == shape(clean["usage"])
    assert shape(answer["choices"][0]).keys() - unlike == shape(clean["choices"][0]).keys() - unlike
    assert list(headers) == list(clean_headers)
    prompt = (await bare(served, ask(REFUSED)))["usage"]["prompt_tokens"]
    assert answer["usage"]["prompt_tokens"] == prompt


async def test_a_refusal_keeps_to_the_callers_limits(served: Served) -> None:
    _, answer, _ = await post(served, ask(REFUSED, max_tokens=3))
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("usage", [True, False])
async def test_streams_of_all_kinds_have_one_form(served: Served, usage: bool) -> None:
    more: dict[str, Any] = {"stream": True, "n": 2, "temperature": 0.5, "seed": 1}
    if usage:
        more["stream_options"] = {"include_usage": True}
    forms = []
    for text in (CLEAN, CORRUPTED, PREFIXED, REFUSED):
        status, stream, headers = await post(served, ask(text, **more))
        assert status == 200
        assert stream.endswith("data: [DONE]\n\n")
        events = [json.loads(line[6:]) for line in stream.split("\n\n")[:-2]]
        assert len({event["id"] for event in events}) == 1
        assert {choice["index"] for event in events for choice in event["choices"]} == {0, 1}
        kinds = {json.dumps(list(flatten(event))) for event in events}
        forms.append([kinds, list(headers), "usage" in events[-1]])
    # Where a topic is alive an answer leaves by sentences: one that has none leaves all at once, with its end.
    assert all(kinds <= forms[0][0] and rest == forms[0][1:] for kinds, *rest in forms)


async def test_without_a_limit_a_corrupted_prompt_has_the_rest_of_the_context(served: Served) -> None:
    body = ask(CORRUPTED, temperature=1.0, seed=3)
    del body["max_tokens"]
    _, answer, _ = await post(served, body)
    finish = answer["choices"][0]["finish_reason"]
    assert finish == "stop" or answer["usage"]["completion_tokens"] > 16


async def test_engine_errors_pass_with_their_status(served: Served) -> None:
    long = "word " * 4000
    clean_status, clean, _ = await post(served, ask(long))
    status, corrupted, _ = await post(served, ask(long + CORRUPTED))
    assert (clean_status, status) == (400, 400)
    assert clean["error"].keys() == corrupted["error"].keys()
    assert "embed" not in json.dumps(corrupted)
