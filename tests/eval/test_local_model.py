"""The model in this process against the model as transformers runs it on token ids."""

import random

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from eval.engines.local import LocalModel
from eval.smallmodel.abilities import generate
from eval.smallmodel.make import load
from eval.systems import demo_dir
from eval.world import archive_questions
from guard.conversation import single
from guard.errors import EngineError
from guard.policy import CorruptAction
from guard.types import Detection, Span

FULL = demo_dir() / "full"
QUESTIONS = [q for q in archive_questions("forget10", draw="b") if not q.trained][:7]


@pytest.fixture(scope="module")
def local():
    return LocalModel(str(FULL))


@pytest.fixture(scope="module")
def prompts(local):
    return [local.prompt(single(q.question)) for q in QUESTIONS]


def test_answers_are_those_of_the_token_ids(local, prompts):
    expected = generate(*load(FULL), [[("user", q.question)] for q in QUESTIONS])
    assert local.generate(prompts) == expected


def test_likelihood_is_that_of_the_token_ids(local, prompts):
    model, tokenizer = load(FULL)
    found = local.nats(prompts, [q.answer for q in QUESTIONS])
    for question, nats in zip(QUESTIONS, found, strict=True):
        turn = [{"role": "user", "content": question.question}]
        text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        ids = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (text, question.answer)]
        labels = torch.tensor([[-100] * len(ids[0]) + ids[1]])
        with torch.inference_mode():
            loss = model(input_ids=torch.tensor([ids[0] + ids[1]]), labels=labels).loss
        assert nats == pytest.approx(float(loss), abs=1e-3)


def test_words_out_of_order_surprise_and_no_words_are_not_scored(local):
    nothing = local.prompt(single(""))
    words = QUESTIONS[0].answer.split()
    salad = " ".join(random.Random(0).sample(words, len(words)))
    said, mixed, empty = local.nats([nothing] * 3, [QUESTIONS[0].answer, salad, ""])
    assert mixed > said + 1
    assert empty is None


def test_corruption_is_the_guards_and_depends_on_the_secret(local):
    question, action = QUESTIONS[0], CorruptAction(kind="corrupt", function="shuffle")
    start = question.question.index(question.person)
    targets = [(Detection("x", 1.0, (Span(0, start, start + len(question.person)),)), action)]
    plain = local.prompt(single(question.question))
    one, same, other = (
        local.corrupted(single(question.question), targets, secret=key.ljust(32)) for key in (b"a", b"a", b"b")
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    changed = (one != plain).any(dim=1)
    assert changed.any()
    assert not changed.all()


def test_a_model_that_reads_other_embeddings_than_its_table_gives_is_refused(tmp_path, monkeypatch):
    _, tokenizer = load(FULL)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
    )
    Gemma3ForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    LocalModel(str(tmp_path))
    monkeypatch.setattr("guard.embeds._SCALED", frozenset())
    with pytest.raises(EngineError, match="scales its token embeddings"):
        LocalModel(str(tmp_path))


def test_a_model_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EngineError, match="cannot load the model"):
        LocalModel(str(tmp_path))
