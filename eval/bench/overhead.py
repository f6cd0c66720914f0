"""What stands in front of a model costs: time to the first bytes and throughput, of several servers side by side.

    python -m eval.bench.overhead --server bare=http://127.0.0.1:8001 --server guarded=http://127.0.0.1:8000

Every server is asked the same clean questions, streamed, in rounds: in each, all servers in turn, in an order that is
drawn anew, so that a busy machine slows all of them. Ratios are to the first server that is named, the median over
rounds, with a 95% interval by resampling rounds.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from itertools import islice
from typing import Annotated, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from eval.bench.load import Question, Served, ask, clean_questions, client

SEED = 31
_DRAWS = 2000


class Round(NamedTuple):
    """One server in one round: median ms to the first bytes of a request alone, events a second of many at once."""

    first_ms: float
    rate: float


async def measure(url: str, key: str | None, model: str, questions: list[str], at_once: int, tokens: int) -> Round:
    """Ask all questions one by one, then all again, so many at once."""
    async with client(url, key=key) as session:

        async def one(text: str) -> Served:
            return await ask(session, model, Question(text, True), max_tokens=tokens)

        alone = [await one(text) for text in questions]
        slots = asyncio.Semaphore(at_once)

        async def held(text: str) -> Served:
            async with slots:
                return await one(text)

        began = time.perf_counter()
        many = await asyncio.gather(*(held(f"{text} Please.") for text in questions))
        seconds = time.perf_counter() - began
    return Round(statistics.median(one.first for one in alone) * 1000, sum(one.events for one in many) / seconds)


def ratio(of: list[float], to: list[float]) -> str:
    """The median ratio over rounds, with its interval."""
    ratios = np.array(of) / np.array(to)
    drawn = np.random.default_rng(SEED).choice(ratios, (_DRAWS, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return f"{np.median(ratios):.2f} [{low:.2f}, {high:.2f}]"


async def compare(
    servers: dict[str, tuple[str, str | None]], model: str, rounds: int, count: int, at_once: int, tokens: int
) -> dict[str, list[Round]]:
    """All rounds of all servers; the first round warms up and is left out."""
    order, questions = list(servers), clean_questions()
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
    at_once: Annotated[int, typer.Option(min=1, help="Requests at once, for throughput.")] = 8,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens an answer.")] = 16,
) -> None:
    """Print a table."""
    servers: dict[str, tuple[str, str | None]] = {}
    for given in server:
        name, _, rest = given.partition("=")
        url, _, key = rest.partition(",")
        servers[name] = (url, key or None)
    found = asyncio.run(compare(servers, model, rounds, count, at_once, tokens))
    first = found[next(iter(servers))]
    table = Table(title=f"{rounds} rounds of {count} streamed answers, {tokens} tokens each", title_justify="left")
    for title in ("server", "ms to first bytes", "ratio", f"events/s, {at_once} at once", "ratio"):
        table.add_column(title, justify="left" if title == "server" else "right")
    for name, measured in found.items():
        early, rate = ([getattr(one, field) for one in measured] for field in Round._fields)
        base_early, base_rate = ([getattr(one, field) for one in first] for field in Round._fields)
        table.add_row(
            *(name, f"{statistics.median(early):.1f}", ratio(early, base_early)),
            *(f"{statistics.median(rate):.0f}", ratio(rate, base_rate)),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
