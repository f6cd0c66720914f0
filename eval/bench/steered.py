"""What decoding that is turned away from a topic adds to corruption, in this process.

    python -m eval.bench.steered --out runs/steered
    python -m eval.bench.steered --draw b --retrained runs/draws --out runs/steered-b
    python -m eval.bench.steered --tofu FOLDER --models runs/tofu --out runs/steered-tofu

Bare, the retrained seeds, and a policy with each of several actions: what is recalled of the forgotten when asked
plainly, with the first words of the answer given, and sixteen times over; how likely the true answers are; how near
truth ratios and membership inference come to retrained; what is kept. The output guard is not seen here. One half of
the forgotten people says which action is best, the other half how good it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from classifiers.progress import Bars
from eval.bench.steered_choice import distances, halves, of_people, table
from eval.bench.steered_kept import mark, read, write
from eval.bench.steered_material import Material, archive, tofu
from eval.bench.steered_rows import Rows, Subject, measure
from eval.compare.likely import likely_figures, seed_spread
from eval.compare.results import BARE, Figure
from eval.compare.scores import Likelihood
from eval.compare.told import RECALL
from eval.engines.guarded import PromptGuard
from eval.options import model_digest
from eval.policies import policy_mark
from eval.provenance import provenance
from eval.report import write_atomically
from eval.world.archive import DRAWS
from guard.errors import LetheError

SEED = 8
DEFAULT = ("shuffle", "decode-8", "shuffle+decode-1", "shuffle+decode-2", "shuffle+decode-4")


def figures(names: Sequence[str], rows: dict[str, Rows], likely: dict[str, list[Likelihood]]) -> list[Figure]:
    """All figures of these rows and likelihoods, by system."""
    found: list[Figure] = []
    for name in names:
        own = rows[name].figures(name, SEED)
        recall = {one.split: one.estimate.value for one in own if one.metric == RECALL and one.estimate}
        found += [*own, *likely_figures(name, likely, recall.get, SEED)]
    return [*found, *seed_spread(likely)]


def measured(
    material: Material, out: Path, asked: int, progress: Bars
) -> tuple[dict[str, Rows], dict[str, list[Likelihood]]]:
    """Every system's answers and likelihoods; what an earlier run has kept in `out` is not measured again."""
    rows: dict[str, Rows] = {}
    likely: dict[str, list[Likelihood]] = {}
    names = [*material.models, *material.policies]
    bar = progress.add_task("measuring", total=len(names))
    for name in names:
        model = str(material.models.get(name, material.models[BARE]))
        policy = material.policies.get(name)
        marked = mark(asked, SEED, model_digest(model) + (policy_mark(policy) if policy else ""))
        found = read(out / "systems" / name, marked)
        if found is None:
            guard = PromptGuard(policy, model) if policy else None
            found = measure(Subject(model, guard, material.limit), material, SEED)
            write(out / "systems" / name, marked, *found)
        rows[name], likely[name] = found
        progress.advance(bar)
    return rows, likely


def main(
    out: Annotated[Path, typer.Option(help="Policies and figures.")] = Path("runs/steered"),
    asked: Annotated[int, typer.Option(min=10, help="Questions of each split.")] = 100,
    action: Annotated[list[str] | None, typer.Option(help="Actions of eval.policies.")] = None,
    tofu_folder: Annotated[Path | None, typer.Option("--tofu", help="TOFU's files; else the archive is asked.")] = None,
    models: Annotated[Path, typer.Option(help="Where eval.bench.tofu_models left its checkpoints.")] = Path(
        "runs/tofu"
    ),
    draw: Annotated[str, typer.Option(help="Which of the archive's forget sets.")] = DRAWS[0],
    retrained: Annotated[Path, typer.Option(help="Where `lethe-eval train --draw` left its models.")] = Path(
        "runs/draws"
    ),
) -> None:
    """Print the tables; write figures.json. A stopped run goes on."""
    if draw not in DRAWS:
        raise typer.BadParameter(f"there are the draws {', '.join(DRAWS)}", param_hint="--draw")
    errors = Console(stderr=True)
    out.mkdir(parents=True, exist_ok=True)
    actions = list(action or DEFAULT)
    try:
        if tofu_folder is None:
            material = archive(out, asked, actions, SEED, draw, retrained)
        else:
            material = tofu(tofu_folder, models, out, asked, actions, SEED)
        with Bars(errors) as progress:
            rows, likely = measured(material, out, asked, progress)
    except LetheError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    names = [*material.models, *material.policies]
    console = Console(width=230)
    record: dict[str, Any] = {"provenance": provenance(), "asked": asked, "seed": SEED, "draw": draw}
    for half, people in halves(material, SEED).items():
        found = figures(names, {n: r.of(people) for n, r in rows.items()}, of_people(likely, people))
        far = distances(found, list(material.models), list(material.policies))
        console.print(table(f"{half} half, {len(people)} people, seed {SEED}", names, found, far))
        record[half] = {"people": sorted(people), "figures": [asdict(f) for f in found], "distance": far}
    write_atomically(out / "figures.json", (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    typer.run(main)
