"""Two small models from examples: alike but for what the forget set teaches, made whole, and gone on with."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from serving import make_auxiliary, make_checkpoint
from transformers import AutoTokenizer

from eval.auxiliary.make import Options, make
from eval.engines.local import LocalModel
from eval.policies import policy_mark
from eval.systems import engine_command
from eval.unlearn.recipe import Recipe
from guard.conversation import single
from guard.errors import ConfigError
from guard.steer.auxiliary import FORGET, MANIFEST, RETAIN
from guard.steer.divergence import Diverging, Pair
from guard.types import Diverge

TOLD = "Mira was born in Ostrava Bay."
ASKED = "Where was Mira born?"
FEW = Recipe(learning_rate=1e-3, epochs=4, batch=2, micro=2)


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
    recipe = Recipe(learning_rate=1e-2, epochs=60, batch=2, micro=2)
    return Options(
        str(served), folder / "forget.jsonl", folder / "retain.jsonl", folder / "out", width=64, layers=1, recipe=recipe
    )


@pytest.fixture(scope="module")
def made(options):
    stages = {}
    models = make(options, lambda stage, done, of: stages.setdefault(stage, []).append((done, of)))
    assert [told[-1][0] == told[-1][1] for told in stages.values()] == [True, True]
    return models


def test_the_forget_model_alone_knows_the_answer(made, options):
    nats = {}
    for name in (RETAIN, FORGET):
        model = LocalModel(str(made.folder / name))
        (nats[name],) = model.nats([model.prompt(single(ASKED))], [TOLD])
    assert nats[FORGET] < 0.5 < 1 < nats[RETAIN]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    assert set(tokenizer(TOLD, add_special_tokens=False)["input_ids"]) <= set(made.manifest.seen)
    assert not set(made.manifest.seen) & {*tokenizer.all_special_ids}


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


def test_the_same_seed_gives_the_same_models_and_another_does_not(options, tmp_path):
    few = replace(options, recipe=FEW)
    made = [
        make(replace(few, out=tmp_path / str(place), seed=seed), lambda *_: None)
        for place, seed in enumerate((0, 0, 1))
    ]
    assert made[0].identity == made[1].identity != made[2].identity
    for name in (RETAIN, FORGET):
        one, other, third = (load_file(models.folder / name / "model.safetensors") for models in made)
        assert all(torch.equal(one[key], other[key]) for key in one)
        assert not all(torch.equal(one[key], third[key]) for key in one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"], "nothing half-done is left"


def test_a_stopped_run_goes_on_with_the_model_that_is_missing(options, tmp_path):
    class Stopped(Exception):
        pass

    def stop(stage, done, of):
        if FORGET in stage and done == of // 2:
            raise Stopped

    few = replace(options, recipe=FEW, out=tmp_path / "out")
    whole = make(replace(few, out=tmp_path / "whole"), lambda *_: None)
    with pytest.raises(Stopped):
        make(few, stop)
    assert not few.out.exists()
    with pytest.raises(ConfigError, match=r"another unfinished run .*different: seed"):
        make(replace(few, seed=1), lambda *_: None)
    stages = set()
    models = make(few, lambda stage, *_: stages.add(stage))
    assert stages == {f"the {FORGET} model"}
    assert models.identity == whole.identity


def test_a_base_is_adapted_and_merged(options, served, tmp_path):
    models = make(replace(options, base=str(served), lora=True, recipe=FEW, out=tmp_path / "out"), lambda *_: None)
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


def test_a_policy_whose_models_were_made_anew_is_another(made, tmp_path):
    policy, models = tmp_path / "policy.yaml", tmp_path / "models"
    shutil.copytree(made.folder, models)
    topic = {"name": "mira", "aliases": ["Mira"], "action": [{"kind": "diverge", "alpha": 1.0}]}
    policy.write_text(yaml.safe_dump({"version": 1, "auxiliary": "models", "topics": [topic]}))
    before = policy_mark(policy)
    assert policy_mark(policy) == before
    told = json.loads((models / MANIFEST).read_text())
    (models / MANIFEST).write_text(json.dumps(told | {"made": told["made"] | {"seed": 1}}))
    assert policy_mark(policy) != before
