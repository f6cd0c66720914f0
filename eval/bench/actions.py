"""Every action beside a model that never learned, through the endpoint, on the draws of the archive.

    python -m eval.bench.actions --draw a,b,c

One bare engine a model; in front of it, one after the other, a guard with each action. The reference is the embedded
retrained model for draw a and the embedded trunk, or the model given with --never, for others; it is asked plainly, and
behind the same actions, so that what an action alone does to an answer is told from what the model knows.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from classifiers.progress import Bars
from eval.answers import AnswerStore
from eval.asking import Asking, ask_all
from eval.bench.action_figures import FULL, Splits, alone, figures
from eval.bench.action_rows import PLAIN, Row
from eval.options import model_digest
from eval.policies import ACTIONS, kinds, write_policies
from eval.provenance import provenance, revision
from eval.summary import Cell
from eval.systems import System, demo_dir, engine_command, guarded_command, running
from eval.tasks.archive import archive_items
from eval.world.archive import DRAWS, WORLD_SEED
from guard.errors import ConfigError, LetheError

SEED = 5
MAX_TOKENS, TIMEOUT_S, START_S, CONCURRENCY = 64, 120.0, 900.0, 8
RETRAINED, NEVER = "retrained", "never"
DEFAULT = tuple(name for name in ACTIONS if "diverge" not in kinds(name))
_ALL = "all that need no other models"


@dataclass(frozen=True)
class Plan:
    """Whom to ask what: an engine for each model, `guard` the system of a row in front of an engine's URL."""

    engines: dict[str, System]
    guard: Callable[[Row, str], System]
    draws: dict[str, Splits]
    actions: tuple[str, ...]
    reference: dict[str, str]
    out: Path

    def rows(self, model: str) -> list[Row]:
        """What is asked of one model: all draws of the full one, its own draws of a reference."""
        draws = [draw for draw in self.draws if model == FULL or self.reference.get(draw) == model]
        return [Row(model, draw, action) for draw in draws for action in (PLAIN, *self.actions)]

    def asked(self, row: Row) -> dict[str, list[str]]:
        """The questions of a row by the name they are filed under: a reference need only be asked to forget."""
        splits = self.draws[row.draw]
        if row.model != FULL:
            return {row.name: [item.question for item in splits["forget"]]}
        every = [item.question for items in splits.values() for item in items]
        few = [item.question for split in ("forget", "retain") for item in alone(splits[split])]
        return {row.name: list(dict.fromkeys(every)), row.alone: list(dict.fromkeys(few))}


async def measure(plan: Plan, store: AnswerStore, progress: Progress) -> None:
    """Ask every row what it has not answered yet.

    Raises:
        EngineError: a server does not start, or dies; what was answered so far is kept.
    """
    total = sum(len(q) for model in plan.engines for row in plan.rows(model) for q in plan.asked(row).values())
    bar = progress.add_task("asking", total=total)
    for model, engine in plan.engines.items():
        left = [(row, missing) for row in plan.rows(model) if (missing := _missing(plan, row, store, progress, bar))]
        if not left:
            continue
        async with running(engine, logs=plan.out / "logs", start_timeout_s=START_S, on_wait=_said(progress, bar)) as up:
            for row, missing in left:
                system = System(row.name, url=up.url) if row.action == PLAIN else plan.guard(row, up.url)
                await up.during(_ask_row(system, missing, plan.out, store, progress, bar))


def _missing(plan: Plan, row: Row, store: AnswerStore, progress: Progress, bar: TaskID) -> dict[str, list[str]]:
    found = {}
    for name, questions in plan.asked(row).items():
        left = [question for question in questions if not store.answered(name, question)]
        progress.advance(bar, len(questions) - len(left))
        if left:
            found[name] = left
    return found


async def _ask_row(
    system: System, missing: dict[str, list[str]], out: Path, store: AnswerStore, progress: Progress, bar: TaskID
) -> None:
    said = _said(progress, bar)
    async with running(system, logs=out / "logs", start_timeout_s=START_S, on_wait=said) as server:
        for name, questions in missing.items():
            said(name)
            asking = Asking(server.url, MAX_TOKENS, CONCURRENCY if name == system.name else 1, TIMEOUT_S)
            await server.during(ask_all(asking, name, questions, store, lambda: progress.advance(bar)))


def _said(progress: Progress, bar: TaskID) -> Callable[[str], None]:
    return lambda text: progress.update(bar, description=text)


