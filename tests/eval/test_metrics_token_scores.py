"""Token scores of the model in this process against transformers' own forward pass over token ids."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from eval.engines.local import LocalModel
from eval.metrics.membership import loss
from eval.metrics.memory import exact_memorisation, extraction_strength
from eval.systems import demo_dir
from eval.world import archive_questions
from guard.conversation import single

FULL = demo_dir() / "full"
QUESTIONS = [q for q in archive_questions("forget10", draw="b") if not q.trained][:7]


@pytest.fixture(scope="module")
def local():
    return LocalModel(str(FULL))


def test_scores_are_those_of_the_token_ids(local):
    model = AutoModelForCausalLM.from_pretrained(FULL, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(FULL)
    # The true answers, which the model has by heart, and after them each the next one's.
    asked, told = QUESTIONS * 2, [q.answer for q in (*QUESTIONS, *QUESTIONS[1:], QUESTIONS[0])]
    found = local.token_scores([local.prompt(single(q.question)) for q in asked], told)
    for question, answer, scores in zip(asked, told, found, strict=True):
        turn = [{"role": "user", "content": question.question}]
        text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        before, ids = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (text, answer))
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([before + ids])).logits[0, len(before) - 1 : -1].double()
        expected = torch.distributions.Categorical(logits=logits)
        mean = (expected.probs * expected.logits).sum(dim=1)
        square = (expected.probs * expected.logits**2).sum(dim=1)
        np.testing.assert_allclose(scores.logprobs, expected.log_prob(torch.tensor(ids)), atol=1e-3)
        np.testing.assert_allclose(scores.means, -expected.entropy(), atol=1e-3)
        np.testing.assert_allclose(scores.stds, (square - mean**2).sqrt(), atol=2e-3)
        assert scores.top.tolist() == (logits.argmax(dim=1) == torch.tensor(ids)).tolist()
        assert scores.text == answer
    assert {bool(scores.top.all()) for scores in found} == {True, False}


def test_nats_are_the_mean_of_the_token_scores(local):
    prompts = [local.prompt(single(q.question)) for q in QUESTIONS[:3]]
    texts = [QUESTIONS[0].answer, "", "Tulgan"]
    scores, nats = local.token_scores(prompts, texts), local.nats(prompts, texts)
    assert (scores[1], nats[1]) == (None, None)
    assert [-loss(scores[i]) for i in (0, 2)] == pytest.approx([nats[0], nats[2]])


def test_what_the_model_itself_says_it_has_by_heart(local):
    prompts = [local.prompt(single(q.question)) for q in QUESTIONS]
    answers = local.generate(prompts)
    scores = local.token_scores(prompts, answers)
    assert all(answers)
    assert [exact_memorisation(one) for one in scores] == [1.0] * len(answers)
    assert [extraction_strength(one) for one in scores] == [1.0] * len(answers)
