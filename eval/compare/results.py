"""What a comparison found: records of plain figures, kept as JSON lines; the page is drawn from them alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from eval.metrics.estimate import Estimate
from eval.report import write_atomically
from guard.errors import ConfigError

Kind = Literal["bare", "retrained", "guard", "weights"]
# Whom others are held against, the default guard, and the record that stands beside a system's attacks: the worst of
# them, with its name for a family.
BARE, RETRAINED, GUARD, WORST = "bare", "retrained", "guard", "worst"
# A proxy does not defend weights: what is measured through the endpoint and what needs the weights stay apart.
Claim = Literal["system", "weights"]


@dataclass(frozen=True)
class Subject:
    """One system under test; `what` says in a line what was done to it, `cost` what making it took."""

    name: str
    kind: Kind
    what: str
    cost: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One metric of one system on one split; `estimate` None is unscored, for `reason`.

    `metric` is named as OpenUnlearning names it where it has it; `versus` is "" or the system it is a difference to.
    """

    system: str
    task: str
    split: str
    metric: str
    claim: Claim
    estimate: Estimate | None
    reason: str | None = None
    versus: str = ""


@dataclass(frozen=True)
class Leak:
    """One attack on one system: `leak` is the excess over retrained under the same prompts.

    `direct` and `attacked` are the bare model's mean scores without and under the attack; where the attack is not
    testable on this model, or could not be made, `leak` is None, for `reason`.
    """

    system: str
    attack: str
    family: str
    claim: Claim
    direct: float | None
    attacked: float | None
    score: Estimate | None
    leak: Estimate | None
    reason: str | None = None


@dataclass(frozen=True)
class Example:
    """One question with what a system said to it."""

    split: str
    question: str
    reference: str
    system: str
    answer: str


@dataclass(frozen=True)
class Results:
    """Everything that the page shows."""

    header: dict[str, Any]
    subjects: list[Subject]
    figures: list[Figure]
    leaks: list[Leak]
    examples: list[Example]
    verdict: list[str]

    def figure(self, system: str, split: str, metric: str, *, task: str = "archive", versus: str = "") -> Figure | None:
        """The figure of that place, where there is one."""
        wanted = (system, task, split, metric, versus)
        return next((f for f in self.figures if (f.system, f.task, f.split, f.metric, f.versus) == wanted), None)

    def write(self, path: Path) -> None:
        """Write JSON lines, whole or not at all."""
        rows: list[dict[str, Any]] = [{"record": "header", **self.header}]
        for kind, found in self._parts():
            rows += [{"record": kind, **asdict(one)} for one in found]
        rows += [{"record": "verdict", "sentence": sentence} for sentence in self.verdict]
        write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def _parts(self) -> Iterable[tuple[str, list[Any]]]:
        parts = ("subject", self.subjects), ("figure", self.figures), ("leak", self.leaks), ("example", self.examples)
        return parts


def read(path: Path) -> Results:
    """Read what `Results.write` wrote.

    Raises:
        ConfigError: the file is missing or is not of a comparison.
    """
    made = Results({}, [], [], [], [], [])
    try:
        first, *rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        made.header.update({key: value for key, value in first.items() if key != "record"})
        for row in rows:
            _add(made, row.pop("record"), row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no comparison's file ({error}); `lethe-eval compare` writes one") from error
    return made


def _add(made: Results, record: str, row: dict[str, Any]) -> None:
    for key in ("estimate", "score", "leak"):
        if isinstance(row.get(key), dict):
            row[key] = Estimate(**row[key])
    if record == "subject":
        made.subjects.append(Subject(**row))
    elif record == "figure":
        made.figures.append(Figure(**row))
    elif record == "leak":
        made.leaks.append(Leak(**row))
    elif record == "example":
        made.examples.append(Example(**row))
    else:
        made.verdict.append(row["sentence"])
