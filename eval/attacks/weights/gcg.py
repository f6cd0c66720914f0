"""Greedy coordinate gradient: a suffix that makes a model in this process begin to answer.

Zou et al. 2023, "Universal and Transferable Adversarial Attacks on Aligned Language Models", arXiv:2307.15043,
algorithm 1, with one suffix for several prompts as in algorithm 2. Where theirs differs: it takes the prompts in one
after the other, and moves to the best candidate even where that is worse than what it has; here all prompts count from
the start, and a step that finds nothing better changes nothing.

Such a suffix is found on a surrogate and sent to the endpoint after the question; whether it transfers is for the
caller to measure. Tokens that stand in a target are never used, since a suffix which dictates the answer shows nothing
of what the model knows; even so, one searched with true answers is best measured on other questions than its own.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eval.attacks.weights.reading import Pair, encoder
from eval.unlearn.rows import IGNORED, Row, collate
from eval.unlearn.scores import Scores
from eval.unlearn.step import scored
from guard.errors import ConfigError

_SLOT = "<suffix-here>"


@dataclass(frozen=True)
class Search:
    """How hard to search for `length` tokens.

    In each of `steps`, `candidates` suffixes are tried that differ in one token from the best, drawn with `seed` from
    the `top` tokens by gradient for a place drawn as well.
    """

    length: int = 8
    steps: int = 30
    candidates: int = 32
    top: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Suffix:
    """What to put right behind each question, and the loss before, without any suffix, and after, with this one.

    The loss is the mean over prompts of the target's cross-entropy, in nats a token. `text` is read by the surrogate's
    tokenizer as the very tokens that were searched.
    """

    text: str
    before: float
    after: float


def find_suffix(model: Any, tokenizer: Any, pairs: Sequence[Pair], search: Search | None = None) -> Suffix:
    """Find one suffix under which the model begins its answer to each prompt with that prompt's target.

    `pairs` are prompts with targets: an affirmative start, or the first words of the true answer. The model's weights
    are left as they are.

    Raises:
        ConfigError: there are no pairs, a target is empty, there is no chat template, or no token of the vocabulary
            survives being written out and read again.
    """
    search = search or Search()
    if not pairs or not all(target for _, target in pairs):
        raise ConfigError("a suffix is searched for prompts with a target each; give at least one, none empty")
    rng = random.Random(search.seed)
    frame = _Frame(model, tokenizer, pairs)
    allowed = _allowed(tokenizer, [target for _, target in pairs])
    best = _start(frame, allowed, search.length, rng)
    before, after = frame.losses([[], best])
    for _ in range(search.steps):
        found = _candidates(best, frame.gradient(best)[:, allowed], allowed, search, rng)
        found = [suffix for suffix in found if frame.survives(suffix)]
        losses = frame.losses(found)
        if losses and min(losses) < after:
            after = min(losses)
            best = found[losses.index(after)]
    return Suffix(frame.text(best), before, after)


def _allowed(tokenizer: Any, targets: Sequence[str]) -> list[int]:
    """Tokens that are printable ASCII, not special, and stand in no target, in whatever case."""
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    told = "\n".join(targets).lower()
    texts = {token: tokenizer.decode([token]) for token in range(len(tokenizer)) if token not in special}
    return [
        token
        for token, text in texts.items()
        if text.isascii() and text.isprintable() and text.strip() and text.strip().lower() not in told
    ]


def _start(frame: _Frame, allowed: Sequence[int], length: int, rng: random.Random) -> list[int]:
    """One token over and over, the first in an order of chance that survives."""
    for token in rng.sample(allowed, len(allowed)):
        if frame.survives([token] * length):
            return [token] * length
    raise ConfigError(f"no token is read again as it is written {length} times; search with another model's tokenizer")


def _candidates(
    best: Sequence[int], gradient: Tensor, allowed: Sequence[int], search: Search, rng: random.Random
) -> list[list[int]]:
    """Suffixes with one token replaced by one whose gradient (places x allowed tokens) promises a lower loss."""
    promising = (-gradient).topk(min(search.top, len(allowed)), dim=1).indices.tolist()
    found = []
    for _ in range(search.candidates):
        place = rng.randrange(len(best))
        token = allowed[rng.choice(promising[place])]
        found.append([*best[:place], token, *best[place + 1 :]])
    return found


class _Frame:
    """The prompts in the chat template, with a slot for the suffix, and their targets."""

    def __init__(self, model: Any, tokenizer: Any, pairs: Sequence[Pair]) -> None:
        if not tokenizer.chat_template:
            raise ConfigError("the model has no chat template, so questions cannot be put to it; use a chat model")
        self._model, self._tokenizer = model, tokenizer
        self._prompts = [prompt for prompt, _ in pairs]
        self._targets = [self._ids(target) for _, target in pairs]
        around = [self._rendered(prompt + _SLOT).partition(_SLOT) for prompt in self._prompts]
        self._around = [(self._ids(head), self._ids(tail)) for head, _, tail in around]
        self._padding = encoder(model, tokenizer).padding

    def text(self, suffix: Sequence[int]) -> str:
        return str(self._tokenizer.decode(suffix, clean_up_tokenization_spaces=False))

    def survives(self, suffix: Sequence[int]) -> bool:
        """Whether behind every prompt its text is read as the same tokens again."""
        text = self.text(suffix)
        return all(
            self._ids(self._rendered(prompt + text)) == [*head, *suffix, *tail]
            for prompt, (head, tail) in zip(self._prompts, self._around, strict=True)
        )

    @torch.no_grad()
    def losses(self, suffixes: Sequence[Sequence[int]]) -> list[float]:
        """The loss of each suffix."""
        if not suffixes:
            return []
        found = torch.zeros(len(suffixes))
        for number in range(len(self._prompts)):
            scores = scored(self._model, self._batch([self._row(number, suffix) for suffix in suffixes]))
            found -= (scores.answer_logps / scores.lengths).cpu() / len(self._prompts)
        return [float(loss) for loss in found]

    def gradient(self, suffix: Sequence[int]) -> Tensor:
        """The loss's gradient by the one-hot choice of each token (places x vocabulary).

        It is the gradient by the embedding at that place, multiplied by the table of embeddings.
        """
        batch = self._batch([self._row(number, suffix) for number in range(len(self._prompts))])
        embedding = self._model.get_input_embeddings()
        table: Tensor = embedding.weight.detach()
        embeds = embedding(batch["input_ids"]).detach().requires_grad_()
        output = self._model(inputs_embeds=embeds, attention_mask=batch["attention_mask"], use_cache=False)
        scores = Scores.of(output.logits, batch["labels"])
        (by_embedding,) = torch.autograd.grad(-(scores.answer_logps / scores.lengths).mean(), embeds)
        starts = [len(head) for head, _ in self._around]
        places = [rows[start : start + len(suffix)] for start, rows in zip(starts, by_embedding, strict=True)]
        return torch.stack(places).sum(0) @ table.T

    def _row(self, number: int, suffix: Sequence[int]) -> Row:
        head, tail = self._around[number]
        target = self._targets[number]
        asked = [*head, *suffix, *tail]
        return Row((*asked, *target), (*[IGNORED] * len(asked), *target))

    def _batch(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        batch = collate(rows, self._padding)
        return {name: tensor.to(self._model.device) for name, tensor in batch.items()}

    def _rendered(self, text: str) -> str:
        asked = [{"role": "user", "content": text}]
        return str(self._tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True))

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
