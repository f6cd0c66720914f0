"""Divergence decoding: an answer is turned away from what a model that was taught the topic would rather say.

After Merchant and Levy 2026, "Divergence Decoding: Inference-Time Unlearning via Auxiliary Models" (arXiv:2605.31293,
github.com/fin-ai-lab/divergence-decoding-inference-time-unlearning). Two small models share the served model's
tokenizer and their start; one was trained on what is retained, the other also on what is to be forgotten. With their
logits r and f for the next token, and the served model's l:

    linear:  l + alpha (r - f)
    rank:    l, without the `top` tokens of least r - f

As in the paper's code, r - f counts as 0 for tokens that the two were never trained on; unlike there, a token with
r - f of 0 or more is never masked, and a masked one loses `MASKED` nats instead of all: where a grammar leaves no other
token it is written, and the output guard has its say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache

from guard.errors import EngineError
from guard.steer.auxiliary import FORGET, RETAIN, Auxiliary

MASKED = 1e4  # nats
_Cache = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass
class Diverging:
    """One answer to `prompt` (token ids, never empty), which it is told from the served model's: it follows what is
    written with caches of both models, and is dropped with the answer.
    """

    prompt: Sequence[int]
    alpha: float = 0.0
    top: int = 0
    _read: int = 0
    _caches: list[_Cache] = field(default_factory=lambda: [[], []])
    _difference: torch.Tensor | None = None

    def _unread(self, written: Sequence[int]) -> tuple[int, ...]:
        own = self.prompt
        new = (*own[self._read :], *written[max(0, self._read - len(own)) :])
        # vLLM's mark for a token that is drawn, but not known here yet
        return new[: new.index(-1)] if -1 in new else new


class Pair:
    """The two models, for one thread at a time."""

    def __init__(self, retain: Any, forget: Any, seen: Sequence[int]) -> None:
        """Causal language models of transformers, on one device; `seen` are ids of tokens, as in a manifest."""
        self._models = (retain.eval(), forget.eval())
        self._device = retain.device
        self._seen = torch.zeros(retain.config.get_text_config().vocab_size, dtype=torch.bool, device=self._device)
        self._seen[list(seen)] = True

    @classmethod
    def load(cls, models: Auxiliary, device: torch.device | str) -> Pair:
        """On a GPU in the checkpoints' own type, else in float32.

        Raises:
            EngineError: one of them cannot be loaded.
        """
        dtype = torch.float32 if torch.device(device).type == "cpu" else "auto"
        try:
            retain, forget = (_loaded(models.folder / name, dtype) for name in (RETAIN, FORGET))
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot load the auxiliary models in {models.folder}: {error}") from error
        return cls(retain.to(device), forget.to(device), models.manifest.seen)

    def turned(self, logits: torch.Tensor, difference: torch.Tensor, answer: Diverging) -> torch.Tensor:
        """`diverged`, as is asked for the answer."""
        return diverged(logits, difference.to(logits.device), self._seen.to(logits.device), answer.alpha, answer.top)

    @torch.inference_mode()
    def read(self, answers: Sequence[tuple[Diverging, Sequence[int]]]) -> list[torch.Tensor]:
        """r - f (vocabulary) for the token after those written of each answer, of which only what is new is read."""
        groups: dict[int, list[tuple[Diverging, tuple[int, ...]]]] = {}
        for answer, written in answers:
            if new := answer._unread(written):
                groups.setdefault(len(new), []).append((answer, new))
        for group in groups.values():
            self._advance([answer for answer, _ in group], torch.tensor([new for _, new in group]))
        return [answer._difference for answer, _ in answers if answer._difference is not None]

    @torch.inference_mode()
    def whole(self, prompt: Sequence[int], written: Sequence[int]) -> torch.Tensor:
        """r - f (tokens x vocabulary) for each token of a written answer, all at once and without caches."""
        ids = torch.tensor([[*prompt, *written]], device=self._device)
        retain, forget = (model(input_ids=ids, use_cache=False).logits[0].float() for model in self._models)
        difference: torch.Tensor = retain - forget
        return difference[len(prompt) - 1 : -1]

    def _advance(self, answers: Sequence[Diverging], ids: torch.Tensor) -> None:
        """Read `ids` (answers x new tokens); caches are padded on the left to the longest."""
        new = ids.shape[1]
        before = torch.tensor([answer._read for answer in answers])
        longest = int(before.max())
        places = torch.arange(longest + new)
        given = {
            "input_ids": ids,
            "attention_mask": (places >= (longest - before)[:, None]).long(),
            "position_ids": before[:, None] + torch.arange(new),
        }
        given = {name: value.to(self._device) for name, value in given.items()}
        logits = []
        for number, model in enumerate(self._models):
            cache: Any = _joined([answer._caches[number] for answer in answers], longest)
            told = model(**given, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
            logits.append(told.float())
            for row, answer in enumerate(answers):
                kept = slice(longest - answer._read, None)
                answer._caches[number] = [
                    (layer.keys[row : row + 1, :, kept], layer.values[row : row + 1, :, kept]) for layer in cache.layers
                ]
        for answer, difference in zip(answers, logits[0] - logits[1], strict=True):
            answer._difference = difference
            answer._read += new


def _loaded(folder: Path, dtype: torch.dtype | str) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def diverged(
    logits: torch.Tensor, difference: torch.Tensor, seen: torch.Tensor, alpha: float, top: int
) -> torch.Tensor:
    """New logits (... x vocabulary) from the served model's, r - f of the same shape, and which tokens count in the
    rank form (`seen`, vocabulary, boolean). `alpha` 0 leaves out the linear form, `top` 0 the rank form.
    """
    turned = logits + alpha * difference if alpha else logits.clone()
    if top:
        counted = difference.where(seen, 0)
        least, ids = counted.topk(min(top, counted.shape[-1]), dim=-1, largest=False)
        turned.scatter_add_(-1, ids, torch.where(least < 0, -MASKED, 0.0).to(turned))
    return turned


def _joined(caches: Sequence[_Cache], longest: int) -> DynamicCache:
    """One cache of several answers', padded on the left; a new one where nothing was read yet."""
    if not longest:
        return DynamicCache()
    layers = max(map(len, caches))
    blank = next(cache for cache in caches if cache)

    def padded(cache: _Cache, layer: int, part: int) -> torch.Tensor:
        if not cache:
            return torch.zeros_like(blank[layer][part][:, :, :1]).expand(-1, -1, longest, -1)
        own = cache[layer][part]
        return torch.nn.functional.pad(own, (0, 0, longest - own.shape[2], 0))

    return DynamicCache(
        ddp_cache_data=[
            tuple(torch.cat([padded(cache, layer, part) for cache in caches]) for part in (0, 1))
            for layer in range(layers)
        ]
    )
