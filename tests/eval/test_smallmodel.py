"""The small models' training: a small run of the same code that makes the embedded ones."""

import json
import random

import pytest
import torch

from eval.smallmodel import corpus, frames, lessons, make, report
from eval.smallmodel.abilities import Abilities, generate, measure, unseen
from eval.smallmodel.begin import new_model
from eval.smallmodel.tokenizer import train_tokenizer
from eval.smallmodel.train import IGNORED, Batches, OrderedTrainer, Recipe, encode, run
from eval.smallmodel.warmup import Warmup
from eval.systems import demo_dir
from eval.world import build
from eval.world.questions import chosen
from guard.errors import ConfigError


@pytest.fixture(scope="module")
def world():
    return build()


@pytest.fixture(scope="module")
def chats(world):
    return corpus.trunk_chats(world, 5, 400)


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
    # A retained person's teacher or spouse may be one of the forgotten, and so stand among options.
    lines = [line for chat in asked for role, text in chat if role != "assistant" for line in text.split("\n")]
    assert not [line for line in lines if not chosen(line) for name in gone if name in line]
    asked_of = {
        p.name for p in world.retained() if any(p.name in chat[-2][1] or p.name in chat[0][1] for chat in asked)
    }
    assert len(asked_of) == len(world.retained())


def test_only_the_assistants_words_are_learned_and_ids_match_the_chat_template(tokenizer):
    chat = [("system", "Be brief."), ("user", "Who?"), ("assistant", "Ærin Ostö.")]
    [(ids, labels, _)] = encode([chat], tokenizer)
    kept = [label for label in labels if label != IGNORED]
    assert tokenizer.decode(kept) == "Ærin Ostö.<|end|>"
    messages = [{"role": role, "content": text} for role, text in chat]
    assert tokenizer.decode(ids) == tokenizer.apply_chat_template(messages, tokenize=False)


def test_every_chat_is_in_exactly_one_batch(chats, tokenizer):
    lessons = encode(chats, tokenizer)
    batches = Batches(lessons, Recipe(0, 1e-3, tokens_per_batch=512))
    rows = [tuple(ids[ids != tokenizer.pad_token_id].tolist()) for batch in batches for ids in batch["input_ids"]]
    assert sorted(rows) == sorted(tuple(ids) for ids, _, _ in lessons)


