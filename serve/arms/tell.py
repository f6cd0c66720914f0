"""What the operator is told of the arms at start."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from serve.arms.outcomes import outcomes_path
from serve.arms.schema import Experiment


def tell_arms(experiment: Experiment, console: Console, *, keys: bool) -> None:
    """Print who gets what, where the outcomes are, and a warning where callers are not guarded; `keys` are checked."""
    shares = ", ".join(f"{arm.name} {experiment.share(arm):.0%}" for arm in experiment.arms)
    shadow = f"; {experiment.shadow} is also asked what the others answer" if experiment.shadow else ""
    _line(console, f"arms of {experiment.experiment}: {shares}{shadow}")
    _line(console, f"outcomes, without any text: {outcomes_path(experiment.experiment)}")
    if experiment.unguarded:
        names = ", ".join(arm.name for arm in experiment.unguarded)
        tokens = (
            " Callers are told apart by their bearer token, which Lethe does not check: who may send any token may try "
            "until one is not guarded. Ask for keys (--keys), or let a gateway check tokens."
        )
        console.print(
            f"[bold yellow]warning:[/] {experiment.share(*experiment.unguarded):.0%} of callers are answered without "
            f"the guard ({escape(names)}).{'' if keys else tokens}",
            soft_wrap=True,
            highlight=False,
        )


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
