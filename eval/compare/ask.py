"""Everyone is asked: one engine a checkpoint, the guards in front of the bare one's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from rich.progress import Progress, TaskID

from eval.answers import AnswerStore
from eval.asking import Asking, Prompt, ask_all, written
from eval.compare.attacked import tried
from eval.compare.plan import Contestant, Plan
from eval.compare.results import BARE
from eval.systems import System, engine_command, guarded_command, running

MAX_TOKENS, TIMEOUT_S, START_S, CONCURRENCY = 64, 120.0, 900.0, 8


async def ask(plan: Plan, out: Path, store: AnswerStore, progress: Progress) -> None:
    """Ask every contestant what it has not answered yet; bare's answers say which attacks are tried on others.

    Raises:
        EngineError: a server does not start, or dies; what was answered so far is kept.
    """
    bar = progress.add_task("asking", total=len(plan.contestants))
    bare = plan.of(BARE)
    guards = [one for one in plan.contestants if one.policy is not None]
    others = [one for one in plan.contestants if one.policy is None and one is not bare]
    said = partial(_said, progress, bar)
    every = [*questions(plan), *_probes(plan, plan.suite.attacks)]
    if not _left(store, bare, every):
        every = _tried(plan, store)
    if any(_left(store, one, every) for one in (bare, *guards)):
        async with running(_engine(bare, guards), logs=out / "logs", start_timeout_s=START_S, on_wait=said) as up:
            await up.during(_put(bare, up.url, _left(store, bare, every), store))
            progress.advance(bar)
            every = _tried(plan, store)
            for guard in guards:
                await up.during(_ask_guard(guard, up.url, _left(store, guard, every), out, store, said))
                progress.advance(bar)
    every = _tried(plan, store)
    for one in others:
        if left := _left(store, one, every):
            async with running(_engine(one), logs=out / "logs", start_timeout_s=START_S, on_wait=said) as up:
                await up.during(_put(one, up.url, left, store))
        progress.advance(bar)


def _said(progress: Progress, bar: TaskID, text: str) -> None:
    progress.update(bar, description=text)


def questions(plan: Plan) -> list[Prompt]:
    """Every question of every task, without the attacks."""
    splits = [plan.splits, *plan.further.values()]
    return [item.question for every in splits for items in every.values() for item in items]


def _probes(plan: Plan, attacks: Iterable[str]) -> list[Prompt]:
    return [probe.messages for name in attacks for probe in plan.probes[name] if probe is not None]


def _tried(plan: Plan, store: AnswerStore) -> list[Prompt]:
    able = [one.name for one in tried(plan, store) if one.reason is None]
    return [*questions(plan), *_probes(plan, able)]


def _left(store: AnswerStore, one: Contestant, prompts: Sequence[Prompt]) -> list[Prompt]:
    every = {written(prompt): prompt for prompt in prompts}
    return [prompt for text, prompt in every.items() if not store.answered(one.subject.name, text)]


def _engine(one: Contestant, guards: Sequence[Contestant] = ()) -> System:
    policies = [guard.policy for guard in guards if guard.policy is not None]
    return System(f"engine {one.subject.name}", command=engine_command(one.model, policies))


async def _put(one: Contestant, url: str, left: Sequence[Prompt], store: AnswerStore) -> None:
    asking = Asking(url, MAX_TOKENS, CONCURRENCY, TIMEOUT_S)
    await ask_all(asking, one.subject.name, left, store, lambda: None)


async def _ask_guard(
    guard: Contestant, url: str, left: Sequence[Prompt], out: Path, store: AnswerStore, said: Callable[[str], None]
) -> None:
    if not left or guard.policy is None:
        return
    system = System(guard.subject.name, command=(*guarded_command(guard.model, guard.policy), "--upstream", url))
    async with running(system, logs=out / "logs", start_timeout_s=START_S, on_wait=said) as server:
        await server.during(_put(guard, server.url, left, store))