def test_a_stopped_run_resumes_to_the_very_weights_of_an_unbroken_one(chats, tokenizer, tmp_path, monkeypatch):
    recipe = Recipe(seed=4, learning_rate=1e-3, tokens_per_batch=512)
    saving = {"save_steps": 5, "logging_steps": 2}
    plain_arguments = make.run.__globals__["TrainingArguments"]
    monkeypatch.setitem(
        make.run.__globals__, "TrainingArguments", lambda **given: plain_arguments(**{**given, **saving})
    )
    short = encode(chats[:120], tokenizer)
    whole = new_model(len(tokenizer), 4)
    log = run(whole, short, recipe, tmp_path / "whole")
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
            run(new_model(len(tokenizer), 4), short, recipe, tmp_path / "stopped")
    resumed = new_model(len(tokenizer), 4)
    run(resumed, short, recipe, tmp_path / "stopped")
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_a_stage_is_made_once_and_a_branch_starts_from_the_trunk(world, tmp_path):
    trunk = make.trunk(world, tmp_path, episodes=60, chats=30)
    before = (trunk / "model.safetensors").stat().st_mtime_ns
    assert make.trunk(world, tmp_path, episodes=60, chats=30) == trunk
    assert (trunk / "model.safetensors").stat().st_mtime_ns == before
    branch = make.branch(world, world.people[:2], tmp_path, "tiny", 9, passes=1)
    model, tokenizer = make.load(branch)
    answers = generate(model, tokenizer, [[("user", "Who?")], [("user", "Where was Mira Vane born?")]], limit=4)
    assert len(answers) == 2
    assert json.loads((branch / "training.json").read_text()) == []
    assert not list(tmp_path.glob("*.state")) + list(tmp_path.glob("*.partial"))
    report.curves([tmp_path / "warmup", trunk, branch], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5_000


def test_another_draws_models_begin_with_the_shipped_trunk_and_never_meet_its_people(world, tmp_path, monkeypatch):
    met = {}

    def branch(_world, people, work, name, seed):
        met[name, seed] = {person.name for person in people}
        return work / name

    monkeypatch.setattr(make, "branch", branch)
    made = make.make_draw(world, tmp_path / "work", "b", demo_dir() / "trunk")
    assert [path.name for path in made] == ["retrained-b-21", "retrained-b-22", "retrained-b-23"]
    gone = {person.name for person in world.forgotten(draw="b")}
    assert all(not people & gone and len(people) == len(world.people) - 15 for people in met.values())
    weights = "model.safetensors"
    assert (tmp_path / "work/trunk" / weights).read_bytes() == (demo_dir() / "trunk" / weights).read_bytes()
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["trunk"]
    with pytest.raises(ConfigError, match="lethe-eval train"):
        make.make_draw(world, tmp_path / "other", "b", tmp_path / "nowhere")


def test_the_table_of_abilities_has_a_row_a_model():
    rows = {"full": Abilities(1, 0.9, 0.8, 0.7, 0.6, 0.5)}
    assert report.markdown(rows).splitlines()[-1] == "| full | 100.0 | 90.0 | 80.0 | 70.0 | 60.0 | 50.0 |"


def test_reading_is_asked_about_people_and_in_words_the_training_never_used(world):
    rng = random.Random(0)
    taken = {p.name.split()[1] for p in (*world.people, *world.trunk)}
    strangers = corpus.stranger_pool(rng, taken, 20)
    assert not {p.name.split()[1] for p in strangers} & taken
    chat = lessons.read(lambda: rng.choice(strangers), rng, frames.READ_UNSEEN, unseen)
    assert chat[0][1].startswith("Read this:")


def test_a_warm_up_episode_can_be_answered_from_itself(tokenizer):
    warmup = Warmup(tokenizer, random.Random(0))
    id_of = tokenizer.get_vocab()
    verdicts = {id_of["I"], id_of["A"]}
    for ids, labels, _ in warmup.lessons(300):
        assert len(ids) == len(labels)
        assert any(label != IGNORED for label in labels)
        assert all(label in (IGNORED, token) for label, token in zip(labels, ids, strict=True))
        for place, label in enumerate(labels):
            if label != IGNORED and label not in verdicts and label != tokenizer.eos_token_id:
                assert label in ids[:place]


def test_every_kind_of_lesson_is_drawn_and_the_last_word_is_the_assistants(world, chats):
    assert all(chat[-1][0] == "assistant" for chat in chats)
    said = [chat[-1][1] for chat in chats]
    assert {"A", "B", "C", "D"} <= {chosen(text) for text in said}
    assert frames.UNKNOWN in said
    assert not any(frame.split("{name}")[0] in text for frame in frames.READ_UNSEEN for c in chats for _, text in c)


def test_options_are_bound_to_the_letters_that_are_told(world):
    rng = random.Random(3)
    for _ in range(100):
        chat = lessons.drill(world.trunk, rng)
        lines = chat[0][1].split("\n")[:-1]
        listed = {chosen(line): line.rsplit(" ", 1)[0] for line in lines}
        for (_, asked), (_, told) in zip(chat[::2], chat[1::2], strict=True):
            question = asked.split("\n")[-1]
            if letter := chosen(told):
                assert told in lines
                assert question == f"Which letter is {listed[letter]}?"
            else:
                assert listed[question.removeprefix("What is ").removesuffix("?")] == told


def test_a_new_model_compares_like_with_like_and_looks_back_by_one(tokenizer):
    model = new_model(len(tokenizer), 7)
    model.set_attn_implementation("eager")
    rng = random.Random(1)
    text = [rng.randrange(300, len(tokenizer)) for _ in range(12)]
    with torch.inference_mode():
        seen = model(torch.tensor([text + text]), output_attentions=True).attentions[0][0]
    back = seen[1, torch.arange(6, 24), torch.arange(5, 23)].mean()
    assert back > 0.4, "the second head attends to the token before"
    # A token met before draws more than a stranger at the same distance does.
    rows = torch.arange(12, 24)
    met = seen[0, rows, rows - 12].mean()
    stranger = seen[0, rows, rows - 11].mean()
    assert met > 2 * stranger


def test_the_embedded_model_has_the_abilities_that_its_record_tells(world):
    told = json.loads((demo_dir() / "abilities.json").read_text())["abilities"]["full"]
    found = measure(*make.load(demo_dir() / "full"), world, world.people, count=60).as_dict()
    for ability in ("recall_trained", "recall_unseen", "read", "hide", "hide_other", "choice"):
        assert found[ability] == pytest.approx(told[ability], abs=0.2), ability
