"""How long detection takes and how much memory it needs, by number of topics and length of prompt.

    python -m eval.bench.detector_speed --out runs/detector_speed.json

Topics are invented people; every number of topics is fitted as `lethe fit` does it. The same artifact is asked with the
encoder as it is served and through torch, turn by turn, so that a busy machine slows both. False flags are those of
whole requests, over all topics, at a target of 1%. Peak memory is that of a fresh process which loads the artifact and
reads one long prompt. A machine that does other things gives other figures.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from classifiers.detector import ArtifactDetector, load_detector
from classifiers.encoder import Encoder
from classifiers.fit import FitReport, fit_with_bar
from classifiers.general import load_general
from eval.provenance import provenance, revision
from eval.world.people import Names, stranger
from eval.world.relations import RELATIONS
from guard.conversation import single
from guard.policy import Policy, load_policy

SEED = 11
WORDS = {20: 60, 2000: 12}  # words of a prompt: how many prompts are asked
_SECRET = b"speed".ljust(32)
_QUESTIONS = 4  # a topic's examples
_RETAINED = 60  # people among the negatives


@dataclass(frozen=True)
class Speed:
    """Milliseconds a prompt, in the served form and through torch; `ratio` is torch's median over the served one's."""

    topics: int
    words: int
    form: str
    median: float
    p95: float
    torch_median: float
    torch_p95: float
    ratio: float


def write_policy(folder: Path, topics: int) -> Policy:
    """A policy of so many invented people, in `folder`."""
    rng = random.Random(SEED)
    names = Names(rng)
    lines = ["version: 1", "false_flag_rate: 0.01", "retain: retain.jsonl", "topics:"]
    for number in range(topics):
        name = _write_people(folder / f"{number}.jsonl", names, rng, 1)
        lines.append(
            f"  - {{name: topic {number}, examples: {number}.jsonl, aliases: [{name}], action: {{kind: refuse}}}}"
        )
    _write_people(folder / "retain.jsonl", names, rng, _RETAINED)
    (folder / "policy.yaml").write_text("\n".join(lines), encoding="utf-8")
    return load_policy(folder / "policy.yaml")


def _write_people(path: Path, names: Names, rng: random.Random, count: int) -> str:
    """Questions about `count` people; returns the last one's name."""
    rows = []
    for _ in range(count):
        person = stranger(names, rng)
        for relation in rng.sample(RELATIONS, _QUESTIONS):
            question = person.fill(rng.choice(relation.train), relation)
            rows.append({"question": question, "answer": person.answer(relation), "person": person.name})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return person.name


def prompts(words: int, count: int) -> list[str]:
    """Texts of exactly so many words, put together from general questions."""
    rng = random.Random(f"{SEED}/{words}")
    pool = [example.question for example in load_general()]
    made = []
    for _ in range(count):
        text: list[str] = []
        while len(text) < words:
            text += rng.choice(pool).split()
        made.append(" ".join(text[:words]))
    return made


def compare(served: ArtifactDetector, through_torch: ArtifactDetector, form: str, topics: int) -> list[Speed]:
    """Time both detectors on every length of prompt, turn by turn."""
    speeds = []
    for words, count in WORDS.items():
        # A line, no bar: a bar draws itself while the clock runs.
        print(f"{topics} topics: asking {count} prompts of {words} words", file=sys.stderr)
        times: list[tuple[float, float]] = []
        for text in prompts(words, count + 2):
            times.append((_milliseconds(served, text), _milliseconds(through_torch, text)))
        own, other = np.array(times[2:]).T  # the first two warm up
        median, torch_median = float(np.median(own)), float(np.median(other))
        p95, torch_p95 = float(np.percentile(own, 95)), float(np.percentile(other, 95))
        speeds.append(Speed(topics, words, form, median, p95, torch_median, torch_p95, torch_median / median))
    return speeds


def _milliseconds(detector: ArtifactDetector, text: str) -> float:
    detector.forget()
    started = time.perf_counter()
    detector.detect(single(text))
    return (time.perf_counter() - started) * 1000


def peak_memory(artifact: Path, policy: Path) -> float:
    """MiB at most of this process, which must be a fresh one, after a long prompt."""
    detector = load_detector(artifact, policy=load_policy(policy), secret=_SECRET)
    detector.detect(single(prompts(max(WORDS), 1)[0]))
    # Not getrusage: a child's peak there starts at its parent's.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(topics: int, folder: Path) -> tuple[FitReport, list[Speed], float]:
    """Fit so many topics in `folder`; what that took, how fast detection is, and the peak memory in MiB."""
    policy = write_policy(folder, topics)
    report = fit_with_bar(policy, secret=_SECRET, out=folder / "artifact")
    encoder = Encoder()
    served = load_detector(report.out, policy=policy, secret=_SECRET, encoder=encoder)
    through_torch = ArtifactDetector(served._artifact, Encoder(form="torch"), policy)
    speeds = compare(served, through_torch, encoder.form, topics)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        memory = pool.apply(peak_memory, (report.out, folder / "policy.yaml"))
    return report, speeds, memory


def _false_flags(figures: Mapping[str, float]) -> str:
    """Over all topics together, on requests that set nothing."""
    return f"{figures['false_flags']:.1%} ({figures['false_flags_low']:.1%} to {figures['false_flags_high']:.1%})"


def main(
    topics: Annotated[str, typer.Option(help="Numbers of topics, with commas.")] = "1,10,1000",
    out: Annotated[Path | None, typer.Option(help="A JSON file for the figures and where they came from.")] = None,
) -> None:
    """Print milliseconds a prompt, fit time and peak memory; what is measured is written at once."""
    rows: list[dict[str, Any]] = []
    for count in map(int, topics.split(",")):
        with tempfile.TemporaryDirectory() as name:
            report, speeds, memory = measure(count, Path(name))
            size = sum(path.stat().st_size for path in report.out.iterdir()) / 2**20
        fitted = {"fit_seconds": report.seconds, "texts": report.texts, "artifact_mib": size, "peak_mib": memory}
        rows += [asdict(speed) | fitted | {"figures": report.figures.as_dict()} for speed in speeds]
        if out is not None:
            write(out, rows)
    Console(width=140).print(_table(rows))


def write(out: Path, rows: list[dict[str, Any]]) -> None:
    """The figures so far and where they came from, in place of what stood in `out`."""
    machine = {"cores": os.cpu_count(), "load": os.getloadavg(), "threads": os.environ.get("OMP_NUM_THREADS")}
    record = {"speeds": rows, "machine": machine, "revision": asdict(revision()), "provenance": provenance()}
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.new")
    fresh.write_text(json.dumps(record, indent=2), encoding="utf-8")
    fresh.replace(out)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="milliseconds a prompt, in brackets the 95th percentile", title_justify="left")
    titles = ("topics", "words", "encoder", "served", "through torch", "ratio")
    for title in (*titles, "fit s", "texts", "false flags a request", "artifact MiB", "peak MiB"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            *(str(row["topics"]), str(row["words"]), row["form"]),
            *(f"{row['median']:.1f} ({row['p95']:.1f})", f"{row['torch_median']:.1f} ({row['torch_p95']:.1f})"),
            *(f"{row['ratio']:.1f}", f"{row['fit_seconds']:.0f}", str(row["texts"]), _false_flags(row["figures"])),
            *(f"{row['artifact_mib']:.1f}", f"{row['peak_mib']:.0f}"),
        )
    return table


if __name__ == "__main__":
    typer.run(main)
