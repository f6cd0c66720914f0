"""Likelihoods of one subject, in this process: one record an item, kept by file, so that a stopped run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.engines.guarded import PromptGuard, Sent
from eval.engines.local import LocalModel
from eval.metrics.membership import MEMBERSHIP
from eval.metrics.memory import exact_memorisation, extraction_strength
from eval.metrics.tokens import TokenScores
from eval.report import write_atomically
from eval.tasks.questions import Item
from guard.conversation import single


@dataclass(frozen=True)
class Measured:
    """In nats a token; `paraphrased` is None and `perturbed` empty where the item has none, `membership` by metric."""

    nats: float
    paraphrased: float | None
    perturbed: tuple[float, ...]
    extraction_strength: float
    exact_memorisation: float
    membership: dict[str, float]


@dataclass(frozen=True)
class Likelihood:
    """What a subject makes of an item's answers; `measured` None is unscored, for `reason`."""

    split: str
    question: str
    cluster: str
    measured: Measured | None
    reason: str | None = None


def likelihoods(
    model: LocalModel, guard: PromptGuard | None, items: Sequence[Item], on_done: Callable[[int], None]
) -> list[Likelihood]:
    """Score every item under the prompts that the guard would send, or the plain ones without a guard."""
    conversations = [single(item.question) for item in items]
    prompts = [Sent(model.prompt(one)) if guard is None else guard.sent(model, one) for one in conversations]
    found: list[Likelihood] = []
    # A few dozen at a time, since every text's whole distribution is looked at.
    for start in range(0, len(items), _AT_ONCE):
        place = slice(start, start + _AT_ONCE)
        found += _scored(model, items[place], prompts[place])
        on_done(len(items[place]))
    return found


_AT_ONCE = 50


def _scored(model: LocalModel, items: Sequence[Item], prompts: Sequence[Sent | str]) -> list[Likelihood]:
    asked: list[Sent] = []
    texts: list[str] = []
    for item, prompt in zip(items, prompts, strict=True):
        if isinstance(prompt, Sent):
            own = [item.answer, *([item.paraphrased] if item.paraphrased else []), *item.perturbed]
            texts += own
            asked += [prompt] * len(own)
    sent = [one.embeds for one in asked]
    scores = iter(
        model.token_scores(sent, texts, steer=[one.steer for one in asked], diverge=[one.diverge for one in asked])
    )
    found = []
    for item, prompt in zip(items, prompts, strict=True):
        if isinstance(prompt, str):
            found.append(Likelihood(item.split, item.question, item.cluster, None, prompt))
            continue
        told = next(scores)
        right = next(scores) if item.paraphrased else None
        wrong = [next(scores) for _ in item.perturbed]
        measured = None
        if told is not None:
            measured = Measured(
                nats=_nats(told),
                paraphrased=None if right is None else _nats(right),
                perturbed=tuple(_nats(one) for one in wrong if one is not None),
                extraction_strength=extraction_strength(told),
                exact_memorisation=exact_memorisation(told),
                membership={name: score(told) for name, score in MEMBERSHIP.items()},
            )
        reason = None if measured else "the answer has no tokens"
        found.append(Likelihood(item.split, item.question, item.cluster, measured, reason))
    return found


def _nats(scores: TokenScores) -> float:
    return -float(scores.logprobs.mean())


def keep(path: Path, found: Sequence[Likelihood]) -> None:
    """Write the records of one subject, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(asdict(one)) + "\n" for one in found).encode())


def kept(path: Path) -> list[Likelihood]:
    """Read them again."""
    found = []
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        measured = row.pop("measured")
        if measured is not None:
            measured = Measured(**{**measured, "perturbed": tuple(measured["perturbed"])})
        found.append(Likelihood(**row, measured=measured))
    return found
