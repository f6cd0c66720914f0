"""The output guard on random texts, spans, splits, choices and Unicode, beside an oracle that sees the whole text.

    python -m eval.bench.stream_fuzz --cases 100000

Every release is held against what is due (`eval.bench.stream_oracle`) at a random place and at the end of each answer,
so that it can hang on nothing but the text; no span that counts may be in what left, and clean text must come out byte
for byte. Then the same cases are run with faults put into the guard: every one of them must be caught.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from eval.bench.stream_cases import draw
from eval.bench.stream_check import fault
from eval.bench.stream_mutants import MUTANTS

SEED = 20


@dataclass(frozen=True)
class Outcome:
    """How many requests and answers were tried, what was wrong with the first that failed, and the time it took."""

    cases: int
    answers: int
    fault: str | None
    seconds: float


def fuzz(mutant: str, cases: int, seed: int, *, quiet: bool = False) -> Outcome:
    """Try so many requests, or until the first that fails; seconds are of this process's own time."""
    rng = random.Random(seed)
    started, answers, number = time.process_time(), 0, 0
    with MUTANTS[mutant]():
        for number in track(range(1, cases + 1), description=mutant, disable=quiet):
            case = draw(rng)
            answers += len(case.answers)
            try:
                wrong = fault(case)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}, of {case}"
            if wrong:
                return Outcome(number, answers, wrong, time.process_time() - started)
    return Outcome(number, answers, None, time.process_time() - started)


def main(
    cases: Annotated[int, typer.Option(min=1, help="Requests to try on the guard as it is.")] = 100_000,
    mutant_cases: Annotated[int, typer.Option(min=1, help="Requests after which a fault counts as missed.")] = 3_000,
    seed: Annotated[int, typer.Option(help="Of the requests.")] = SEED,
) -> None:
    """Print a table; ends with status 1 where the guard fails or a fault is missed."""
    table = Table(title=f"output guard against the oracle, seed {seed}", title_justify="left")
    for title in ("fault in the guard", "requests", "answers", "CPU seconds", "found"):
        table.add_column(title, justify="left" if title in ("fault in the guard", "found") else "right")
    failed: list[str] = []
    for mutant in MUTANTS:
        outcome = fuzz(mutant, cases if mutant == "none" else mutant_cases, seed)
        if (outcome.fault is None) != (mutant == "none"):
            failed.append(f"{mutant}: {outcome.fault or 'not caught'}")
        found = "yes" if outcome.fault else "no"
        table.add_row(mutant, f"{outcome.cases:,}", f"{outcome.answers:,}", f"{outcome.seconds:.1f}", found)
    console = Console(width=140)
    console.print(table)
    for line in failed:
        console.print(line, markup=False)
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
