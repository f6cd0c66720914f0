"""What a model holds while it reads questions with their answers: the residual stream after each of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eval.unlearn.layers import captured, decoder_layers
from eval.unlearn.rows import IGNORED, Batch, Encoder, collate
from guard.errors import ConfigError

Pair = tuple[str, str]  # a question and its answer
BATCH = 32


@dataclass(frozen=True)
class Reading:
    """A batch of rows; `streams` is the residual stream after each layer, before any final norm.

    Each of `streams` has the shape rows x places x width, `logits` has rows x places x vocabulary.
    """

    batch: Batch
    streams: tuple[Tensor, ...]
    logits: Tensor


def encoder(model: Any, tokenizer: Any) -> Encoder:
    """What puts pairs into the model's chat template, cut to its context."""
    return Encoder(tokenizer, int(model.config.get_text_config().max_position_embeddings))


@torch.no_grad()
def readings(model: Any, tokenizer: Any, pairs: Sequence[Pair]) -> Iterator[Reading]:
    """Have the model read `pairs` in their order, some at a time.

    Raises:
        ConfigError: a pair has no answer or one beyond the context, there is no chat template, or the layers of this
            architecture cannot be found.
    """
    code = encoder(model, tokenizer)
    layers = decoder_layers(model)
    for start in range(0, len(pairs), BATCH):
        rows = [code.pair(question, answer) for question, answer in pairs[start : start + BATCH]]
        if any(set(row.labels) == {IGNORED} for row in rows):
            raise ConfigError("a question fills the model's whole context, with no room for its answer; leave it out")
        batch = {name: tensor.to(model.device) for name, tensor in collate(rows, code.padding).items()}
        with ExitStack() as stack:
            seen = [stack.enter_context(captured(layer)) for layer in layers]
            output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False)
        yield Reading(batch, tuple(streams[0] for streams in seen), output.logits)
