"""`lethe-eval train` and `lethe-eval world`: make the embedded models and the files of the archive."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from eval.world.archive import DRAWS, WORLD_SEED
from guard.policy_actions import MEASURED, CorruptFunction


def world(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    policy: Annotated[bool, typer.Option(help="Write a policy and its example files, not the questions.")] = False,
    draw: Annotated[str, typer.Option(help=f"Which forget set: {', '.join(DRAWS)}.")] = "a",
    action: Annotated[Literal["corrupt", "refuse"], typer.Option(help="The policy's action.")] = "corrupt",
    function: Annotated[CorruptFunction, typer.Option(help="How the policy corrupts.")] = "gaussian",
    strength: Annotated[
        float, typer.Option(help="In units of the embedding table's RMS, where that says anything.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = WORLD_SEED,
) -> None:
    """Write the archive's question files, or a policy that forgets fifteen of its people."""
    from eval.world import build
    from eval.world.export import export_policy, export_questions

    _known(draw)
    if policy:
        corrupting = {"function": function, **({"strength": strength} if function in MEASURED else {})}
        export_policy(build(seed), out, {"kind": action, **(corrupting if action == "corrupt" else {})}, draw)
    else:
        export_questions(build(seed), out, draw)
    typer.echo(f"Written to {out} (world seed {seed}, draw {draw})")


def train(
    work: Annotated[Path, typer.Option(help="Keeps every stage; a stopped run goes on from here.")] = Path(
        "runs/small"
    ),
    draw: Annotated[
        str, typer.Option(help="Another forget set: only the models retrained without it, from the shipped trunk.")
    ] = DRAWS[0],
    install: Annotated[Path | None, typer.Option(help="Copy the models here when all is done.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Where the training curves go; else beside the models.")] = None,
) -> None:
    """Train the embedded models, measure their abilities, and print the table."""
    from eval.smallmodel import report
    from eval.smallmodel.abilities import measure
    from eval.smallmodel.make import load, make_all, make_draw
    from eval.systems import demo_dir
    from eval.world import build

    _known(draw)
    shipped = draw == DRAWS[0]
    if install is not None and not shipped:
        raise typer.BadParameter(f"only the models of draw {DRAWS[0]} are installed", param_hint="--install")
    archive = build()
    made = make_all(archive, work) if shipped else make_draw(archive, work, draw, demo_dir() / "trunk")
    rows = {}
    for path in made:
        known = archive.people if path.name == "full" else archive.retained(draw=draw)
        rows[path.name] = measure(*load(path), archive, known)
    Console().print(report.table(rows))
    packages = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    record = {"world_seed": archive.seed, "packages": packages, "abilities": {n: asdict(a) for n, a in rows.items()}}
    told = work / ("abilities.json" if shipped else f"abilities-{draw}.json")
    told.write_text(json.dumps(record, indent=1) + "\n")
    told.with_suffix(".md").write_text(report.markdown(rows))
    curves = [*([work / "warmup", work / "trunk"] if shipped else []), *made]
    report.curves(curves, picture or work / ("training.png" if shipped else f"training-{draw}.png"))
    if install is not None:
        for source in (work / "trunk", *made):
            # The first of the retrained ones is the reference.
            target = install / ("retrained" if source == made[1] else source.name)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        shutil.copy(told, install / "abilities.json")
        typer.echo(f"Installed in {install}")


def _known(draw: str) -> None:
    if draw not in DRAWS:
        raise typer.BadParameter(f"there are the draws {', '.join(DRAWS)}", param_hint="--draw")
