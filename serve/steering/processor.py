"""A logits processor of vLLM's V1 interface that turns answers away from protected spans, and from what auxiliary
models say, as `guard.steer` does.

Requests that do not ask for it cost one look at an empty table a step. Log-probabilities that are returned are those
after it (vLLM's `--logprobs-mode processed_logprobs`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from vllm.sampling_params import SamplingParams
from vllm.tokenizers import cached_tokenizer_from_config
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from guard.errors import ConfigError
from guard.steer.auxiliary import Auxiliary
from guard.steer.continuations import Continuations
from guard.steer.divergence import Diverging, Pair
from guard.steer.steered import Steered
from guard.steer.tokens import vocabulary_of
from serve.steering.fields import AUXILIARY, Divergence, read, read_divergence

if TYPE_CHECKING:
    from vllm.config import VllmConfig

_KEPT = 64


class _Answer(NamedTuple):
    steered: Steered | None
    diverging: Diverging | None
    written: Sequence[int]


class Steering(LogitsProcessor):
    """One for all requests of an engine; give it to vLLM by `--logits-processors serve.steering.processor:Steering`,
    and the folder of auxiliary models, where requests ask for them, by the environment's LETHE_AUXILIARY.
    """

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """See `LogitsProcessor`: ValueError where the request's fields are not what the guard writes."""
        read(sampling_params.extra_args)
        if (asked := read_divergence(sampling_params.extra_args)) is not None:
            _check_asked(asked)

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        """
        Raises:
            ConfigError: there are no auxiliary models in the folder, or they do not fit the served model.
        """
        tokenizer = cached_tokenizer_from_config(vllm_config.model_config)
        vocabulary = vocabulary_of(tokenizer)
        self._device = device
        self._answers: dict[int, _Answer] = {}
        # Requests about one topic share what was found for it.
        self._continuations = lru_cache(maxsize=_KEPT)(lambda steer: Continuations(dict(steer), vocabulary))
        self._pair = _loaded(vllm_config, tokenizer, device)

    def is_argmax_invariant(self) -> bool:
        """See `LogitsProcessor`."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """See `LogitsProcessor`."""
        process_dict_updates(self._answers, batch_update, self._new)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Change the logits (requests x vocabulary) in place, and return them."""
        self._diverge(logits)
        for row, answer in self._answers.items():
            if answer.steered is None:
                continue
            ids, values = answer.steered.penalties(answer.written)
            if len(ids):
                logits[row, torch.from_numpy(ids).to(self._device)] -= torch.from_numpy(values).to(logits)
        return logits

    def _diverge(self, logits: torch.Tensor) -> None:
        rows = {row: one for row, one in self._answers.items() if one.diverging is not None}
        if not rows:
            return
        assert self._pair is not None, "validate_params lets nobody ask for models that are not there"
        asked = [(one.diverging, one.written) for one in rows.values() if one.diverging is not None]
        for row, (diverging, _), difference in zip(rows, asked, self._pair.read(asked), strict=True):
            logits[row] = self._pair.turned(logits[row], difference, diverging)

    def _new(self, params: SamplingParams, prompt: list[int] | None, written: list[int]) -> _Answer | None:
        steer, asked = read(params.extra_args), read_divergence(params.extra_args)
        if not steer and asked is None:
            return None
        # `written` is the request's own list, which grows; a request that was interrupted comes back with all of it.
        return _Answer(
            Steered(self._continuations(steer)) if steer else None,
            Diverging(asked.prompt, asked.alpha, asked.top) if asked else None,
            written,
        )


@cache
def _given() -> Auxiliary | None:
    folder = os.environ.get(AUXILIARY)
    return Auxiliary.read(Path(folder)) if folder else None


def _loaded(vllm_config: VllmConfig, tokenizer: Any, device: torch.device) -> Pair | None:
    models = _given()
    if models is None:
        return None
    served = vllm_config.model_config
    models.check(tokenizer, served.get_vocab_size())
    if models.manifest.context < served.max_model_len:
        told = f"read {models.manifest.context} tokens, and the served model {served.max_model_len}"
        raise ConfigError(f"the auxiliary models {told}; start vLLM with a smaller --max-model-len")
    return Pair.load(models, device)


def _check_asked(asked: Divergence) -> None:
    models = _given()
    if models is None or models.identity != asked.models:
        raise ValueError(f"this engine has not the auxiliary models {asked.models}; see {AUXILIARY}")
    if max(asked.prompt) >= models.manifest.vocabulary or len(asked.prompt) > models.manifest.context:
        raise ValueError("the auxiliary models cannot read the prompt")
