"""The weight-modifying methods, each with the setting that the sweep chose, served by vLLM and asked over HTTP.

    python -m eval.bench.unlearn_served --sweep runs/unlearn-sweep

One bare engine after the other: the full model, the retrained ones, and every method's checkpoint, made on draw a with
each share of the forget set. A stopped run goes on: checkpoints, answers and probabilities are kept as they come.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from classifiers.progress import Bars
from eval.answers import AnswerStore
from eval.asking import Asking, ask_all
from eval.bench.unlearn_data import write
from eval.bench.unlearn_make import cost
from eval.bench.unlearn_make import make as make_one
from eval.bench.unlearn_measure import MAX_TOKENS, SEED, SPLITS
from eval.bench.unlearn_measure import questions as drawn
from eval.bench.unlearn_rows import Rows
from eval.bench.unlearn_scored import answer_nats
from eval.bench.unlearn_settings import Setting
from eval.bench.unlearn_sweep import chosen
from eval.options import model_digest
from eval.provenance import provenance, revision
from eval.report import write_atomically
from eval.side_by_side import Dead, side_by_side
from eval.systems import System, demo_dir, engine_command, running
from eval.tasks.questions import Item
from guard.errors import ConfigError, LetheError

DRAW = "a"
FULL, RETRAINED = "full", "retrained"
TIMEOUT_S, START_S, CONCURRENCY = 120.0, 900.0, 8
Splits = Mapping[str, Sequence[Item]]


@dataclass(frozen=True)
class Served:
    """A checkpoint to be served: `setting` is None for one that was there already, `share` the forget set's used."""

    name: str
    model: Path
    setting: Setting | None
    share: float = 1.0


def plan(sweep: Path, methods: Sequence[str], shares: Sequence[float], out: Path) -> list[Served]:
    """Whom to serve, the references first.

    Raises:
        ConfigError: the sweep has no row of a method, or a model is not there.
    """
    best = chosen(Rows.read(sweep))
    if missing := [name for name in methods if name not in best]:
        raise ConfigError(f"the sweep in {sweep} has measured no checkpoint of {', '.join(missing)}")
    if not (references := sorted(demo_dir().glob(f"{RETRAINED}*"))):
        raise ConfigError(f"there is no retrained model in {demo_dir()}; `lethe-eval train --install` puts them there")
    found = [Served(FULL, demo_dir() / "full", None)]
    found += [Served(f"{RETRAINED} {number}", path, None) for number, path in enumerate(references, 1)]
    if absent := [served.model for served in found if not (served.model / "config.json").is_file()]:
        raise ConfigError(f"there is no model at {absent[0]}")
    for name in methods or best:
        for share in shares:
            row = f"{name}, {share:.0%} of the forget set"
            found.append(Served(row, out / "checkpoints" / f"{name}-{share:g}", best[name], share))
    return found


def make(served: Sequence[Served], out: Path, jobs: int, progress: Progress, bar: TaskID) -> dict[str, str]:
    """Make every checkpoint that is not there yet; returns why one could not be made, by name."""
    data = write(DRAW, out / "data")
    full = str(demo_dir() / "full")
    works = {
        one.name: partial(make_one, one.setting, full, data, one.model, one.share)
        for one in served
        if one.setting is not None and not one.model.is_dir()
    }
    progress.advance(bar, len(served) - len(works))
    failed = {}
    for name, reason in side_by_side(works, jobs):
        if reason is not None:
            failed[name] = reason.reason if isinstance(reason, Dead) else reason
        progress.update(bar, advance=1, description=f"made {name}")
    return failed


async def ask(
    served: Sequence[Served], splits: Splits, store: AnswerStore, out: Path, told: Callable[[str], None]
) -> None:
    """Serve each and ask it what it has not answered yet.

    Raises:
        EngineError: a server does not start, or dies; what was answered so far is kept.
    """
    every = list(dict.fromkeys(item.question for items in splits.values() for item in items))
    for one in served:
        missing = [question for question in every if not store.answered(one.name, question)]
        scores = out / "nats" / f"{one.name}.json"
        told(one.name)
        if not missing and scores.is_file():
            continue
        system = System(one.name, command=engine_command(one.model))
        async with running(system, logs=out / "logs", start_timeout_s=START_S, on_wait=told) as server:
            asking = Asking(server.url, MAX_TOKENS, CONCURRENCY, TIMEOUT_S)
            await server.during(ask_all(asking, one.name, missing, store, lambda: None))
            nats = await server.during(answer_nats(server.url, one.model, splits["forget"], timeout_s=TIMEOUT_S))
        scores.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(scores, json.dumps(nats).encode())


def fingerprint(served: Sequence[Served], asked: int) -> dict[str, object]:
    """What must be the same for kept answers to count; methods and shares may be added in a later run."""
    given = {one.name: model_digest(str(one.model)) for one in served if one.setting is None}
    return {"models": given, "asked": asked, "seed": SEED, "draw": DRAW}


def record(served: Sequence[Served], failed: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What unlearn.json says beside the cells."""
    rows = {
        one.name: {
            "setting": one.setting and one.setting.name,
            "share": one.share,
            "cost": cost(one.model) if one.setting is not None and one.name not in failed else None,
            "failed": failed.get(one.name),
        }
        for one in served
    }
    return {"settings": settings, "provenance": provenance(), "revision": asdict(revision()), "rows": rows}


def main(
    sweep: Annotated[Path, typer.Option(help="Where eval.bench.unlearn_sweep left its rows.")] = Path(
        "runs/unlearn-sweep"
    ),
    methods: Annotated[str, typer.Option(help="By commas; all that the sweep has where empty.")] = "",
    shares: Annotated[str, typer.Option(help="Of the forget set, by commas.")] = "1",
    jobs: Annotated[int, typer.Option(min=1, help="Checkpoints made at once.")] = os.cpu_count() or 1,
    asked: Annotated[int, typer.Option(min=1, help="Questions a split.")] = 150,
    out: Annotated[Path, typer.Option(help="All that is kept; a stopped run goes on here.")] = Path("runs/unlearn"),
) -> None:
    """Make the checkpoints, serve and ask them one after the other, and print the table."""
    from eval.bench.unlearn_show import cells, picture, show

    errors = Console(stderr=True)
    try:
        names = list(dict.fromkeys(name for name in methods.split(",") if name))
        every = plan(sweep, names, list(dict.fromkeys(map(float, shares.split(",")))), out)
        settings = fingerprint(every, asked)
        splits = drawn(DRAW, asked)
        out.mkdir(parents=True, exist_ok=True)
        with AnswerStore(out / "answers.jsonl", settings) as store:
            with Bars(errors) as progress:
                bar = progress.add_task("making", total=len(every))
                failed = make(every, out, jobs, progress, bar)
                able = [one for one in every if one.name not in failed]
                asyncio.run(ask(able, splits, store, out, lambda text: progress.update(bar, description=text)))
            found = cells(able, splits, store, out, seed=SEED)
    except LetheError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    told = record(every, failed, settings)
    write_atomically(
        out / "unlearn.json", (json.dumps({**told, "cells": [asdict(c) for c in found]}, indent=1) + "\n").encode()
    )
    write_atomically(out / "unlearn.png", picture(found))
    show(found, told["rows"], Console(width=170))
    typer.echo(f"Written to {out} (draw {DRAW}, seed {SEED}, {asked} questions a split: {', '.join(SPLITS)})")


if __name__ == "__main__":
    typer.run(main)
