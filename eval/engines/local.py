"""A language model in this process, asked by prompt embeddings, so that corrupted prompts can be scored as well.

The endpoint gives no log-probabilities of a given answer under corruption: the engine refuses them for embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from eval.engines.turned import Turn, Turned
from eval.metrics.tokens import TokenScores
from guard.act.corrupt import Corrupter, Target
from guard.embeds import EmbeddingTable
from guard.errors import EngineError
from guard.prompt import Renderer
from guard.steer.continuations import Continuations
from guard.steer.divergence import Diverging, Pair
from guard.steer.steered import Steered
from guard.steer.tokens import vocabulary_of
from guard.steer.vocabulary import Vocabulary
from guard.types import Conversation, Diverge, Strengths

BATCH = 64


class LocalModel:
    """A checkpoint by folder or hub id; on a GPU where there is one, else in float32 on the CPU."""

    def __init__(self, model: str) -> None:
        """
        Raises:
            EngineError: the checkpoint cannot be loaded, or reads other embeddings than its table's rows.
        """
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        logging.disable_progress_bar()
        try:
            dtype = "auto" if self._device == "cuda" else torch.float32
            loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
            tokenizer: Any = AutoTokenizer.from_pretrained(model)
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot load the model {model!r}: {error}") from error
        self._model = loaded.to(self._device).eval()
        self._tokenizer = tokenizer
        self._renderer = Renderer(tokenizer)
        self._table = EmbeddingTable.from_checkpoint(model)
        self._vocabulary: Vocabulary | None = None
        self._continuations: dict[Strengths, Continuations] = {}
        self._pairs: dict[str, Pair] = {}
        self._check_table(model)

    def prompt(self, conversation: Conversation) -> torch.Tensor:
        """Embeddings (tokens x hidden) of the rendered conversation, uncorrupted."""
        return self._table.rows(self._renderer.render(conversation).ids)

    def corrupted(self, conversation: Conversation, targets: Sequence[Target], *, secret: bytes) -> torch.Tensor:
        """Embeddings (tokens x hidden) of the conversation as the guard corrupts it under `secret`."""
        return Corrupter(self._renderer, self._table, secret=secret).corrupt(conversation, targets)

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[torch.Tensor],
        *,
        steer: Sequence[Strengths] = (),
        diverge: Sequence[Diverge | None] = (),
        limit: int = 48,
        seed: int | None = None,
    ) -> list[str]:
        """Greedy answers of at most `limit` tokens to prompts (tokens x hidden), in their order; with a `seed` they are
        drawn at temperature 1.

        Each is turned away from its spans in `steer`, and by the models of `diverge`, where these are given.
        """
        turns = self._turns(len(prompts), steer, diverge)
        # Without top_k=0 transformers draws among fifty tokens only.
        drawn = {"do_sample": False} if seed is None else {"do_sample": True, "temperature": 1.0, "top_k": 0}
        if seed is not None:
            torch.manual_seed(seed)
        answers = [""] * len(prompts)
        for rows in _batches([len(prompt) for prompt in prompts]):
            embeds, mask = self._padded([prompts[row] for row in rows], left=True)
            written = self._model.generate(
                inputs_embeds=embeds,
                attention_mask=mask,
                max_new_tokens=limit,
                **drawn,
                logits_processor=[Turned([turns[row] for row in rows])] if any(turns) else [],
            )
            for row, ids in zip(rows, written, strict=True):
                answers[row] = str(self._tokenizer.decode(ids, skip_special_tokens=True))
        return answers

    def nats(self, prompts: Sequence[torch.Tensor], texts: Sequence[str]) -> list[float | None]:
        """Mean negative log-likelihood (nats a token) of each text as the answer to its prompt; None of an empty one.

        exp(-nats) is the answer's probability, normalised by length (TOFU, Maini et al. 2024, section 2.2.1), and
        exp(nats) its perplexity.
        """
        found = self.token_scores(prompts, texts)
        return [None if scores is None else float(-scores.logprobs.mean()) for scores in found]

    @torch.inference_mode()
    def token_scores(
        self,
        prompts: Sequence[torch.Tensor],
        texts: Sequence[str],
        *,
        steer: Sequence[Strengths] = (),
        diverge: Sequence[Diverge | None] = (),
    ) -> list[TokenScores | None]:
        """Scores of each text's tokens as the answer to its prompt (tokens x hidden); None of an empty text.

        They are of what would be decoded, turned away as in `generate`.
        """
        turns = self._turns(len(prompts), steer, diverge)
        ids = [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        found: list[TokenScores | None] = [None] * len(ids)
        told = [row for row, own in enumerate(ids) if own]
        for batch in _batches([len(prompts[row]) + len(ids[row]) for row in told]):
            rows = [told[place] for place in batch]
            whole = [torch.cat([prompts[row], self._table.rows(ids[row])]) for row in rows]
            embeds, mask = self._padded(whole, left=False)
            logits = self._model(inputs_embeds=embeds, attention_mask=mask).logits
            for row, own in zip(rows, logits, strict=True):
                first = len(prompts[row]) - 1
                places = own[first : first + len(ids[row])]
                if turn := turns[row]:
                    places = turn.whole(places, ids[row])
                found[row] = _scored(places, ids[row], texts[row])
        return found

    def _turns(self, count: int, steer: Sequence[Strengths], diverge: Sequence[Diverge | None]) -> list[Turn | None]:
        """How each of `count` answers is turned away, if it is."""
        every = zip(steer or [()] * count, diverge or [None] * count, strict=True)
        return [self._turn(spans, asked) if spans or asked else None for spans, asked in every]

    def _turn(self, spans: Strengths, asked: Diverge | None) -> Turn:
        steered = Steered(self._following(spans)) if spans else None
        if asked is None:
            return Turn(steered)
        prompt = self._renderer.render(asked.conversation).ids
        return Turn(steered, Diverging(prompt, asked.alpha, asked.top), self._pair(asked))

    def _following(self, spans: Strengths) -> Continuations:
        if self._vocabulary is None:
            self._vocabulary = vocabulary_of(self._tokenizer)
        if spans not in self._continuations:
            self._continuations[spans] = Continuations(dict(spans), self._vocabulary)
        return self._continuations[spans]

    def _pair(self, asked: Diverge) -> Pair:
        models = asked.models
        if models.identity not in self._pairs:
            models.check(self._tokenizer, int(self._model.config.get_text_config().vocab_size))
            self._pairs[models.identity] = Pair.load(models, self._device)
        return self._pairs[models.identity]

    def _padded(self, prompts: Sequence[torch.Tensor], *, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        length = max(map(len, prompts))
        embeds = torch.zeros(len(prompts), length, self._table.hidden, dtype=self._model.dtype)
        mask = torch.zeros(len(prompts), length, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            place = slice(length - len(prompt), length) if left else slice(0, len(prompt))
            embeds[row, place] = prompt.to(embeds.dtype)
            mask[row, place] = 1
        return embeds.to(self._device), mask.to(self._device)

    @torch.inference_mode()
    def _check_table(self, model: str) -> None:
        ids = list(range(min(16, self._model.config.get_text_config().vocab_size)))
        read = self._model.get_input_embeddings()(torch.tensor(ids, device=self._device)).cpu().float()
        if not torch.allclose(read, self._table.rows(ids).to(self._model.dtype).float(), rtol=1e-3):
            raise EngineError(
                f"{model!r} scales its token embeddings, so that its table's rows are not what it reads; "
                "corruption cannot be measured for it here"
            )


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Places in batches of about equal length, so that little is padding."""
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    return [order[start : start + BATCH] for start in range(0, len(order), BATCH)]


def _scored(logits: torch.Tensor, ids: Sequence[int], text: str) -> TokenScores:
    """Token scores of `ids` from the logits (tokens x vocabulary) at the places before them."""
    logprobs = logits.double().log_softmax(dim=-1)
    chances, target = logprobs.exp(), torch.tensor(ids, device=logits.device)
    means = (chances * logprobs).sum(dim=-1)
    variances = (chances * (logprobs - means[:, None]) ** 2).sum(dim=-1)
    return TokenScores(
        logprobs=logprobs.gather(1, target[:, None])[:, 0].cpu().numpy(),
        top=(logprobs.argmax(dim=-1) == target).cpu().numpy(),
        means=means.cpu().numpy(),
        stds=variances.sqrt().cpu().numpy(),
        text=text,
    )
