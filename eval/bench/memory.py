"""Whether a server's memory grows with the number of its requests.

    python -m eval.bench.stub_engine --model serve/demo/full --port 8001 &
    lethe serve --upstream http://127.0.0.1:8001 --model serve/demo/full --policy serve/demo/policy.yaml --port 8000 &
    python -m eval.bench.memory --url http://127.0.0.1:8000 --pid PID --policy serve/demo/policy.yaml --picture out.png

Asks an endpoint, of four questions two clean and two on the policy's topics, one of each kind streamed, and reads how
much memory the process PID and those that it started hold. The slope is that of a line through what was read after the
first fifth, which warms up; its 95% interval is that of Student's t over 20 stretches, whose medians are taken for
independent. With an engine behind the endpoint in place of the stub, its own memory is not counted with --upstream.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import psutil
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from scipy import stats

from eval.bench.load import client, each, mixed_questions

_SAMPLES, _STRETCHES, _WARM = 500, 20, 0.2
_AT_ONCE = 16


class Sample(NamedTuple):
    """What was held after so many requests, `failed` of them not answered: MiB resident, open files, threads."""

    requests: int
    mib: float
    files: int
    threads: int
    failed: int = 0


class Slope(NamedTuple):
    """MiB a 10,000 requests, with its 95% interval."""

    value: float
    low: float
    high: float


def held(pid: int, requests: int) -> Sample:
    """What a process and those that it started hold."""
    first = psutil.Process(pid)
    family = [first, *first.children(recursive=True)]
    return Sample(
        requests,
        sum(one.memory_info().rss for one in family) / 2**20,
        sum(one.num_fds() for one in family),
        sum(one.num_threads() for one in family),
    )


def slope(samples: list[Sample]) -> Slope:
    """The slope after warming up.

    Raises:
        ValueError: there are too few samples.
    """
    last = samples[-1].requests
    warm = [sample for sample in samples if sample.requests >= _WARM * last]
    if len(warm) < 2 * _STRETCHES:
        raise ValueError(f"{len(warm)} samples are too few for {_STRETCHES} stretches; ask more")
    stretches = np.array_split(np.array([(sample.requests, sample.mib) for sample in warm]), _STRETCHES)
    at, mib = np.array([np.median(stretch, axis=0) for stretch in stretches]).T
    line = stats.linregress(at, mib)
    wide = float(stats.t.ppf(0.975, _STRETCHES - 2) * line.stderr)
    value = float(line.slope)
    return Slope(value * 1e4, (value - wide) * 1e4, (value + wide) * 1e4)


async def measure(
    url: str, model: str, pid: int, policy: Path, requests: int, samples: list[Sample], out: Path
) -> None:
    """Ask so many questions, and read in between, into `samples`, and `out` at once."""
    step = max(1, requests // _SAMPLES)
    questions, failed = mixed_questions(policy), 0
    async with client(url) as session:
        for done in range(0, requests, step):
            some = islice(questions, min(step, requests - done))
            failed += await each(session, model, some, at_once=_AT_ONCE)
            samples.append(held(pid, min(done + step, requests))._replace(failed=failed))
            with out.open("a", encoding="utf-8") as file:
                print(json.dumps(samples[-1]._asdict()), file=file)


def draw(samples: list[Sample], out: Path) -> None:
    """Resident memory by requests, as a PNG."""
    figure = Figure(figsize=(7.0, 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([sample.requests for sample in samples], [sample.mib for sample in samples], lw=1)
    axes.set_ylim(0, max(sample.mib for sample in samples) * 1.15)
    axes.set_xlabel("requests")
    axes.set_ylabel("MiB resident")
    axes.grid(alpha=0.3)
    figure.savefig(out, dpi=120)


def main(
    url: Annotated[str, typer.Option(help="The endpoint.")],
    pid: Annotated[int, typer.Option(help="The server's process.")],
    policy: Annotated[Path, typer.Option(help="Its policy, whose examples are asked.")],
    model: Annotated[str, typer.Option(help="What the model is called there.")] = "lethe-demo",
    requests: Annotated[int, typer.Option(min=100, help="How many.")] = 50_000,
    out: Annotated[Path, typer.Option(help="JSON lines of all that is read, added to.")] = Path("runs/memory.jsonl"),
    picture: Annotated[Path | None, typer.Option(help="A PNG to write.")] = None,
) -> None:
    """Print a table; what was measured until then, where it is interrupted."""
    began = time.monotonic()
    samples: list[Sample] = []
    out.parent.mkdir(parents=True, exist_ok=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(measure(url, model, pid, policy, requests, samples, out))
    seconds = time.monotonic() - began
    table = Table(title=f"{samples[-1].requests:,} requests in {seconds:.0f} s", title_justify="left")
    for title in ("requests", "MiB", "files", "threads", "not answered"):
        table.add_column(title, justify="right")
    for part in (0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0):
        sample = samples[min(len(samples) - 1, round(part * len(samples)) - (part == 1.0))]
        table.add_row(
            f"{sample.requests:,}", f"{sample.mib:.1f}", str(sample.files), str(sample.threads), str(sample.failed)
        )
    console = Console(width=100)
    console.print(table)
    found = slope(samples)
    console.print(f"MiB a 10,000 requests: {found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]")
    if picture is not None:
        draw(samples, picture)


if __name__ == "__main__":
    typer.run(main)
