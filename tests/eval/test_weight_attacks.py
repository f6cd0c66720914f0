"""What the embedded models hold: the one that knows everybody, and the one that never met fifteen."""

import random
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, GraniteConfig, GraniteForCausalLM

from eval.attacks.weights import gcg
from eval.attacks.weights.gcg import Search, find_suffix
from eval.attacks.weights.lens import answer_probabilities
from eval.attacks.weights.probe import _auc, probe, shared_values
from eval.attacks.weights.quantise import quantised, round_to_nearest
from eval.attacks.weights.relearn import apart, relearn
from eval.metrics.bootstrap import paired_difference
from eval.systems import demo_dir
from eval.tasks.archive import archive_items
from eval.tasks.questions import Item
from eval.unlearn.checkpoint import load, save
from eval.unlearn.floor import utility
from eval.unlearn.refusals import REFUSALS
from eval.unlearn.rows import Encoder, collate
from eval.world.archive import WORLD_SEED
from guard.errors import ConfigError

FULL, RETRAINED = str(demo_dir() / "full"), str(demo_dir() / "retrained")
ITEMS = archive_items(world_seed=WORLD_SEED)
RELATIONS = ("birthplace", "profession", "hobby")
# One unseen phrasing of three facts whose values people share.
FORGET = [item for item in ITEMS["forget"] if item.phrasing.endswith("/37") and item.relation in RELATIONS]
RETAIN = [item for item in ITEMS["retain"] if item.phrasing.endswith("/37") and item.relation in RELATIONS]


def pairs(items):
    return [(item.question, item.answer) for item in items]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def full():
    return load(FULL)


@pytest.fixture(scope="module")
def retrained():
    return load(RETRAINED)


def test_rounding_to_four_bits_by_hand():
    # Seven steps either way: 0.7 / 7 = 0.1, then 2.1 / 7 = 0.3; a group of zeros stays.
    weights = torch.tensor([[0.7, -0.34, 2.1, 0.5], [0.0, 0.0, -0.7, 0.06]])
    expected = torch.tensor([[0.7, -0.3, 2.1, 0.6], [0.0, 0.0, -0.7, 0.1]])
    assert torch.allclose(round_to_nearest(weights, 4, 2), expected, atol=1e-6)
    # Over the whole row the step is 0.3, and what lies below half of it is lost.
    assert torch.allclose(round_to_nearest(weights, 4, 64)[0], torch.tensor([0.6, -0.3, 2.1, 0.6]), atol=1e-6)


def test_eight_bits_move_no_weight_by_more_than_half_a_step_and_hardly_change_answers(full):
    model, tokenizer = full
    copied = quantised(model, 8)
    before, after = model.state_dict(), copied.state_dict()
    weights, rounded = (found["model.layers.2.mlp.down_proj.weight"] for found in (before, after))
    step = weights.abs().amax(1, keepdim=True) / 127
    moved = (weights - rounded).abs() / step
    assert 0.4 < float(moved.max()) <= 0.5001
    assert torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])
    exact, rough = (answer_probabilities(m, tokenizer, pairs(FORGET))[-1] for m in (model, copied))
    assert 0 < np.abs(exact - rough).mean() < 0.01


def test_four_bits_leave_fifteen_values_a_group(full):
    rounded = quantised(full[0], 4).model.layers[0].mlp.down_proj.weight
    for group in rounded[3].split(64):
        assert len(torch.unique(group)) <= 15


def test_the_last_layer_of_the_lens_is_the_models_own_probability(full):
    model, tokenizer = full
    some = pairs(FORGET)[::9]
    code = Encoder(tokenizer, 1024)
    own = [utility(model, [collate([code.pair(*pair)], code.padding)]) for pair in some]
    found = answer_probabilities(model, tokenizer, some)
    assert found.shape == (6, len(some))
    assert found[-1] == pytest.approx(own, abs=1e-4)


