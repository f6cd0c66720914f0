"""One evaluation run: questions, detection, each system in turn, the report."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from classifiers.progress import Bars
from eval import report
from eval.answers import AnswerStore
from eval.asking import Asking, ask_all
from eval.detection import Flag, detect_all, policy_detector
from eval.provenance import provenance, revision
from eval.summary import Summary, score, summarise
from eval.systems import System, running
from eval.tasks.questions import Item
from guard.errors import ConfigError
from guard.types import Detector

PARTIAL = "partial.jsonl"
_NO_POLICY = "this run starts no guarded endpoint, so the policy is not known here; name it with --policy"


@dataclass(frozen=True)
class RunConfig:
    """What to ask of whom. `inputs` names what else decides the answers (model and policy digests, seeds)."""

    systems: tuple[System, ...]
    splits: Mapping[str, Sequence[Item]]
    policy: Path | None
    inputs: Mapping[str, Any]
    out: Path
    max_tokens: int = 64
    concurrency: int = 8
    timeout_s: float = 120.0
    start_timeout_s: float = 600.0
    seed: int = 0

    def questions(self) -> list[str]:
        """Return the different questions of all splits; one that stands in two of them is asked once."""
        return list(dict.fromkeys(item.question for items in self.splits.values() for item in items))


async def evaluate(config: RunConfig, console: Console) -> Summary:
    """Run or go on with an evaluation, write its files into `config.out`, return its figures.

    Raises:
        ConfigError: `out` holds a finished run or one with another configuration.
        EngineError: a server does not start, or dies; what was answered so far is kept.
    """
    config.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (config.out / report.SUMMARY).exists():
        raise ConfigError(f"{config.out} holds a finished run; choose another --out")
    questions = config.questions()
    header = _header(config, questions)
    with AnswerStore(config.out / PARTIAL, header["fingerprint"]) as store:
        # Fitting shows a progress bar of its own, so it is over before ours begins.
        detector = await asyncio.to_thread(policy_detector, config.policy) if config.policy else None
        with Bars(console) as progress:
            flags = await _detect(detector, questions, progress) if detector else _NO_POLICY
            for system in config.systems:
                await _ask_system(config, system, questions, store, progress)
        items = [item for split in config.splits.values() for item in split]
        names = [system.name for system in config.systems]
        scored = {name: [score(item, store.get(name, item.question), name) for item in items] for name in names}
        summary = summarise(scored, config.splits, flags, store.asking_seconds, seed=config.seed)
        report.write(config.out, summary, scored, flags, header)
        (config.out / PARTIAL).unlink()
    return summary


def _header(config: RunConfig, questions: Sequence[str]) -> dict[str, Any]:
    """Return the run's provenance; its fingerprint part is what must match for a stopped run to go on."""
    fingerprint = {
        "systems": {system.name: system.url or list(system.command) for system in config.systems},
        "questions": hashlib.sha256(json.dumps(questions).encode()).hexdigest(),
        "max_tokens": config.max_tokens,
        "inputs": dict(config.inputs),
        "revision": asdict(revision()),
    }
    settings = {"concurrency": config.concurrency, "timeout_s": config.timeout_s, "seed": config.seed}
    counts = {name: len(items) for name, items in config.splits.items()}
    policy = str(config.policy) if config.policy else None
    return {**provenance(), "fingerprint": fingerprint, **settings, "policy": policy, "questions": counts}


async def _detect(detector: Detector, questions: Sequence[str], progress: Progress) -> dict[str, Flag]:
    bar = progress.add_task("detection", total=len(questions))
    stopped = threading.Event()

    def tick() -> None:
        # A thread cannot be cancelled from outside; without this, Ctrl-C would wait for the last question.
        if stopped.is_set():
            raise InterruptedError("stopped by the user")
        progress.advance(bar)

    try:
        return await asyncio.to_thread(detect_all, detector, questions, tick)
    finally:
        stopped.set()


async def _ask_system(
    config: RunConfig, system: System, questions: Sequence[str], store: AnswerStore, progress: Progress
) -> None:
    left = [question for question in questions if not store.answered(system.name, question)]
    bar = progress.add_task(system.name, total=len(questions), completed=len(questions) - len(left))
    if not left:
        return
    async with running(
        system,
        logs=config.out / "logs",
        start_timeout_s=config.start_timeout_s,
        on_wait=lambda text: progress.update(bar, description=text),
    ) as server:
        progress.update(bar, description=system.name)
        asking = Asking(server.url, config.max_tokens, config.concurrency, config.timeout_s)
        await server.during(ask_all(asking, system.name, left, store, lambda: progress.advance(bar)))
