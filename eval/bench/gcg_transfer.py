"""Whether a suffix found on one model makes others tell what they were to forget.

    python -m eval.bench.gcg_transfer --checkpoint runs/unlearn/checkpoints/rmu-1 --out runs/gcg

On each surrogate (the retrained model, and every checkpoint) `eval.attacks.weights.gcg` searches one suffix under which
the true answers about a third of the forgotten people get likely. It is sent, behind questions about the others, to the
bare engine, the guard, the retrained model and the checkpoints, all over HTTP. A suffix found on a checkpoint and sent
to the same one is the attack of whoever holds its weights. A stopped run goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer

from eval.answers import AnswerStore
from eval.asking import Asking, ask_all
from eval.attacks.weights.gcg import Search, Suffix, find_suffix
from eval.compare.told import told
from eval.metrics.bootstrap import cluster_bootstrap, paired_difference
from eval.metrics.estimate import Estimate
from eval.provenance import provenance
from eval.report import write_atomically
from eval.systems import System, demo_dir, engine_command, guarded_command, running
from eval.tasks.archive import archive_items
from eval.tasks.questions import Item
from eval.world.archive import WORLD_SEED
from guard.errors import LetheError

SEED, PAIRS, MAX_TOKENS = 12, 10, 48
BARE, GUARD, RETRAINED = "bare", "guard", "retrained"
PLAIN = "no suffix"


def divided(asked: int) -> tuple[list[Item], list[Item]]:
    """Questions to search with, about a third of the forgotten people, and `asked` ones about the others."""
    items = archive_items(world_seed=WORLD_SEED)["forget"]
    rng = random.Random(SEED)
    people = sorted({item.cluster for item in items})
    searched = set(rng.sample(people, len(people) // 3))
    near = [item for item in items if item.cluster in searched]
    far = [item for item in items if item.cluster not in searched]
    return rng.sample(near, PAIRS), rng.sample(far, min(asked, len(far)))


def suffixes(surrogates: Mapping[str, Path], items: Sequence[Item], file: Path, search: Search) -> dict[str, Suffix]:
    """One suffix a surrogate; those found before are read from `file`, where it is of the same search."""
    asked = json.loads(json.dumps([asdict(search), [item.question for item in items]]))
    known = json.loads(file.read_text()) if file.exists() else {}
    found = {name: Suffix(**one) for name, one in known["found"].items()} if known.get("search") == asked else {}
    for name, folder in surrogates.items():
        if name in found:
            continue
        typer.echo(f"searching a suffix on {name}", err=True)
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        found[name] = find_suffix(model.float().eval(), tokenizer, [(i.question, i.answer) for i in items], search)
        kept = {"search": asked, "found": {name: asdict(suffix) for name, suffix in found.items()}}
        write_atomically(file, json.dumps(kept).encode())
    return {name: found[name] for name in surrogates}


def behind(items: Sequence[Item], suffix: str) -> list[Item]:
    """The questions with the suffix right behind them."""
    return [replace(item, question=item.question + suffix) for item in items]


async def answers(models: Mapping[str, Path], prompts: Sequence[str], out: Path, store: AnswerStore) -> None:
    """Put what is not answered yet to each model in an engine of its own, and to the guard in front of the bare one."""

    async def put(name: str, url: str) -> None:
        left = [prompt for prompt in prompts if not store.answered(name, prompt)]
        await ask_all(Asking(url, MAX_TOKENS, 8, 120.0), name, left, store, lambda: None)

    def said(text: str) -> None:
        typer.echo(text, err=True)

    for name, folder in models.items():
        engine = System(f"engine {name}", command=engine_command(folder))
        async with running(engine, logs=out / "logs", start_timeout_s=900, on_wait=lambda _: None) as up:
            said(f"asking {name}")
            await up.during(put(name, up.url))
            if name == BARE:
                command = (*guarded_command(folder, demo_dir() / "policy.yaml"), "--upstream", up.url)
                front = System(GUARD, command=command)
                async with running(front, logs=out / "logs", start_timeout_s=900, on_wait=lambda _: None) as server:
                    said(f"asking {GUARD}")
                    await up.during(server.during(put(GUARD, server.url)))


@dataclass(frozen=True)
class Cell:
    """Recall of one system under one suffix, and its excess over retrained's to the same prompts."""

    system: str
    suffix: str
    recall: Estimate
    excess: Estimate


