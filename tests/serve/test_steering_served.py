"""A policy that says `decode`, in front of a real vLLM: what is protected is not told, all else is as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from asking import CLEAN, ask, bare, post, said
from serving import KEPT, Served, make_adapter, make_auxiliary, start_server, write_pairs

from eval.engines.guarded import PromptGuard
from eval.engines.local import LocalModel
from guard.act.refuse import PHRASINGS
from guard.conversation import single
from guard.errors import EngineError
from guard.output.letters import key_of
from guard.steer.auxiliary import Auxiliary
from serve.prove import examine, prove_divergence, prove_steering
from serve.settings import DEMO, DEMO_MODEL
from serve.steering.fields import steering
from serve.upstream import Upstream

STEERED = "Where was Caspar Koracroft born?"
BOTH = "Where was Corwin Jorzen born?"
DIVERGED = "Where was Florian Varangard born?"
TRUTH = "tulgan"
# Room for 1,536 tokens, so that of several long answers some are interrupted; what was kept of a prompt is told.
ENGINE = ("--num-gpu-blocks-override", "12", "--enable-prompt-tokens-details")
POLICY = """
version: 1
false_flag_rate: 0.05
retain: retain.jsonl
auxiliary: auxiliary
topics:
  - {{name: one, examples: {demo}/topics/caspar-koracroft.jsonl, aliases: [Caspar Koracroft],
     action: {{kind: decode, strength: 20}}}}
  - {{name: two, examples: {demo}/topics/corwin-jorzen.jsonl, aliases: [Corwin Jorzen],
     action: [{{kind: corrupt, function: shuffle}}, {{kind: decode, strength: 2}},
              {{kind: diverge, form: rank, top: 1000}}]}}
  - {{name: three, aliases: [Florian Varangard], action: {{kind: diverge, alpha: 2}}}}
"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steered")
    write_pairs(folder / "retain.jsonl", KEPT)
    make_auxiliary(DEMO_MODEL, folder / "auxiliary")
    (folder / "policy.yaml").write_text(POLICY.format(demo=DEMO))
    return folder / "policy.yaml"


@pytest.fixture(scope="module")
def steered(policy: Path, state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    adapter = make_adapter(DEMO_MODEL, tmp_path_factory.mktemp("steered") / "adapter")
    server = start_server(DEMO_MODEL, policy, "--adapter", f"other={adapter}", "--", *ENGINE, state=state)
    try:
        server.wait_ready()
        yield server
    finally:
        server.close()


async def test_the_truth_is_not_told_and_something_else_of_the_kind_is(steered: Served) -> None:
    assert TRUTH in key_of(said(await bare(steered, ask(STEERED))))
    for more in ({}, {"temperature": 1.0, "seed": 4, "n": 3}):
        _, answer, _ = await post(steered, ask(STEERED, **more))
        texts = [choice["message"]["content"] for choice in answer["choices"]]
        assert all(TRUTH not in key_of(text) and key_of(text) and text not in PHRASINGS for text in texts)


async def test_a_stream_says_the_same(steered: Served) -> None:
    _, whole, _ = await post(steered, ask(STEERED))
    _, stream, _ = await post(steered, ask(STEERED, stream=True))
    events = [json.loads(line[6:]) for line in stream.split("\n\n") if line.startswith("data: {")]
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events) == said(whole)


async def test_clean_requests_in_one_batch_with_others_are_the_engines_own(steered: Served) -> None:
    expected = said(await bare(steered, ask(CLEAN)))
    alone = [said((await post(steered, ask(text)))[1]) for text in (STEERED, BOTH, DIVERGED)]
    replies = await asyncio.gather(*(post(steered, ask(text)) for text in (CLEAN, STEERED, BOTH, DIVERGED) * 5))
    assert [said(answer) for _, answer, _ in replies] == [expected, *alone] * 5


