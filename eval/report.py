"""The report of a run: tables on the terminal, results.jsonl, summary.json and a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from eval.detection import Flag
from eval.metrics.estimate import Estimate
from eval.picture import draw
from eval.summary import Cell, Scored, Summary
from eval.verdict import verdict

# A cluster is a person, or a fact of the world: what is drawn anew to get an interval.
_ASKED = "questions\nclusters"
RESULTS, SUMMARY, PICTURE = "results.jsonl", "summary.json", "rouge_l.png"


def show(summary: Summary, console: Console) -> None:
    """Print the tables and what they mean."""
    console.print(_score_table(summary))
    if summary.gaps:
        console.print(_gap_table(summary))
    if summary.rates:
        console.print(_rate_table(summary))
    console.print(_traffic_table(summary))
    for sentence in verdict(summary):
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)


def write(
    out: Path,
    summary: Summary,
    scored: Mapping[str, Sequence[Scored]],
    flags: Mapping[str, Flag] | str,
    header: Mapping[str, Any],
) -> None:
    """Write all files into `out`, each whole or not at all; summary.json comes last and marks the run as finished."""
    rows: list[dict[str, Any]] = [{"kind": "run", **header}]
    rows += [_answer_row(row) for every in scored.values() for row in every]
    if not isinstance(flags, str):
        rows += [{"kind": "detection", **asdict(flag)} for flag in flags.values()]
    write_atomically(out / RESULTS, "".join(json.dumps(row) + "\n" for row in rows).encode())
    write_atomically(out / PICTURE, draw(summary))
    final = {"run": header, **asdict(summary), "verdict": verdict(summary)}
    write_atomically(out / SUMMARY, (json.dumps(final, indent=2) + "\n").encode())


def _answer_row(row: Scored) -> dict[str, Any]:
    answer = asdict(row.answer)
    answer["reason"] = row.reason
    return {"kind": "answer", **answer, "rouge_l_recall": row.score, "item": asdict(row.item)}


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name, then rename."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(path)


def _score_table(summary: Summary) -> Table:
    systems = list(dict.fromkeys(cell.name for cell in summary.scores))
    table = _table("ROUGE-L recall [95% interval, bootstrap over clusters]", "split", _ASKED, *systems)
    for split in dict.fromkeys(cell.split for cell in summary.scores):
        cells = [summary.find("scores", split, system) for system in systems]
        clusters = _range(cell.estimate.clusters for cell in cells if cell and cell.estimate)
        asked = f"{_range(map(_asked, cells))}\n{clusters}"
        table.add_row(split, asked, *(figure_text(cell, "{:.3f}") for cell in cells))
    return table


def _gap_table(summary: Summary) -> Table:
    names = list(dict.fromkeys(cell.name for cell in summary.gaps))
    table = _table("Gap in recall [95% interval, paired by question]", "split", *names)
    for split in dict.fromkeys(cell.split for cell in summary.gaps):
        table.add_row(split, *(figure_text(summary.find("gaps", split, name), "{:+.3f}") for name in names))
    return table


def _rate_table(summary: Summary) -> Table:
    table = _table("Flagged by the guard's classifier", "split", "should be", _ASKED, "flagged")
    for cell in summary.rates:
        clusters = str(cell.estimate.clusters) if cell.estimate else "-"
        wanted = "flagged (catch)" if cell.split == "forget" else "clean (false flags)"
        table.add_row(cell.split, wanted, f"{_asked(cell)}\n{clusters}", figure_text(cell, "{:.2%}"))
    return table


def _traffic_table(summary: Summary) -> Table:
    columns = ("system", "questions", "requests", "unanswered", "seconds", "median s", "95th s")
    table = _table("Asking (a question that stands in two splits is asked once)", *columns)
    for row in summary.traffic:
        latencies = [f"{value:.3f}" if value is not None else "-" for value in (row.median_latency, row.p95_latency)]
        counts = [str(row.questions), str(row.requests), str(row.unanswered)]
        table.add_row(row.system, *counts, f"{row.seconds:.1f}", *latencies)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _asked(cell: Cell | None) -> int:
    if cell is None:
        return 0
    return (cell.estimate.questions if cell.estimate else 0) + sum(cell.unscored.values())


def _range(counts: Iterable[int]) -> str:
    found = sorted(set(counts))
    if not found:
        return "-"
    return str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}"


def figure_text(cell: Cell | None, form: str) -> str:
    """Return a cell as a table shows it: the value, its interval below, and how many questions are missing from it."""
    if cell is None or cell.estimate is None:
        return "unscored"
    estimate: Estimate = cell.estimate
    note = f"\n({sum(cell.unscored.values())} unscored)" if cell.unscored else ""
    if estimate.low is None or estimate.high is None:
        return form.format(estimate.value) + note
    return f"{form}\n\\[{form}, {form}]".format(estimate.value, estimate.low, estimate.high) + note