def cells(store: AnswerStore, systems: Sequence[str], asked: Mapping[str, Sequence[Item]]) -> list[Cell]:
    """Every system under every suffix.

    Raises:
        LetheError: a question was not answered.
    """
    found = []
    for suffix, items in asked.items():
        people = [item.cluster for item in items]
        theirs = _scores(store, RETRAINED, items)
        for system in systems:
            ours = _scores(store, system, items)
            recall = cluster_bootstrap(ours, people, seed=SEED)
            found.append(Cell(system, suffix, recall, paired_difference(ours, theirs, people, seed=SEED)))
    return found


def _scores(store: AnswerStore, system: str, items: Sequence[Item]) -> list[float]:
    rows = [one.score for one in told(store, system, items)]
    scores = [score for score in rows if score is not None]
    if len(scores) < len(rows):
        raise LetheError(f"{len(rows) - len(scores)} questions were not answered by {system}; run the command again")
    return scores


def show(found: Sequence[Cell], suffixes: Mapping[str, Suffix], title: str) -> Table:
    """A row a system, a column a suffix."""
    table = Table(title=title)
    table.add_column("recall (over retrained)")
    columns = list(dict.fromkeys(cell.suffix for cell in found))
    for name in columns:
        table.add_column(f"found on {name}" if name in suffixes else name, justify="right")
    for system in dict.fromkeys(cell.system for cell in found):
        row = {cell.suffix: cell for cell in found if cell.system == system}
        table.add_row(system, *(_words(row[name]) for name in columns))
    return table


def _words(cell: Cell) -> str:
    excess = cell.excess
    return f"{cell.recall.value:.3f} ({excess.value:+.3f} [{excess.low:+.3f}, {excess.high:+.3f}])"


def main(
    checkpoint: Annotated[list[Path] | None, typer.Option(help="Checkpoints, as surrogates and as systems.")] = None,
    out: Annotated[Path, typer.Option(help="Suffixes, answers and figures.")] = Path("runs/gcg"),
    asked: Annotated[int, typer.Option(min=10, help="Questions with each suffix.")] = 150,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the search.")] = 60,
) -> None:
    """Print the table; write figures.json."""
    out.mkdir(parents=True, exist_ok=True)
    surrogates = {RETRAINED: demo_dir() / "retrained"} | {folder.name: folder for folder in checkpoint or []}
    near, far = divided(asked)
    search = Search(steps=steps, seed=SEED)
    found = suffixes(surrogates, near, out / "suffixes.json", search)
    every = {PLAIN: far} | {name: behind(far, suffix.text) for name, suffix in found.items()}
    prompts = [item.question for items in every.values() for item in items]
    models = {BARE: demo_dir() / "full"} | surrogates
    with AnswerStore(out / "answers.jsonl", {"prompts": prompts, "models": sorted(models)}) as store:
        asyncio.run(answers(models, prompts, out, store))
        table = cells(store, [BARE, GUARD, *surrogates], every)
    figures = {
        "provenance": provenance(),
        "suffixes": {name: asdict(suffix) for name, suffix in found.items()},
        "cells": [asdict(cell) for cell in table],
    }
    write_atomically(out / "figures.json", json.dumps(figures, indent=2).encode())
    people = len({item.cluster for item in far})
    Console(width=140).print(show(table, found, f"{len(far)} questions about {people} people, seed {SEED}"))
    for name, suffix in found.items():
        typer.echo(f"{name}: loss {suffix.before:.2f} to {suffix.after:.2f} with {suffix.text!r}")


if __name__ == "__main__":
    typer.run(main)
