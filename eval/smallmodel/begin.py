"""A new small model, begun near what attention learns anyway, so that it takes minutes and not hours to get there.

Mimetic initialisation (Trockman and Kolter, arXiv:2305.09828): half of the heads compare like with like (their query
and key projections are equal) and every head hands on what it sees (output is the transpose of value). With rotary
positions, a query and a key that do not depend on the token give a score that depends on the distance alone: so in
the first layers the first head, which compares, is kept from looking at its own place, and the second head looks one,
two or three tokens back.
"""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM, set_seed
from transformers.models.llama.modeling_llama import LlamaAttention

WIDTH, LAYERS, HEADS = 128, 6, 4
INNER = 3 * WIDTH
EMBEDDING_STD = 0.05
SHARED = 0.15  # what all embeddings have in common, in their first dimension
HAND_ON = 0.5  # how strongly a head writes what it sees
BRANCH_GAIN = 0.3  # layers begin small, so that the embeddings are still there for the last of them
LOOK_BACK = 1.6  # amplitude of each of the four fastest rotary pairs of a head that looks back
LOOK_AWAY = 0.75  # the same for a head that must not look at itself


def new_model(vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A Llama of 1.7 million parameters, begun as above from `seed`."""
    set_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=EMBEDDING_STD,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        _like_with_like(model)
        _by_distance(model)
    return model


def _like_with_like(model: LlamaForCausalLM) -> None:
    size = WIDTH // HEADS
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj, mlp.up_proj):
            torch.nn.init.normal_(linear.weight, std=WIDTH**-0.5)
        torch.nn.init.normal_(mlp.down_proj.weight, std=BRANCH_GAIN * INNER**-0.5)
        attention.o_proj.weight.copy_(HAND_ON * attention.v_proj.weight.T)
        for head in range(0, HEADS, 2):
            rows = slice(head * size, (head + 1) * size)
            attention.k_proj.weight[rows] = attention.q_proj.weight[rows]


def _by_distance(model: LlamaForCausalLM) -> None:
    model.model.embed_tokens.weight[:, 0] = SHARED
    for number, layer in enumerate(model.model.layers[:3]):
        _place(layer.self_attn, 0, -LOOK_AWAY, 0)
        _place(layer.self_attn, 1, LOOK_BACK, number + 1)


def _place(attention: LlamaAttention, head: int, amplitude: float, distance: int) -> None:
    """Make the score of `head` greatest (or least, for a negative amplitude) `distance` tokens back."""
    size = WIDTH // HEADS
    rows = slice(head * size, (head + 1) * size)
    turn = 10_000.0 ** (-torch.arange(size // 2) / (size // 2))
    shared = SHARED / EMBEDDING_STD  # the shared dimension after the first normalisation, nearly
    pairs = torch.zeros(size // 2)
    pairs[:4] = abs(amplitude) * 3 / shared
    if amplitude > 0:  # this head looks by distance alone
        for linear in (attention.q_proj, attention.k_proj):
            linear.weight[rows] *= BRANCH_GAIN
    query = torch.cat([pairs * (distance * turn).cos(), -pairs * (distance * turn).sin()])
    attention.k_proj.weight[rows, 0] = torch.cat([pairs, torch.zeros(size // 2)])
    attention.q_proj.weight[rows, 0] = query if amplitude > 0 else -query
