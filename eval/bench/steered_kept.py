"""What `eval.bench.steered` has measured of a system, kept so that a stopped run goes on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from eval.bench.steered_rows import Rows
from eval.compare.scores import Likelihood, keep, kept
from eval.provenance import revision
from eval.report import write_atomically

_LIKELY, _ROWS = "likelihoods.jsonl", "rows.json"
Measured = tuple[Rows, list[Likelihood]]


def mark(asked: int, seed: int, what: str) -> str:
    """Tells whether something may be taken for measured: the code, the questions and `what`, a digest, are the same."""
    return json.dumps({"asked": asked, "seed": seed, "of": what, "revision": asdict(revision())}, sort_keys=True)


def read(folder: Path, marked: str) -> Measured | None:
    """What was kept in `folder` under this mark; None where there is nothing, or something else."""
    path = folder / _ROWS
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    if told["mark"] != marked:
        return None
    scores = {(split, metric): [(value, who) for value, who in rows] for split, metric, rows in told["scores"]}
    return Rows(scores, [(text, who) for text, who in told["said"]]), kept(folder / _LIKELY)


def write(folder: Path, marked: str, rows: Rows, likely: list[Likelihood]) -> None:
    """Keep both; the rows come last, since it is by them that a system is known to be measured."""
    (folder / _ROWS).unlink(missing_ok=True)
    keep(folder / _LIKELY, likely)
    scores = [[*place, own] for place, own in rows.scores.items()]
    write_atomically(folder / _ROWS, json.dumps({"mark": marked, "scores": scores, "said": rows.said}).encode())
