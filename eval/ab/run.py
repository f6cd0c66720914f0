"""One A/B test: probes through the live arms, the arm of each key, the figures."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.ab.figures import Result, compare
from eval.ab.outcomes import arms_of, read_outcomes, recorded
from eval.ab.probes import Caller, callers
from eval.ab.show import picture
from eval.ab.words import verdict
from eval.answers import Answer, AnswerStore
from eval.engines.endpoint import EndpointClient, EndpointError
from eval.report import write_atomically
from eval.summary import score
from eval.tasks.questions import Item
from guard.errors import EngineError

PARTIAL, FIGURES, PICTURE = "partial.jsonl", "ab.json", "ab.png"


@dataclass(frozen=True)
class Probing:
    """What to ask of the server at `url`, whose outcomes lie in `outcomes`; a later look may raise `keys`."""

    url: str
    outcomes: Path
    splits: Mapping[str, Sequence[Item]]
    keys: int
    each: int
    out: Path
    alpha: float = 0.05
    seed: int = 0
    max_tokens: int = 64
    concurrency: int = 8
    timeout_s: float = 120.0

    def fingerprint(self) -> dict[str, Any]:
        """All that must not change between two looks."""
        asked = [[split, item.question, item.answer] for split, items in self.splits.items() for item in items]
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
        fixed: dict[str, Any] = {"each": self.each, "alpha": self.alpha, "seed": self.seed}
        return fixed | {"max_tokens": self.max_tokens, "questions": digest}


async def ab(probing: Probing, on_done: Callable[[int, int], None]) -> Result:
    """Ask what was not asked yet, write figures and picture into `probing.out`, return the figures.

    `on_done` is told how many of how many answers there are.

    Raises:
        ConfigError: `out` holds another test, or the outcomes do not fit the replies; answers are kept.
        EngineError: the server lists no model.
    """
    probing.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    asking = callers(probing.splits, keys=probing.keys, each=probing.each, seed=probing.seed)
    with AnswerStore(probing.out / PARTIAL, probing.fingerprint()) as store:
        await _ask(probing, asking, store, on_done)
        result = _read(probing, asking, store)
    figures = {"probing": probing.fingerprint(), "verdict": verdict(result), "result": _plain(result)}
    write_atomically(probing.out / FIGURES, json.dumps(figures, indent=1).encode())
    write_atomically(probing.out / PICTURE, picture(result))
    return result


async def _ask(
    probing: Probing, asking: Sequence[Caller], store: AnswerStore, on_done: Callable[[int, int], None]
) -> None:
    every = list(dict.fromkeys((caller.key, item.question) for caller in asking for item in caller.probes))
    left = [one for one in every if not store.answered(*one)]
    done = len(every) - len(left)

    async def one(key: str, question: str) -> None:
        nonlocal done
        store.add(await _answer(client, model, key, question, probing.max_tokens))
        done += 1
        on_done(done, len(every))

    async with EndpointClient(probing.url, concurrency=probing.concurrency, timeout_s=probing.timeout_s) as client:
        try:
            model = await client.first_model()
        except EndpointError as error:
            raise EngineError(f"{probing.url} does not list its model ({error}); is the address right?") from error
        async with asyncio.TaskGroup() as group:
            for key, question in left:
                group.create_task(one(key, question))


async def _answer(client: EndpointClient, model: str, key: str, question: str, max_tokens: int) -> Answer:
    try:
        reply = await client.ask(question, model=model, max_tokens=max_tokens, key=key)
    except EndpointError as error:
        return Answer(key, question, None, None, error.attempts, reason=error.reason, detail=error.detail)
    return Answer(key, question, reply.text, reply.seconds, reply.attempts, reply.finish_reason, id=reply.id)


def _read(probing: Probing, asking: Sequence[Caller], store: AnswerStore) -> Result:
    outcomes = read_outcomes(probing.outcomes)
    replies = {caller.key: _replies(caller, store) for caller in asking}
    arms = arms_of(replies, outcomes, probing.outcomes)
    asked = []
    for caller in asking:
        # A key that got no reply at all may stand in any arm.
        if arm := arms.get(caller.key):
            scored = [score(item, store.get(caller.key, item.question), caller.key) for item in caller.probes]
            asked.append((arm, scored))
    if not asked:
        raise EngineError(f"no question was answered at {probing.url}; see its log, then run the same command again")
    live = sorted({row.arm for row in outcomes if not row.shadow})
    return compare(asked, live, list(probing.splits), recorded(outcomes), alpha=probing.alpha, seed=probing.seed)


def _replies(caller: Caller, store: AnswerStore) -> list[str]:
    answers = (store.get(caller.key, item.question) for item in caller.probes)
    return [answer.id or "(none)" for answer in answers if answer is not None and answer.text is not None]


def _plain(result: Result) -> dict[str, Any]:
    """The figures without the whole course of each sequence, of which the picture tells."""
    comparisons = [
        {"split": one.split, "left": one.left, "right": one.right, "value": one.value, "pairs": one.pairs}
        | ({} if one.known is None else {"decided": one.known.decided})
        | ({} if one.known is None else {"low": float(one.known.low[-1]), "high": float(one.known.high[-1])})
        for one in result.comparisons
    ]
    cells = [asdict(cell) for cell in result.cells]
    return {"keys": dict(result.keys), "alpha": result.alpha, "recall": cells, "comparisons": comparisons} | {
        "recorded": [asdict(row) for row in result.recorded]
    }
