"""The difference of two small models, added to the logits or masking tokens, cached and batched as without either."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from guard.errors import ConfigError
from guard.steer.auxiliary import FORGET, MANIFEST, RETAIN, Auxiliary, Manifest, tokenizer_digest
from guard.steer.divergence import MASKED, Diverging, Pair, diverged

VOCABULARY = 50
SEEN = torch.arange(VOCABULARY) < 40


def llama(seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def models():
    return llama(1), llama(2)


@pytest.fixture(scope="module")
def pair(models):
    return Pair(*models, seen=range(40))


def expected(models, ids):
    with torch.inference_mode():
        return [model(input_ids=torch.tensor([ids])).logits[0, -1] for model in models]


def test_the_linear_form_is_the_sum():
    logits, difference = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, -1.0, 0.0])
    turned = diverged(logits, difference, torch.ones(3, dtype=torch.bool), 2.0, 0)
    assert turned.tolist() == [2.0, 0.0, 3.0]
    assert logits.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("top", "masked"), [(1, {2}), (2, {1, 2}), (3, {1, 2}), (100, {1, 2})])
def test_the_rank_form_masks_what_the_other_model_would_rather_say(top, masked):
    difference = torch.tensor([0.5, -1.0, -2.0, -9.0, 0.0])
    seen = torch.tensor([True, True, True, False, True])
    turned = diverged(torch.zeros(5), difference, seen, 0.0, top)
    assert {place for place, value in enumerate(turned.tolist()) if value == -MASKED} == masked
    assert turned.sum() == -MASKED * len(masked)


def test_both_forms_together_are_one_after_the_other():
    torch.manual_seed(0)
    logits, difference = torch.randn(3, VOCABULARY), torch.randn(3, VOCABULARY)
    once = diverged(diverged(logits, difference, SEEN, 1.5, 0), difference, SEEN, 0.0, 4)
    assert torch.allclose(diverged(logits, difference, SEEN, 1.5, 4), once)


def test_with_caches_it_is_what_the_models_say_without(models, pair):
    prompt, written = [3, 1, 4, 1, 5], [9, 2, 6, 5, 3]
    answer = Diverging(prompt, alpha=1.0)
    for length in range(len(written) + 1):
        retain, forget = expected(models, prompt + written[:length])
        (difference,) = pair.read([(answer, written[:length])])
        assert torch.allclose(difference, retain - forget, atol=1e-4)
        if length:
            assert torch.allclose(difference, pair.whole(prompt, [*written[:length], 0])[-1], atol=1e-4)


def test_answers_of_a_batch_do_not_touch_one_another(models, pair):
    asked = [([7, 8, 9], [1, 2, 3, 4]), ([11] * 9, [5, 6]), ([2], [7, 7, 7]), ([30, 31], [])]
    answers = [Diverging(prompt) for prompt, _ in asked]
    for step in range(5):  # they come one after the other, and grow at different lengths
        here = [
            (answer, written[: max(0, step - late)])
            for late, (answer, (_, written)) in enumerate(zip(answers, asked, strict=True))
            if late <= step
        ]
        found = pair.read(here)
        for (answer, written), difference in zip(here, found, strict=True):
            retain, forget = expected(models, [*answer.prompt, *written])
            assert torch.allclose(difference, retain - forget, atol=1e-4)


def test_an_interrupted_answer_goes_on_from_all_that_was_written(pair):
    whole, again = Diverging([1, 2, 3]), Diverging([1, 2, 3])
    for length in range(4):
        (kept,) = pair.read([(whole, [4, 5, 6][:length])])
    (anew,) = pair.read([(again, [4, 5, 6])])
    assert torch.allclose(kept, anew, atol=1e-4)


def test_a_token_that_is_not_there_yet_is_not_read(pair):
    answer = Diverging([1, 2, 3])
    (before,) = pair.read([(answer, [4])])
    assert torch.equal(pair.read([(answer, [4, -1])])[0], before)
    assert not torch.allclose(pair.read([(answer, [4, 5])])[0], before)


class Tokens:
    def __init__(self, *tokens):
        self._tokens = {token: number for number, token in enumerate(tokens)}

    def get_vocab(self):
        return self._tokens


@pytest.fixture
def folder(tmp_path):
    for name in (RETAIN, FORGET):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    manifest = Manifest(
        tokenizer=tokenizer_digest(Tokens("a", "b")), vocabulary=2, context=8, weights={}, seen=(0,), made={}
    )
    (tmp_path / MANIFEST).write_text(json.dumps(manifest.model_dump()))
    return tmp_path


def test_models_of_another_vocabulary_are_refused(folder):
    models = Auxiliary.read(folder)
    models.check(Tokens("a", "b"), 2)
    with pytest.raises(ConfigError, match="vocabulary of 2 tokens, and the served model has 3"):
        models.check(Tokens("a", "b"), 3)
    with pytest.raises(ConfigError, match="another tokenizer"):
        models.check(Tokens("b", "a"), 2)


def test_a_folder_without_models_is_refused(folder):
    (folder / FORGET / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"no model in .*forget"):
        Auxiliary.read(folder)
    (folder / MANIFEST).write_text("{}")
    with pytest.raises(ConfigError, match="damaged"):
        Auxiliary.read(folder)
    with pytest.raises(ConfigError, match="lethe-eval aux"):
        Auxiliary.read(folder / "nowhere")
