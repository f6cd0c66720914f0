"""TOFU's metrics on TOFU's data: does the order of systems come out right?

    python -m eval.bench.tofu_metrics --tofu FOLDER --models runs/tofu

On the models of `eval.bench.tofu_models`, which learned TOFU by heart, with and without forget10: the one that learned
everything must lie far from those that did not, and these near one another.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from classifiers.progress import Bars
from eval.bench.tofu_models import SEEDS
from eval.compare.likely import likely_figures, seed_spread
from eval.compare.results import RETRAINED, Figure
from eval.compare.scores import Likelihood, likelihoods
from eval.compare.told import RECALL
from eval.engines.local import LocalModel
from eval.metrics.bootstrap import cluster_bootstrap
from eval.metrics.rouge import rouge_l_recall
from eval.provenance import provenance
from eval.report import write_atomically
from eval.tasks.questions import Item
from eval.tasks.tofu import tofu as task
from guard.conversation import single
from guard.errors import LetheError

SEED, MAX_TOKENS = 5, 96
# What stands in TOFU for the splits that the comparison knows.
_SPLITS = {
    "forget10": "forget",
    "retain_perturbed": "retain",
    "real_authors_perturbed": "neighbour",
    "world_facts_perturbed": "world",
}
_SHOWN = (
    "probability",
    "truth_ratio",
    "forget_quality_D",
    "extraction_strength",
    "exact_memorisation",
    "model_utility",
)


def questions(folder: Path, asked: int) -> list[Item]:
    """`asked` questions of each split, under the comparison's names.

    Raises:
        ConfigError: a file of TOFU is missing.
    """
    found = []
    splits = task("10").load(folder, limit=None, seed=SEED)
    for source, name in _SPLITS.items():
        items = list(splits[source].items)
        for item in random.Random(SEED).sample(items, min(asked, len(items))):
            found.append(
                Item(name, item.question, item.answer, item.cluster, "", "", None, item.paraphrased, item.perturbed)
            )
    return found


def recalled(model: LocalModel, items: list[Item], system: str) -> list[Figure]:
    """ROUGE-L recall of each split, in this process."""
    answers = model.generate([model.prompt(single(item.question)) for item in items], limit=MAX_TOKENS)
    found = []
    for split in _SPLITS.values():
        rows = [(item, text) for item, text in zip(items, answers, strict=True) if item.split == split]
        scores = [rouge_l_recall(item.answer, text) for item, text in rows]
        estimate = cluster_bootstrap(scores, [item.cluster for item, _ in rows], seed=SEED)
        found.append(Figure(system, "tofu", split, RECALL, "weights", estimate))
    return found


def table(systems: list[str], figures: list[Figure]) -> Table:
    """A row a model."""
    made = Table(title="TOFU, forget10 [95% interval by author]")
    for name in ("model", "recall, forget", "recall, retain", *_SHOWN):
        made.add_column(name)
    for system in systems:
        own = {(f.split, f.metric): f.estimate for f in figures if f.system == system}
        places = [
            ("forget", RECALL),
            ("retain", RECALL),
            *(("forget", name) for name in _SHOWN[:-1]),
            ("all", _SHOWN[-1]),
        ]
        cells = []
        for place in places:
            e = own.get(place)
            span = "" if e is None or e.low is None else f"\n\\[{e.low:.3f}, {e.high:.3f}]"
            cells.append("-" if e is None else f"{e.value:.3f}{span}")
        made.add_row(system, *cells)
    return made


def main(
    tofu: Annotated[Path, typer.Option(help="The folder with TOFU's files.")],
    models: Annotated[Path, typer.Option(help="Where eval.bench.tofu_models left them.")] = Path("runs/tofu"),
    asked: Annotated[int, typer.Option(min=1, help="Questions a split.")] = 200,
    out: Annotated[Path, typer.Option(help="The figures.")] = Path("runs/tofu/metrics.json"),
) -> None:
    """Measure the models and print their figures, with the distance between retrained seeds."""
    errors = Console(stderr=True)
    # The comparison's name for the first seed, which the others are held against.
    names = {name: RETRAINED if name == "retrained-1" else name for name in SEEDS}
    figures: list[Figure] = []
    scores: dict[str, list[Likelihood]] = {}
    try:
        items = questions(tofu, asked)
        with Bars(errors) as progress:
            bar = progress.add_task("measuring", total=len(names) * len(items))
            for folder, name in names.items():
                model = LocalModel(str(models / folder))
                scores[name] = likelihoods(model, None, items, lambda count: progress.advance(bar, count))
                figures += recalled(model, items, name)
    except LetheError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    for name in names.values():
        recall = {f.split: f.estimate.value for f in figures if f.system == name and f.estimate}
        figures += likely_figures(name, scores, recall.get, SEED)
    figures += seed_spread(scores)
    record = {"provenance": provenance(), "asked": asked, "seed": SEED, "figures": [asdict(f) for f in figures]}
    write_atomically(out, (json.dumps(record, indent=1) + "\n").encode())
    Console(width=170).print(table(list(names.values()), figures))
    spread = [f.estimate.value for f in figures if f.metric.startswith("seed_spread") and f.estimate]
    typer.echo(
        f"D between retrained seeds: {spread[0]:.3f} to {spread[-1]:.3f} (seed {SEED}, {asked} questions a split)"
    )


if __name__ == "__main__":
    typer.run(main)
