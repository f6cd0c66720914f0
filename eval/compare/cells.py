"""One place of a table as text: a value with its interval, or a dash with the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eval.compare.results import Figure, Results
from eval.metrics.estimate import Estimate

DASH = "—"
NOT_MEASURED = "not measured in this run"
_FORMS = {"flagged": "{:.1%}", "forget_quality_p": "{:.2g}", "perplexity": "{:.1f}", "privleak": "{:+.1f}"}
_SIGNED = ("rouge_l_recall", "probability")


@dataclass(frozen=True)
class Cell:
    """`span` stands under or behind the value; `why` is the reason for a dash, or for a part that is missing."""

    value: str
    span: str = ""
    why: str = ""

    @property
    def text(self) -> str:
        """Value and span in one line."""
        return f"{self.value} {self.span}".rstrip()


def dash(why: str) -> Cell:
    """Nothing, for a reason; never a 0."""
    return Cell(DASH, why=why)


def find(
    results: Results,
    system: str,
    metric: str,
    *,
    split: str | None = None,
    versus: str | None = "",
    task: str = "archive",
) -> Figure | None:
    """The figure of that place; None for `split` or `versus` takes the first of any."""
    every = (f for f in results.figures if (f.system, f.metric, f.task) == (system, metric, task))
    return next((f for f in every if split in (None, f.split) and versus in (None, f.versus)), None)


def scored(
    results: Results, system: str, metric: str, *, split: str | None = None, versus: str | None = ""
) -> Estimate | None:
    """Its estimate; None where it is unscored or not there."""
    figure = find(results, system, metric, split=split, versus=versus)
    return figure.estimate if figure else None


def cell(figure: Figure | None) -> Cell:
    """A figure as a table shows it; a difference carries its sign, and what is missing from it stands in `why`."""
    if figure is None:
        return dash(NOT_MEASURED)
    if figure.estimate is None:
        return dash(figure.reason or "unscored, with no reason recorded")
    signed = figure.versus and figure.metric in _SIGNED
    shown = estimated(figure.estimate, "{:+.3f}" if signed else _FORMS.get(figure.metric, "{:.3f}"))
    return replace(shown, why=figure.reason or "")


def estimated(estimate: Estimate, form: str) -> Cell:
    """A value with its interval, where it has one."""
    if estimate.low is None or estimate.high is None:
        return Cell(form.format(estimate.value))
    return Cell(form.format(estimate.value), f"[{form.format(estimate.low)}, {form.format(estimate.high)}]")


def highest(results: Results, system: str, metric: str, splits: tuple[str, ...] | None = None) -> Cell:
    """The highest of a metric's figures over `splits` (over all that there are for None), with where it stands."""
    every = [f for f in results.figures if f.system == system and f.metric == metric and not f.versus]
    found = [f for f in every if f.task == "archive" and (splits is None or f.split in splits)]
    known = [(f.estimate.value, f) for f in found if f.estimate]
    missing = [f"{f.split}: {f.reason}" for f in found if f.reason]
    missing += [f"{split}: {NOT_MEASURED}" for split in splits or () if split not in {f.split for f in found}]
    if not known:
        return dash("; ".join(missing) or NOT_MEASURED)
    top = max(known, key=lambda pair: pair[0])[1]
    shown = cell(top)
    return Cell(shown.value, f"{shown.span} on {top.split}".lstrip(), "; ".join(missing))