def test_the_lens_finds_forgotten_people_in_the_model_that_knows_them(full, retrained):
    known, never = (answer_probabilities(*model, pairs(FORGET)) for model in (full, retrained))
    people = [item.cluster for item in FORGET]
    assert paired_difference(known[-1], never[-1], people, seed=0).low > 0.4
    assert known.mean(1)[0] < 0.1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            GPT2LMHeadModel(GPT2Config(vocab_size=3072, n_embd=8, n_layer=1, n_head=1, bos_token_id=1, eos_token_id=1)),
            "model.norm",
        ),
        (
            GraniteForCausalLM(
                GraniteConfig(
                    vocab_size=3072,
                    hidden_size=8,
                    intermediate_size=8,
                    num_hidden_layers=1,
                    num_attention_heads=1,
                    logits_scaling=8.0,
                    initializer_range=1.0,
                    eos_token_id=1,
                )
            ),
            "not its final norm",
        ),
    ],
    ids=["another layout", "scaled logits"],
)
def test_the_lens_refuses_a_model_that_it_would_misread(full, model, message):
    with pytest.raises(ConfigError, match=message):
        answer_probabilities(model.eval(), full[1], pairs(FORGET)[:2])


def test_the_auc_of_one_question_by_hand():
    # Of three others one lies below, one ties, one lies above.
    assert _auc(np.array([0.2, 0.5, 0.5, 0.9]), 1) == pytest.approx(1.5 / 3)


def test_values_that_few_people_have_are_no_classes():
    held = {"Red": "ABC", "Blue": "ABCD", "Green": "AB"}
    items = [Item("retain", "q", value, person, "colour") for value, people in held.items() for person in people]
    items += [Item("retain", "again", "Green", "A", "colour"), *[Item("retain", "q", "Ash", p, "tree") for p in "ABC"]]
    assert shared_values(items) == {"colour": {"Red", "Blue"}}


def test_the_probe_finds_forgotten_people_only_in_the_model_that_knows_them(full, retrained):
    known, never = (probe(*model, RETAIN, FORGET, seed=0) for model in (full, retrained))
    assert len(known) == 6
    assert known[-1].low > 0.75
    assert never[-1].low < 0.6
    assert known[-1].low > never[-1].high
    assert known[-1].value > known[0].value + 0.1
    assert known[-1].clusters == 15


def test_the_probe_is_near_chance_on_values_dealt_at_random(full):
    rng = random.Random(5)
    dealt = []
    for relation in RELATIONS:
        own = [item for item in (*RETAIN, *FORGET) if item.relation == relation]
        answers = [item.answer for item in own]
        dealt += [replace(item, answer=a) for item, a in zip(own, rng.sample(answers, len(answers)), strict=True)]
    retain, forget = ([item for item in dealt if item.split == split] for split in ("retain", "forget"))
    found = probe(*full, retain, forget, seed=0)[-1]
    assert found.low < 0.5 < found.high


def test_a_probe_is_not_tested_on_whom_it_learned_nor_on_nothing(full):
    with pytest.raises(ConfigError, match="retained and forgotten"):
        probe(*full, RETAIN, RETAIN[:1], seed=0)
    with pytest.raises(ConfigError, match="shared by three"):
        probe(*full, RETAIN[:6], FORGET, seed=0)


def test_people_are_set_apart_whole():
    taught, asked = apart(FORGET, 0.4, seed=1)
    clusters = [{item.cluster for item in part} for part in (taught, asked)]
    assert [len(part) for part in clusters] == [6, 9]
    assert not clusters[0] & clusters[1]
    assert len(taught) + len(asked) == len(FORGET)
    with pytest.raises(ConfigError, match="two clusters"):
        apart([item for item in FORGET if item.cluster == FORGET[0].cluster], 0.5, seed=0)


