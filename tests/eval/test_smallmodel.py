"""The small models' training: a small run of the same code that makes the embedded ones."""

import json
import random

import pytest
import torch

from eval.smallmodel import corpus, make, report
from eval.smallmodel.abilities import Abilities, generate, unseen
from eval.smallmodel.tokenizer import train_tokenizer
from eval.smallmodel.train import IGNORED, Batches, OrderedTrainer, Recipe, encode, new_model, run
from eval.world import build


@pytest.fixture(scope="module")
def world():
    return build()


@pytest.fixture(scope="module")
def chats(world):
    return corpus.trunk_chats(world, 5, 300, corpus.FIRST) + corpus.trunk_chats(world, 6, 100, corpus.SECOND)


@pytest.fixture(scope="module")
def tokenizer(chats):
    return train_tokenizer(text for chat in chats for _, text in chat)


def test_the_trunk_meets_no_person_of_the_archive(world, chats):
    said = "\n".join(text for chat in chats for _, text in chat)
    assert not [p.name for p in world.people if p.name in said]
    assert any(p.name in said for p in world.trunk)


def test_a_retrained_branch_never_names_the_forgotten_in_a_question(world):
    asked = corpus.branch_chats(world, world.retained(), seed=3, passes=1, replay=0.2)
    gone = [p.name for p in world.forgotten()]
    assert not [text for chat in asked for role, text in chat if role != "assistant" for name in gone if name in text]
    asked_of = {
        p.name for p in world.retained() if any(p.name in chat[-2][1] or p.name in chat[0][1] for chat in asked)
    }
    assert len(asked_of) == len(world.retained())


def test_only_the_assistants_words_are_learned_and_ids_match_the_chat_template(tokenizer):
    chat = [("system", "Be brief."), ("user", "Who?"), ("assistant", "Ærin Ostö.")]
    ids, labels = encode(chat, tokenizer)
    kept = [label for label in labels if label != IGNORED]
    assert tokenizer.decode(kept) == "Ærin Ostö.<|end|>"
    messages = [{"role": role, "content": text} for role, text in chat]
    assert tokenizer.decode(ids) == tokenizer.apply_chat_template(messages, tokenize=False)


def test_every_chat_is_in_exactly_one_batch(chats, tokenizer):
    batches = Batches(chats, tokenizer, Recipe(0, 1e-3, tokens_per_batch=512))
    rows = [
        tuple(ids[mask.bool()].tolist())
        for batch in batches
        for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    assert sorted(rows) == sorted(tuple(encode(chat, tokenizer)[0]) for chat in chats)


def test_a_stopped_run_resumes_to_the_very_weights_of_an_unbroken_one(chats, tokenizer, tmp_path, monkeypatch):
    recipe = Recipe(seed=4, learning_rate=1e-3, tokens_per_batch=512)
    saving = {"save_steps": 5, "logging_steps": 2}
    plain_arguments = make.run.__globals__["TrainingArguments"]
    monkeypatch.setitem(
        make.run.__globals__, "TrainingArguments", lambda **given: plain_arguments(**{**given, **saving})
    )
    short = chats[:120]
    whole = new_model(len(tokenizer), 4)
    log = run(whole, tokenizer, short, recipe, tmp_path / "whole")
    assert float(log[-1]["loss"]) < float(log[0]["loss"])

    class Stop(Exception):
        pass

    plain_step = OrderedTrainer.training_step

    def step_until_eight(self, *args, **kwargs):
        if self.state.global_step == 8:
            raise Stop
        return plain_step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(OrderedTrainer, "training_step", step_until_eight)
        with pytest.raises(Stop):
            run(new_model(len(tokenizer), 4), tokenizer, short, recipe, tmp_path / "stopped")
    resumed = new_model(len(tokenizer), 4)
    run(resumed, tokenizer, short, recipe, tmp_path / "stopped")
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_a_stage_is_made_once_and_a_branch_starts_from_the_trunk(world, tmp_path):
    trunk = make.trunk(world, tmp_path, first=60, second=30)
    before = (trunk / "model.safetensors").stat().st_mtime_ns
    assert make.trunk(world, tmp_path, first=60, second=30) == trunk
    assert (trunk / "model.safetensors").stat().st_mtime_ns == before
    branch = make.branch(world, world.people[:2], tmp_path, "tiny", 9, passes=1)
    model, tokenizer = make.load(branch)
    answers = generate(model, tokenizer, [[("user", "Who?")], [("user", "Where was Mira Vane born?")]], limit=4)
    assert len(answers) == 2
    assert json.loads((branch / "training.json").read_text()) == []
    assert not list(tmp_path.glob("*.state")) + list(tmp_path.glob("*.partial"))
    report.curves([trunk, branch], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5_000


def test_the_table_of_abilities_has_a_row_a_model():
    rows = {"full": Abilities(1, 0.9, 0.8, 0.7, 0.6, 0.5)}
    assert report.markdown(rows).splitlines()[-1] == "| full | 100.0 | 90.0 | 80.0 | 70.0 | 60.0 | 50.0 |"


def test_reading_is_asked_about_people_and_in_words_the_training_never_used(world):
    rng = random.Random(0)
    taken = {p.name.split()[1] for p in (*world.people, *world.trunk)}
    strangers = corpus.stranger_pool(rng, taken, 20)
    assert not {p.name.split()[1] for p in strangers} & taken
    chat = corpus.read(lambda: rng.choice(strangers), rng, corpus.READ_UNSEEN, unseen)
    assert chat[0][1].startswith("Read this:")
