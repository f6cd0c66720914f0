"""The comparison as one page: HTML that loads nothing from elsewhere and treats every answer as text."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eval.compare import advice as advising
from eval.compare.advice import FLATTERING, advice
from eval.compare.cells import DASH, scored
from eval.compare.heat import heat
from eval.compare.meaning import MEANINGS
from eval.compare.plots import AXES, Axis, draw, points, svg
from eval.compare.results import BARE, RETRAINED, Results
from eval.compare.tables import (
    Table,
    answers_table,
    further_table,
    main_table,
    memory_table,
    ordered,
    untestable,
    weights_table,
    worst_table,
)

TEMPLATE = "page.html.j2"
_NEAREST = 2


@dataclass(frozen=True)
class Picture:
    """`svg` is markup of our own making."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Asked:
    """One question; `answers` in the order of the systems shown, None where none is recorded."""

    split: str
    question: str
    reference: str
    answers: list[str | None]


@dataclass(frozen=True)
class Shown:
    """The systems whose answers stand side by side, and the questions."""

    systems: list[str]
    rows: list[Asked]


def page(results: Results) -> str:
    """Return the page; every figure in it is one of the records'."""
    tables = {
        "main": main_table(results),
        "worst": worst_table(results),
        "memory": memory_table(results),
        "answers": answers_table(results),
        "further": further_table(results),
        "weights": weights_table(results),
    }
    notes = _notes(tables.values())
    places = {why: number for number, why in enumerate(notes, 1)}
    return rendered(
        TEMPLATE,
        title="Guards, unlearned weights and the retrained model compared",
        asked=asked(results),
        results=results,
        advice=advice(results),
        flattering=FLATTERING,
        rule=inspect.getdoc(advising),
        pictures=[picture for axis in AXES if (picture := _picture(results, axis))],
        heat=heat(results),
        untestable=untestable(results),
        score=lambda value: DASH if value is None else f"{value:.3f}",
        has_weights=any(figure.claim == "weights" for figure in results.figures),
        examples=_examples(results),
        meanings=MEANINGS,
        notes=notes,
        number=places.__getitem__,
        provenance=json.dumps(results.header, indent=2, ensure_ascii=False, default=str),
        **tables,
    )


def rendered(template: str, **context: Any) -> str:
    """Fill in a template of this folder, all values escaped; the text can be written as UTF-8."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template(template).render(context)
    # A model can write halves of surrogate pairs, which no encoding takes.
    return text.encode("utf-8", "replace").decode("utf-8")


def asked(results: Results) -> str:
    """What was asked, in a line."""
    header = results.header
    counts = header.get("asked") or {}
    questions = ", ".join(f"{split} {count}" for split, count in counts.items()) or "not recorded"
    parts = [f"Suite {header.get('suite', 'not recorded')}", f"questions: {questions}"]
    parts += [f"{len(results.subjects)} systems", f"seed {header.get('seed', 'not recorded')}"]
    parts += [f"begun {header.get('at', 'not recorded')}"]
    return "; ".join(parts) + "."


def _notes(tables: Iterable[Table | None]) -> list[str]:
    """Every reason once, in the order in which the page shows them."""
    cells = (cell for table in tables if table for row in table.rows for cell in row.cells)
    return list(dict.fromkeys(cell.why for cell in cells if cell.why))


def _picture(results: Results, axis: Axis) -> Picture | None:
    found, left_out = points(results, axis)
    if not found:
        return None
    caption = "Retrained is the dotted line at 0; lower is nearer to it. Above 0.1 the scale is logarithmic."
    if left_out:
        caption += f" Not shown, for lack of a figure: {', '.join(left_out)}."
    return Picture(Markup(svg(draw(found, axis), axis.label)), caption)


def _examples(results: Results) -> Shown:
    systems = _few(results, {example.system for example in results.examples})
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in results.examples:
        rows.setdefault((one.split, one.question, one.reference), {})[one.system] = one.answer
    return Shown(systems, [Asked(*place, [told.get(name) for name in systems]) for place, told in rows.items()])


def _few(results: Results, named: set[str]) -> list[str]:
    """Bare, retrained, and of guards and changed weights those whose forget recall is nearest to retrained's."""

    def away(name: str) -> float:
        gap = scored(results, name, "rouge_l_recall", split="forget", versus=RETRAINED)
        return abs(gap.value) if gap else float("inf")

    every = [subject for subject in ordered(results) if subject.name in named]
    chosen = [name for name in (BARE, RETRAINED) if name in named]
    for kind in ("guard", "weights"):
        chosen += sorted((one.name for one in every if one.kind == kind), key=away)[:_NEAREST]
    return chosen