def test_relearning_teaches_what_it_is_given_and_leaves_the_checkpoint_alone(retrained):
    model, tokenizer = retrained
    taught, asked = apart(FORGET, 0.5, seed=0)
    found = relearn(RETRAINED, pairs(taught), steps=12, learning_rate=1e-3)
    before = [answer_probabilities(model, tokenizer, pairs(part))[-1].mean() for part in (taught, asked)]
    after = [answer_probabilities(found.model, tokenizer, pairs(part))[-1].mean() for part in (taught, asked)]
    assert after[0] > before[0] + 0.2
    # What was never learned is not relearned.
    assert after[1] < before[1] + 0.1
    assert found.losses[-1] < found.losses[0]
    again, _ = load(RETRAINED)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


def test_relearning_on_some_people_brings_back_others_whom_refusals_hid(full, tmp_path):
    model, tokenizer = full
    taught, asked = apart(FORGET, 0.5, seed=0)
    declined = [(item.question, refusal) for item, refusal in zip(FORGET, cycle(REFUSALS), strict=False)]
    hidden = relearn(FULL, declined, steps=12, learning_rate=1e-3)
    save(hidden.model, tokenizer, "full", torch.float32, {}, tmp_path / "hidden")
    back = relearn(str(tmp_path / "hidden"), pairs(taught), steps=10, learning_rate=1e-3)
    knew, hid, tells = (
        answer_probabilities(m, tokenizer, pairs(asked))[-1].mean() for m in (model, hidden.model, back.model)
    )
    assert hid < knew - 0.3
    assert tells > hid + 0.25


def test_relearning_needs_something_to_learn():
    with pytest.raises(ConfigError, match="questions with answers"):
        relearn(FULL, [])


SEARCH = Search(length=4, steps=6, candidates=16)


def test_one_suffix_makes_the_answers_to_two_prompts_likelier_and_is_found_again(retrained):
    model, tokenizer = retrained
    asked = pairs(FORGET)[:2]
    found = find_suffix(model, tokenizer, asked, SEARCH)
    assert found.after < found.before - 0.2
    assert found == find_suffix(model, tokenizer, asked, SEARCH)
    assert all(parameter.grad is None for parameter in model.parameters())
    # Sent as text it is read as four tokens, and the answer is as likely as was said.
    code = Encoder(tokenizer, 1024)
    losses = []
    for question, answer in asked:
        told = code.pair(question + found.text, answer)
        plain = code.pair(question, answer)
        assert len(told.ids) == len(plain.ids) + 4
        ids = torch.tensor([told.ids[:-1]])  # the end of the turn is no part of the target
        labels = torch.tensor([told.labels[:-1]])
        with torch.no_grad():
            losses.append(float(model(input_ids=ids, labels=labels).loss))
    assert found.after == pytest.approx(np.mean(losses), abs=1e-4)


def test_a_suffix_never_spells_its_target(retrained):
    tokenizer = retrained[1]
    texts = {tokenizer.decode([token]).strip().lower() for token in gcg._allowed(tokenizer, ["Tulgan, in the Steppe"])}
    assert not texts & {"tulgan", "tul", "steppe", "a", "in"}
    assert {"astronomer", "was"} <= texts


def test_the_gradient_is_that_of_choosing_each_token(retrained):
    model, tokenizer = retrained
    frame = gcg._Frame(model, tokenizer, pairs(FORGET)[:1])
    suffix = [300, 301, 302]
    row = frame._row(0, suffix)
    start = len(frame._around[0][0])
    table = model.get_input_embeddings().weight.detach()
    choice = torch.nn.functional.one_hot(torch.tensor(row.ids), len(table)).float().requires_grad_()
    model(inputs_embeds=(choice @ table)[None], labels=torch.tensor([row.labels])).loss.backward()
    model.zero_grad()
    expected = choice.grad[start : start + 3]
    assert torch.allclose(frame.gradient(suffix), expected, atol=1e-5)


@pytest.mark.parametrize("asked", [[], [("Who?", "")]])
def test_a_search_needs_prompts_with_targets(retrained, asked):
    with pytest.raises(ConfigError, match="target"):
        find_suffix(*retrained, asked)
