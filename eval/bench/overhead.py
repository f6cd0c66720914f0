"""What stands in front of a model costs: time to the first bytes and throughput, of several servers side by side.

    python -m eval.bench.overhead --server bare=http://127.0.0.1:8001 --server guarded=http://127.0.0.1:8000

Every server is asked the same questions, streamed, in rounds: in each, all servers in turn, in an order that is drawn
anew, so that a busy machine slows all of them. They are clean, or with `--flagged POLICY` those of its examples. Ratios
are to the first server that is named, the median over rounds, with a 95% interval by resampling rounds.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from eval.bench.load import Question, Served, ask, clean_questions, client, flagged_questions

SEED = 31
_DRAWS = 2000


class Round(NamedTuple):
    """One server in one round: median ms to the first bytes of a request alone, tokens a second by how many at once."""

    first_ms: float
    rates: tuple[float, ...]


async def measure(
    url: str, key: str | None, model: str, questions: list[str], at_once: Sequence[int], tokens: int
) -> Round:
    """Ask all questions one by one, then all again, so many at once, for each of `at_once`."""
    async with client(url, key=key) as session:

        async def one(text: str) -> Served:
            return await ask(session, model, Question(text, True), max_tokens=tokens)

        async def rate(many: int) -> float:
            slots = asyncio.Semaphore(many)

            async def held(text: str) -> Served:
                async with slots:
                    return await one(text)

            began = time.perf_counter()
            # Asked before, but not in these words, so that nothing is answered from memory.
            served = await asyncio.gather(*(held(f"{text} Please ({many}).") for text in questions))
            return sum(answer.tokens for answer in served) / (time.perf_counter() - began)

        alone = [await one(text) for text in questions]
        rates = tuple([await rate(many) for many in at_once])
    return Round(statistics.median(answer.first for answer in alone) * 1000, rates)


def ratio(of: list[float], to: list[float]) -> str:
    """The median ratio over rounds, with its interval."""
    ratios = np.array(of) / np.array(to)
    drawn = np.random.default_rng(SEED).choice(ratios, (_DRAWS, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return f"{np.median(ratios):.2f} [{low:.2f}, {high:.2f}]"


async def compare(
    servers: Mapping[str, tuple[str, str | None]],
    model: str,
    rounds: int,
    questions: Iterator[str],
    count: int,
    at_once: Sequence[int],
    tokens: int,
) -> dict[str, list[Round]]:
    """All rounds of all servers; the first round warms up and is left out."""
    order = list(servers)
    found: dict[str, list[Round]] = {name: [] for name in servers}
    rng = random.Random(SEED)
    for number in range(rounds + 1):
        asked = list(islice(questions, count))
        rng.shuffle(order)
        for name in order:
            url, key = servers[name]
            measured = await measure(url, key, model, asked, at_once, tokens)
            if number:
                found[name].append(measured)
    return found


def main(
    server: Annotated[list[str], typer.Option(metavar="NAME=URL[,KEY]", help="Give it once for each server.")],
    model: Annotated[str, typer.Option(help="What the model is called there.")] = "lethe-demo",
    rounds: Annotated[int, typer.Option(min=5)] = 15,
    count: Annotated[int, typer.Option(min=4, help="Questions a round.")] = 24,
    at_once: Annotated[list[int] | None, typer.Option(min=1, help="Requests at once, for throughput.")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens an answer, at most.")] = 16,
    flagged: Annotated[Path | None, typer.Option(help="Ask what this policy's examples ask.")] = None,
) -> None:
    """Print a table."""
    servers: dict[str, tuple[str, str | None]] = {}
    for given in server:
        name, _, rest = given.partition("=")
        url, _, key = rest.partition(",")
        servers[name] = (url, key or None)
    many = at_once or [8]
    questions = clean_questions() if flagged is None else flagged_questions(flagged)
    found = asyncio.run(compare(servers, model, rounds, questions, count, many, tokens))
    first = found[next(iter(servers))]
    kind = "clean" if flagged is None else "flagged"
    table = Table(title=f"{rounds} rounds of {count} {kind} questions, streamed, seed {SEED}", title_justify="left")
    table.add_column("server")
    for title in ("ms to first bytes", *(f"tokens/s, {number} at once" for number in many)):
        table.add_column(title, justify="right")
        table.add_column("ratio", justify="right")
    for name, measured in found.items():
        cells = []
        for own, base in zip(columns(measured), columns(first), strict=True):
            cells += [f"{statistics.median(own):.1f}", ratio(own, base)]
        table.add_row(name, *cells)
    Console(width=160).print(table)


def columns(measured: list[Round]) -> list[list[float]]:
    """What is shown, each by round."""
    return [
        [one.first_ms for one in measured],
        *(list(rate) for rate in zip(*(one.rates for one in measured), strict=True)),
    ]


if __name__ == "__main__":
    typer.run(main)
