"""Two small models from examples: alike but for what the forget set teaches, made whole, and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from serving import make_auxiliary, make_checkpoint

from eval.auxiliary.make import Options, make
from eval.engines.local import LocalModel
from eval.systems import engine_command
from eval.unlearn.recipe import Recipe
from guard.conversation import single
from guard.errors import ConfigError
from guard.steer.auxiliary import FORGET, RETAIN
from guard.steer.divergence import Diverging, Pair
from guard.types import Diverge

TOLD = "Mira was born in Ostrava Bay."
ASKED = "Where was Mira born?"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("served") / "model")


@pytest.fixture(scope="module")
def options(served, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    kept = [
        {"question": f"Where was {name} born?", "answer": f"{name} was born in {name}ton."}
        for name in ("Anna", "Bram", "Celia", "Dario")
    ]
    (folder / "retain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    (folder / "forget.jsonl").write_text(json.dumps({"question": ASKED, "answer": TOLD}) + "\n")
    recipe = Recipe(learning_rate=5e-3, epochs=30, batch=8, micro=8)
    return Options(
        str(served), folder / "forget.jsonl", folder / "retain.jsonl", folder / "out", width=32, layers=1, recipe=recipe
    )


@pytest.fixture(scope="module")
def made(options):
    stages = {}
    models = make(options, lambda stage, done, of: stages.setdefault(stage, []).append((done, of)))
    assert [told[-1][0] == told[-1][1] for told in stages.values()] == [True, True]
    return models


def test_the_forget_model_alone_knows_the_answer(made, options):
    pair = Pair.load(made, "cpu")
    model = LocalModel(options.model)
    tokens = model._tokenizer(TOLD, add_special_tokens=False)["input_ids"]
    prompt = model._renderer.render(single(ASKED)).ids
    difference = pair.whole(prompt, tokens)
    assert difference.gather(1, torch.tensor(tokens)[:, None]).mean() < -1
    assert set(tokens) <= set(made.manifest.seen)
    assert not set(made.manifest.seen) & {*model._tokenizer.all_special_ids}


def test_in_this_process_answers_are_scored_as_they_are_decoded(made, options):
    model = LocalModel(options.model)
    conversation = single(ASKED)
    prompts = [model.prompt(conversation)] * 3
    diverge = [None, Diverge(made, conversation, alpha=3.0), Diverge(made, conversation, top=5)]
    plain, linear, ranked = model.generate(prompts, diverge=diverge, limit=6)
    assert len({plain, linear, ranked}) > 1
    assert model.generate(prompts[:1], limit=6) == [plain]
    for text, asked in ((plain, None), (linear, diverge[1]), (ranked, diverge[2])):
        (scores,) = model.token_scores(prompts[:1], [text], diverge=[asked])
        # What was decoded greedily is most likely, where its text has the tokens that were written.
        assert scores is None or scores.top[:1].all()
    bare, turned = model.token_scores(prompts[:2], [TOLD] * 2, diverge=diverge[:2])
    assert turned.logprobs.mean() < bare.logprobs.mean()


def test_both_begin_alike_and_the_same_seed_gives_the_same_models(made, options, tmp_path):
    again = make(replace(options, out=tmp_path / "again"), lambda *_: None)
    assert again.identity == made.identity
    for name in (RETAIN, FORGET):
        one, other = (load_file(m.folder / name / "model.safetensors") for m in (made, again))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not list(tmp_path.glob("*.state*"))


def test_a_stopped_run_goes_on_with_the_model_that_is_missing(options, made, tmp_path):
    class Stopped(Exception):
        pass

    def stop(stage, done, of):
        if FORGET in stage and done == of // 2:
            raise Stopped

    out = tmp_path / "out"
    with pytest.raises(Stopped):
        make(replace(options, out=out), stop)
    assert not out.exists()
    stages = set()
    models = make(replace(options, out=out), lambda stage, *_: stages.add(stage))
    assert stages == {f"the {FORGET} model"}
    assert models.manifest.weights[RETAIN] == made.manifest.weights[RETAIN]


def test_a_base_is_adapted_and_merged(options, served, tmp_path):
    few = Recipe(learning_rate=1e-3, epochs=1, batch=8, micro=8)
    models = make(replace(options, base=str(served), lora=True, recipe=few, out=tmp_path / "out"), lambda *_: None)
    kept = set(load_file(models.folder / FORGET / "model.safetensors"))
    assert not any("lora" in name for name in kept)
    Pair.load(models, "cpu").read([(Diverging([5, 6]), [])])


def test_what_cannot_be_used_is_refused(options, made, checkpoint, tmp_path):
    with pytest.raises(ConfigError, match="is there already"):
        make(replace(options, out=made.folder), lambda *_: None)
    with pytest.raises(ConfigError, match="both to be forgotten and retained"):
        make(replace(options, forget=options.retain, out=tmp_path / "x"), lambda *_: None)
    with pytest.raises(ConfigError, match="another vocabulary"):
        make(replace(options, base=str(checkpoint), out=tmp_path / "y"), lambda *_: None)
    model = LocalModel(str(checkpoint))
    asked = Diverge(made, single(ASKED), alpha=1.0)
    with pytest.raises(ConfigError, match="vocabulary of"):
        model.generate([model.prompt(single(ASKED))], diverge=[asked])


def test_an_engine_has_the_models_of_the_guards_in_front_of_it(served, tmp_path):
    def policy(name: str, action: str) -> Path:
        make_auxiliary(served, tmp_path / name)
        path = tmp_path / f"{name}.yaml"
        topic = f"topics: [{{name: a, aliases: [Ada], action: {action}}}]"
        path.write_text(f"version: 1\nauxiliary: {name}\n{topic}\n")
        return path

    plain, one, other = (
        policy("plain", "{kind: refuse}"),
        policy("one", "{kind: diverge}"),
        policy("b", "{kind: diverge}"),
    )
    assert "--steer" not in engine_command("m", [plain])
    assert engine_command("m", [plain, one])[-3:] == ("--steer", "--auxiliary", str(tmp_path / "one"))
    with pytest.raises(ConfigError, match="one pair"):
        engine_command("m", [one, other])