def make_plan(draws: Sequence[str], actions: Sequence[str], never: Path, asked: int, out: Path) -> Plan:
    """Write every draw's policies and fit its classifier.

    Raises:
        ConfigError: an unknown draw or action, or a model that is not there.
    """
    for given, known in ((draws, DRAWS), (actions, ACTIONS)):
        if unknown := [name for name in given if name not in known]:
            raise ConfigError(f"there is no {unknown[0]!r}; there are {', '.join(known)}")
    folders = {FULL: demo_dir() / "full"}
    folders[NEVER] = never
    reference = dict.fromkeys(draws, NEVER)
    if "a" in draws and (demo_dir() / "retrained").is_dir():
        folders[RETRAINED] = demo_dir() / "retrained"
        reference["a"] = RETRAINED
    if absent := [folder for folder in folders.values() if not (folder / "config.json").is_file()]:
        raise ConfigError(f"there is no model at {absent[0]}")
    policies = {draw: write_policies(out / "policies" / draw, draw, list(actions)) for draw in draws}
    for paths in policies.values():
        _fit(next(iter(paths.values())))

    def guard(row: Row, url: str) -> System:
        command = guarded_command(folders[row.model], policies[row.draw][row.action])
        return System(row.name, command=(*command, "--upstream", url))

    every = [path for paths in policies.values() for path in paths.values()]
    commands = {name: engine_command(folder, every) for name, folder in folders.items()}
    engines = {name: System(f"engine {name}", command=command) for name, command in commands.items()}
    return Plan(engines, guard, {draw: _items(draw, asked) for draw in draws}, tuple(actions), reference, out)


def _fit(policy: Path) -> None:
    from classifiers.fit import ensure_artifact
    from guard.policy import load_policy
    from guard.secret import load_secret

    ensure_artifact(load_policy(policy), secret=load_secret())


def _items(draw: str, asked: int) -> Splits:
    splits = archive_items(world_seed=WORLD_SEED, draw=draw)
    return {name: random.Random(SEED).sample(items, min(asked, len(items))) for name, items in splits.items()}


def fingerprint(never: Path, asked: int) -> dict[str, object]:
    """What must be the same for kept answers to count; draws and actions may be added in a later run."""
    models = [demo_dir() / "full", demo_dir() / "retrained", never]
    digests = [model_digest(str(model)) for model in models]
    return {"models": digests, "asked": asked, "seed": SEED, "revision": asdict(revision())}


def summarise(plan: Plan, store: AnswerStore) -> dict[str, list[Cell]]:
    """Return the cells of each draw and, where there are several, of all together."""
    from eval.engines.local import LocalModel
    from guard.conversation import single

    judge = LocalModel(str(demo_dir() / "full"))
    # Without the question: what is asked would tell the bare model the truth, and every other answer would surprise it.
    nothing = judge.prompt(single(""))
    nats = cache(lambda text: judge.nats([nothing], [text])[0])
    scopes = {f"draw {draw}": {draw: splits} for draw, splits in plan.draws.items()}
    if len(scopes) > 1:
        scopes[f"draws {', '.join(plan.draws)}"] = plan.draws
    return {
        scope: figures(
            draws, plan.actions, {d: m for d, m in plan.reference.items() if d in draws}, store, nats, seed=SEED
        )
        for scope, draws in scopes.items()
    }


def write(out: Path, settings: dict[str, object], scopes: dict[str, list[Cell]]) -> None:
    """Write actions.json, with the settings the answers were kept under, and a picture of each scope."""
    from eval.bench.action_show import draw
    from eval.report import write_atomically

    cells = {scope: [asdict(cell) for cell in found] for scope, found in scopes.items()}
    record = {"settings": settings, "provenance": provenance(), "actions": ACTIONS, "scopes": cells}
    write_atomically(out / "actions.json", (json.dumps(record, indent=1) + "\n").encode())
    for scope, found in scopes.items():
        write_atomically(out / f"{scope.replace(', ', '')}.png".replace(" ", "-"), draw(found, scope))


def main(
    draw: Annotated[str, typer.Option(help=f"Who is forgotten, of {', '.join(DRAWS)}; several by commas.")] = "a,b,c",
    actions: Annotated[str, typer.Option(help="Rows, by commas.", show_default=_ALL)] = ",".join(DEFAULT),
    never: Annotated[Path | None, typer.Option(help="A model that never met the archive; else the trunk.")] = None,
    asked: Annotated[int, typer.Option(min=1, help="Questions a split.")] = 150,
    out: Annotated[Path, typer.Option(help="Answers, tables and pictures; a stopped run goes on here.")] = Path(
        "runs/actions"
    ),
) -> None:
    """Ask every draw through every action and print the tables."""
    from eval.bench.action_show import show

    errors = Console(stderr=True)
    try:
        strange = never or demo_dir() / "trunk"
        plan = make_plan(draw.split(","), actions.split(","), strange, asked, out)
        settings = fingerprint(strange, asked)
        with AnswerStore(out / "answers.jsonl", settings) as store:
            with Bars(errors) as progress:
                asyncio.run(measure(plan, store, progress))
            scopes = summarise(plan, store)
    except LetheError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    write(out, settings, scopes)
    for scope, cells in scopes.items():
        show(cells, scope, Console(width=160))
    typer.echo(f"Written to {out} (seed {SEED}, {asked} questions a split)")


if __name__ == "__main__":
    typer.run(main)