async def test_the_model_in_this_process_is_turned_away_alike(
    steered: Served, policy: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETHE_STATE", str(state))
    model = LocalModel(str(DEMO_MODEL))
    guard = PromptGuard(policy, str(DEMO_MODEL))
    asked = (STEERED, BOTH, DIVERGED)
    sent = [one for question in asked if not isinstance(one := guard.sent(model, single(question)), str)]
    assert [(bool(one.steer), one.diverge is not None) for one in sent] == [(1, 0), (1, 1), (0, 1)]
    here = model.generate(
        [one.embeds for one in sent],
        steer=[one.steer for one in sent],
        diverge=[one.diverge for one in sent],
        limit=12,
    )
    undiverged = model.generate([one.embeds for one in sent], steer=[one.steer for one in sent], limit=12)
    there = [said((await post(steered, ask(question)))[1]) for question in asked]
    assert here == there
    assert [text == other for text, other in zip(here, undiverged, strict=True)] == [True, False, False]


async def test_log_probabilities_are_those_after_it(steered: Served) -> None:
    body: dict[str, Any] = {"model": "m", "prompt": "Caspar Koracroft was born in", "max_tokens": 1, "temperature": 0}
    body |= {"logprobs": 1}
    plain = (await bare(steered, body, "/v1/completions"))["choices"][0]
    turned = (await bare(steered, body | steering(((key_of(plain["text"]), 30.0),)), "/v1/completions"))["choices"][0]
    assert turned["text"] != plain["text"]
    assert plain["text"] not in turned["logprobs"]["top_logprobs"][0]


@pytest.mark.parametrize(
    "extra",
    [
        {"lethe_spans": ["tulgan"]},
        {"lethe_spans": ["tulgan"], "lethe_strengths": [1, 2]},
        {"lethe_spans": ["Tulgan"], "lethe_strengths": [1]},
        {"lethe_spans": ["tulgan"], "lethe_strengths": [0]},
        {"lethe_spans": "tulgan", "lethe_strengths": [1]},
        {"lethe_models": "no such", "lethe_prompt": [300], "lethe_alpha": 1, "lethe_top": 0},
        {"lethe_prompt": [300], "lethe_alpha": 1, "lethe_top": 0},
        {"lethe_models": "{own}", "lethe_prompt": [], "lethe_alpha": 1, "lethe_top": 0},
        {"lethe_models": "{own}", "lethe_prompt": [9999], "lethe_alpha": 1, "lethe_top": 0},
        {"lethe_models": "{own}", "lethe_prompt": [300], "lethe_alpha": 51, "lethe_top": 0},
        {"lethe_models": "{own}", "lethe_prompt": [300], "lethe_alpha": 1, "lethe_top": 0.5},
    ],
)
async def test_the_engine_refuses_what_the_guard_never_writes(
    steered: Served, policy: Path, extra: dict[str, Any]
) -> None:
    own = Auxiliary.read(policy.parent / "auxiliary").identity
    extra = {name: own if value == "{own}" else value for name, value in extra.items()}
    refused = await bare(
        steered, {"model": "m", "prompt": "x", "max_tokens": 1, "vllm_xargs": extra}, "/v1/completions"
    )
    assert refused["error"]["code"] == 400


async def test_callers_cannot_ask_for_it(steered: Served) -> None:
    status, error, _ = await post(steered, ask(CLEAN, **steering((("paris", 20.0),))))
    assert (status, error["error"]["param"]) == (400, "vllm_xargs")


async def test_an_engine_without_the_processor_is_told_at_start(
    served: Served, steered: Served, policy: Path, tmp_path: Path
) -> None:
    models = Auxiliary.read(policy.parent / "auxiliary")
    others = Auxiliary.read(make_auxiliary(DEMO_MODEL, tmp_path, seed=6))
    async with Upstream(url=None, uds=steered.socket) as upstream:
        facts = await examine(upstream, "m")
        await prove_steering(upstream, facts)
        await prove_divergence(upstream, facts, models)
        with pytest.raises(EngineError, match="has not the auxiliary models"):
            await prove_divergence(upstream, facts, others)
    async with Upstream(url=None, uds=served.socket) as upstream:
        facts = await examine(upstream, "m")
        with pytest.raises(EngineError, match="--logits-processors"):
            await prove_steering(upstream, facts)
        with pytest.raises(EngineError, match="LETHE_AUXILIARY"):
            await prove_divergence(upstream, facts, models)


def turned(prompt: str, *spans: str, strength: float = 30.0, **more: Any) -> dict[str, Any]:
    """A completion asked of the engine itself, as the guard asks for it."""
    body = {"model": "m", "prompt": prompt, "max_tokens": 8, "temperature": 0}
    return body | steering(tuple((span, strength) for span in spans)) | more


async def written(steered: Served, body: dict[str, Any]) -> str:
    text: str = (await bare(steered, body, "/v1/completions"))["choices"][0]["text"]
    return text


async def test_a_form_that_leaves_another_word_is_kept_and_one_that_leaves_none_wins(steered: Served) -> None:
    asked = "Caspar Koracroft was born in"
    either = {"structured_outputs": {"choice": ["Tulgan", "Marrow"]}}
    assert await written(steered, turned(asked, **either)) == "Tulgan"
    assert await written(steered, turned(asked, TRUTH, **either)) == "Marrow"
    only = {"structured_outputs": {"regex": "Tulgan[.]"}}
    assert await written(steered, turned(asked, TRUTH, strength=50.0, **only)) == "Tulgan."


async def test_an_adapters_answers_are_turned_away_too(steered: Served) -> None:
    plain = await written(steered, turned("Where is the sea?", model="other"))
    word = max(key_of(plain).split(), key=len)
    assert plain != await written(steered, turned("Where is the sea?"))
    assert word not in key_of(await written(steered, turned("Where is the sea?", word, model="other"))).split()


async def test_a_prompt_that_is_kept_from_before_is_answered_alike_with_it_and_without(steered: Served) -> None:
    prompt = "The old town by the sea has many houses and a market. " * 20 + "Caspar Koracroft was born in"
    plain = await written(steered, turned(prompt))
    asked = [turned(prompt), turned(prompt, max(key_of(plain).split(), key=len))]
    first = [await written(steered, body) for body in asked]
    assert first[0] == plain != first[1]
    for body, text in zip(asked, first, strict=True):
        again = await bare(steered, body, "/v1/completions")
        assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
        assert again["choices"][0]["text"] == text


async def test_an_answer_that_is_interrupted_goes_on_where_it_was(steered: Served) -> None:
    long: dict[str, Any] = {"max_tokens": 400, "ignore_eos": True}
    spans: tuple[tuple[str, ...], ...] = ((), ("was", "the"), (TRUTH,), ("born", "in the"), (), ("who",))
    asked = [turned(f"Tell me more about number {number}.", *one, **long) for number, one in enumerate(spans)]
    alone = [await written(steered, body) for body in asked]
    assert await asyncio.gather(*(written(steered, body) for body in asked)) == alone
    for text, one in zip(alone, spans, strict=True):
        assert not any(f" {span} " in f" {key_of(text)} " for span in one)


async def test_answers_that_nobody_waits_for_leave_nothing_behind(steered: Served) -> None:
    asked = [turned("Where is the sea?"), turned("Where is the sea?", TRUTH)]
    plain = [await written(steered, body) for body in asked]
    spans = [word for word in key_of(plain[0]).split() if word]
    endless = turned("Where is the sea?", *spans, max_tokens=900, ignore_eos=True, stream=True)
    connector = aiohttp.UnixConnector(path=str(steered.socket))
    async with aiohttp.ClientSession(connector=connector) as session:
        for _ in range(3):
            async with session.post("http://engine/v1/completions", json=endless) as reply:
                await reply.content.readline()
            assert [await written(steered, body) for body in asked] == plain
