"""LoRA adapters beside the model: which can be served, and that the guard stands before each of them."""

import asyncio
import json
import shutil

import pytest
from asking import ALSO_CORRUPTED, CLEAN, CORRUPTED, REFUSED, ask, bare, post, said

from guard.act.refuse import PHRASINGS
from guard.errors import ConfigError
from serve.adapters import Adapter, lora_flags
from serve.settings import read_adapters, resolve


async def test_an_adapter_is_a_model_of_its_own_name(served):
    status, listing, _ = await post(served, b"", "/v1/models", method="GET")
    assert status == 200
    assert [card["id"] for card in listing["data"]] == ["m", "other"]
    status, card, _ = await post(served, b"", "/v1/models/other", method="GET")
    assert (status, card) == (200, listing["data"][1])
    status, error, _ = await post(served, ask(CLEAN, model="another"))
    assert (status, error["error"]["code"]) == (404, "model_not_found")


async def test_its_clean_answers_are_its_own_untouched(served):
    status, answer, _ = await post(served, ask(CLEAN, model="other"))
    assert status == 200
    assert answer["model"] == "other"
    assert said(answer) == said(await bare(served, ask(CLEAN, model="other")))
    assert said(answer) != said(await bare(served, ask(CLEAN)))


async def test_the_models_own_answers_are_not_changed_by_an_adapters_in_the_same_batch(served):
    questions = [CLEAN, "What is the capital of France?", "Write a poem about rain.", "Is seven a prime number?"]
    alone = [said(await bare(served, ask(text, max_tokens=24))) for text in questions]
    both = [ask(text, max_tokens=24, model=model) for text in questions for model in ("m", "other")]
    answers = await asyncio.gather(*(bare(served, body) for body in both))
    assert [said(answer) for answer in answers[::2]] == alone


async def test_it_stands_behind_the_same_guard(served):
    _, refused, _ = await post(served, ask(REFUSED, model="other", max_tokens=40))
    assert said(refused) in PHRASINGS
    assert refused["model"] == "other"
    corrupted = []
    for question in (CORRUPTED, *ALSO_CORRUPTED):
        status, answer, _ = await post(served, ask(question, model="other"))
        assert (status, answer["model"]) == (200, "other")
        corrupted.append(said(answer) != said(await bare(served, ask(question, model="other"))))
    assert any(corrupted), "the adapter answers prompts that are not corrupted"


def changed(adapter, folder, **config):
    shutil.copytree(adapter, folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return folder


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"modules_to_save": ["embed_tokens"]}, "changes token embeddings.*merge it"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "changes token embeddings"),
        ({"trainable_token_indices": [7]}, "changes token embeddings"),
        ({"r": 1024}, "rank 1024; vLLM serves ranks from 1 to 512"),
        ({"rank_pattern": {"q_proj": 1024}}, "rank 1024"),
        ({"r": 0}, "rank 0"),
        ({"r": None}, "does not tell the rank"),
    ],
)
def test_an_adapter_that_cannot_be_served_is_refused_at_start(adapter, tmp_path, config, message):
    with pytest.raises(ConfigError, match=message):
        Adapter.read(f"x={changed(adapter, tmp_path / 'bad', **config)}")


@pytest.mark.parametrize("given", ["x", "=folder", "x=", "a b=folder", "-x=folder", "x=none"])
def test_other_forms_are_refused(given):
    with pytest.raises(ConfigError, match=r"takes NAME=FOLDER|there is no LoRA adapter in"):
        Adapter.read(given)


def test_the_engine_gets_the_least_rank_that_all_fit_in(adapter, tmp_path):
    assert lora_flags(()) == ()
    read = read_adapters((f"a={adapter}", f"b={changed(adapter, tmp_path / 'b', r=17)}"))
    flags = lora_flags(read)
    assert flags[:5] == ("--enable-lora", "--max-lora-rank", "32", "--max-loras", "3")
    assert flags[5] == "--lora-modules"
    assert [json.loads(module) for module in flags[6:]] == [
        {"name": "a", "path": str(adapter)},
        {"name": "b", "path": str(tmp_path / "b")},
    ]


def test_names_must_differ_and_an_upstream_has_its_own(adapter, checkpoint, policy_file):
    options = {"policy": policy_file, "artifact": None, "host": "127.0.0.1", "port": 1, "engine_flags": ()}
    options |= {"model": str(checkpoint), "upstream": None, "served_name": "m"}
    with pytest.raises(ConfigError, match="two adapters are called 'a'"):
        read_adapters((f"a={adapter}", f"a={adapter}"))
    with pytest.raises(ConfigError, match="both called 'm'"):
        resolve(**options, adapters=(f"m={adapter}",))
    with pytest.raises(ConfigError, match="--lora-modules is set by Lethe"):
        resolve(**options | {"engine_flags": ("--lora-modules", "a=b")})
    with pytest.raises(ConfigError, match="leave out --upstream"):
        resolve(**options | {"upstream": "http://localhost:1"}, adapters=(f"a={adapter}",))
