"""A logits processor of vLLM's V1 interface that turns answers away from protected spans, as `guard.steer` does.

Requests that do not ask for it cost one look at an empty table a step. Log-probabilities that are returned are those
after it (vLLM's `--logprobs-mode processed_logprobs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from vllm.sampling_params import SamplingParams
from vllm.tokenizers import cached_tokenizer_from_config
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from guard.steer.continuations import Continuations
from guard.steer.steered import Steered
from guard.steer.tokens import vocabulary_of
from guard.types import Strengths
from serve.steering.fields import read

if TYPE_CHECKING:
    from vllm.config import VllmConfig

_KEPT = 64


class Steering(LogitsProcessor):
    """One for all requests of an engine; give it to vLLM by `--logits-processors serve.steering.processor:Steering`."""

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """See `LogitsProcessor`: ValueError where the request's fields are not what the guard writes."""
        read(sampling_params.extra_args)

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        vocabulary = vocabulary_of(cached_tokenizer_from_config(vllm_config.model_config))
        self._device = device
        self._answers: dict[int, tuple[Steered, Sequence[int]]] = {}
        # Requests about one topic share what was found for it.
        self._continuations = lru_cache(maxsize=_KEPT)(lambda steer: Continuations(dict(steer), vocabulary))

    def is_argmax_invariant(self) -> bool:
        """See `LogitsProcessor`."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """See `LogitsProcessor`."""
        process_dict_updates(self._answers, batch_update, self._new)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Lower the logits (requests x vocabulary) in place, and return them."""
        for row, (steered, written) in self._answers.items():
            ids, values = steered.penalties(written)
            if len(ids):
                logits[row, torch.from_numpy(ids).to(self._device)] -= torch.from_numpy(values).to(logits)
        return logits

    def _new(
        self, params: SamplingParams, prompt: list[int] | None, written: list[int]
    ) -> tuple[Steered, Sequence[int]] | None:
        steer: Strengths = read(params.extra_args)
        # `written` is the request's own list, which grows; a request that was interrupted comes back with all of it.
        return (Steered(self._continuations(steer)), written) if steer else None
