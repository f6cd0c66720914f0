"""What decoding that is turned away from protected spans adds to corruption, in this process.

    python -m eval.bench.steered --out runs/steered

Bare, the retrained seeds, and the embedded policy with each of several actions: what is recalled of the forgotten when
asked plainly and with the first words of the answer given, how likely the true answers are, and how near truth ratios
and membership inference come to retrained. The output guard is not seen here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from classifiers.progress import Bars
from eval.compare.likely import likely_figures, seed_spread
from eval.compare.plan import Plan, Suite, make_plan
from eval.compare.results import BARE, RETRAINED, Figure
from eval.compare.scores import Likelihood, likelihoods
from eval.compare.told import ARCHIVE, RECALL
from eval.engines.guarded import PromptGuard, Sent
from eval.engines.local import LocalModel
from eval.metrics.answered import answered
from eval.metrics.bootstrap import cluster_bootstrap
from eval.policies import write_policies
from eval.provenance import provenance
from eval.report import write_atomically
from eval.systems import demo_dir
from guard.conversation import single
from guard.errors import LetheError
from guard.types import Conversation

SEED = 8
DEFAULT = ("shuffle", "decode-8", "shuffle+decode-1", "shuffle+decode-2", "shuffle+decode-4")
GIVEN = ("prefix-1", "prefix-3", "prefix-5")
_SHOWN = ("probability", "truth_ratio", "forget_quality_D", "extraction_strength", "mia_min_k")


class Subject:
    """A checkpoint, with the guard's prompt actions and decoding in front of it or not."""

    def __init__(self, model: str, guard: PromptGuard | None = None) -> None:
        self.model, self.guard = LocalModel(model), guard

    def answers(self, asked: Sequence[Conversation]) -> list[str | None]:
        """Greedy answers; None where the guard answers without the model."""
        sent = [self._sent(one) for one in asked]
        told = [one for one in sent if isinstance(one, Sent)]
        steer, diverge = [one.steer for one in told], [one.diverge for one in told]
        said = iter(self.model.generate([one.embeds for one in told], steer=steer, diverge=diverge))
        return [next(said) if isinstance(one, Sent) else None for one in sent]

    def _sent(self, conversation: Conversation) -> Sent | str:
        if self.guard is None:
            return Sent(self.model.prompt(conversation))
        return self.guard.sent(self.model, conversation)


def recalled(name: str, subject: Subject, plan: Plan) -> list[Figure]:
    """Recall of the forgotten asked plainly, then with the answer's first words given."""
    found = []
    plain = [(single(item.question), item.answer, item.cluster, item.form) for item in plan.splits["forget"]]
    asked = {RECALL: plain}
    for attack in GIVEN:
        probes = [probe for probe in plan.probes[attack] if probe is not None]
        asked[attack] = [(Conversation(one.messages), one.reference, one.cluster, one.form) for one in probes]
    for metric, rows in asked.items():
        said = subject.answers([row[0] for row in rows])
        scored = [
            (answered(form, reference, text), cluster)
            for (_, reference, cluster, form), text in zip(rows, said, strict=True)
            if text is not None
        ]
        estimate = cluster_bootstrap(*zip(*scored, strict=True), seed=SEED) if scored else None
        reason = None if len(scored) == len(rows) else "answered without the model"
        found.append(Figure(name, ARCHIVE, "forget", metric, "system", estimate, reason))
    return found


def table(names: Sequence[str], figures: Sequence[Figure]) -> Table:
    """A row a system."""
    columns = (RECALL, *GIVEN, *_SHOWN)
    made = Table(title=f"forgotten people, seed {SEED} [95% interval by person]")
    for column in ("system", *columns):
        made.add_column(column)
    for name in names:
        own = {f.metric: f.estimate for f in figures if f.system == name and f.split == "forget"}
        cells = []
        for column in columns:
            e = own.get(column)
            span = "" if e is None or e.low is None else f"\n\\[{e.low:.3f}, {e.high:.3f}]"
            cells.append("-" if e is None else f"{e.value:.3f}{span}")
        made.add_row(name, *cells)
    return made


def main(
    out: Annotated[Path, typer.Option(help="Policies and figures.")] = Path("runs/steered"),
    asked: Annotated[int, typer.Option(min=10, help="Questions.")] = 100,
    action: Annotated[list[str] | None, typer.Option(help="Actions of eval.policies.")] = None,
) -> None:
    """Print the table; write figures.json."""
    errors = Console(stderr=True)
    out.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    scores: dict[str, list[Likelihood]] = {}
    demo = demo_dir()
    seeds = (RETRAINED, f"{RETRAINED}-22", f"{RETRAINED}-23")
    try:
        plan = make_plan(
            Suite("steered", asked, asked, tasks=(), attacks=GIVEN, actions=(), weights=False), None, out, seed=SEED
        )
        policies = write_policies(out / "policies", "a", list(action or DEFAULT))
        items = [*plan.splits["forget"], *plan.holdout]
        names = [BARE, *seeds, *policies]
        with Bars(errors) as progress:
            bar = progress.add_task("measuring", total=len(names) * len(items))
            for name in names:
                folder = str(demo / (name if name in seeds else "full"))
                subject = Subject(folder, PromptGuard(policies[name], folder) if name in policies else None)
                scores[name] = likelihoods(subject.model, subject.guard, items, lambda n: progress.advance(bar, n))
                figures += recalled(name, subject, plan)
    except LetheError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    for name in names:
        figures += likely_figures(name, scores, lambda _: None, SEED)
    figures += seed_spread(scores)
    record = {"provenance": provenance(), "asked": asked, "seed": SEED, "figures": [asdict(f) for f in figures]}
    write_atomically(out / "figures.json", (json.dumps(record, indent=1) + "\n").encode())
    Console(width=170).print(table(names, figures))
    low, high = (f.estimate.value for f in figures if f.metric.startswith("seed_spread") and f.estimate)
    typer.echo(f"D between retrained seeds: {low:.3f} to {high:.3f} ({asked} questions)")


if __name__ == "__main__":
    typer.run(main)
