"""The tables of a comparison, as cells of text that the page and the terminal share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eval.compare.cells import NOT_MEASURED, Cell, cell, dash, estimated, find, highest, scored
from eval.compare.results import BARE, RETRAINED, WORST, Leak, Results, Subject

KINDS = ("bare", "retrained", "guard", "weights")
KEPT = ("retain", "neighbour", "world")
Maker = Callable[[Results, Subject], Cell]


@dataclass(frozen=True)
class Row:
    """What is said of one subject; `what` explains it."""

    name: str
    kind: str
    what: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """`columns` name the cells of every row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def ordered(results: Results) -> list[Subject]:
    """Bare, retrained, guards, changed weights; within a kind as they were recorded."""
    return sorted(results.subjects, key=lambda subject: KINDS.index(subject.kind))


def main_table(results: Results) -> Table:
    """What is forgotten, what it costs in use, what an attacker gets, and the price."""
    columns: dict[str, Maker] = {
        "forget recall": _figure("rouge_l_recall", "forget"),
        "gap to retrained": _gap,
        "probability": _figure("probability", "forget"),
        "truth ratio's D": _distance,
        "retain": _figure("rouge_l_recall", "retain"),
        "neighbour": _figure("rouge_l_recall", "neighbour"),
        "world": _figure("rouge_l_recall", "world"),
        "utility": _figure("model_utility"),
        "worst leak": worst_cell,
        "catch": _flagged("forget"),
        "false flags": _flagged(*KEPT),
        "seconds an answer": _figure("latency_median_s"),
        "making it": _made,
    }
    return _table("All systems", results, ordered(results), columns)


def memory_table(results: Results) -> Table:
    """What a caller learns who sees likelihoods."""
    names = {
        "truth ratio": "truth_ratio",
        "forget quality's p": "forget_quality_p",
        "extraction strength": "extraction_strength",
        "exact memorisation": "exact_memorisation",
        "MIA loss": "mia_loss",
        "MIA zlib": "mia_zlib",
        "MIA Min-K%": "mia_min_k",
        "MIA Min-K%++": "mia_min_k_plus_plus",
        "PrivLeak": "privleak",
    }
    columns = {label: _compared(metric) for label, metric in names.items()}
    return _table("Membership and memorisation, on forget", results, ordered(results), columns)


def answers_table(results: Results) -> Table:
    """How answers look: told apart from retrained's, entity by entity, and as language."""
    names = {
        "apart by text": "apart_text",
        "by length": "apart_length",
        "by latency": "apart_latency",
        "under-forgetting": "under_forgetting",
        "over-forgetting": "over_forgetting",
        "distinct-2": "distinct_2",
        "perplexity": "perplexity",
        "aggregate": "aggregate",
    }
    columns = {label: _compared(metric) for label, metric in names.items()}
    return _table("What the answers look like, on forget", results, ordered(results), columns)


def weights_table(results: Results) -> Table:
    """What comes back with the weights in hand; a guard's weights are the bare model's and have no row."""
    columns: dict[str, Maker] = {
        "as it is": _figure("unlearned"),
        "relearning on forget": _figure("relearn_forget"),
        "on retain": _figure("relearn_retain"),
        "on world": _figure("relearn_world"),
        "lens, highest layer": _highest("lens"),
        "probe, highest layer": _highest("probe"),
        "8 bits": _figure("quantised_8"),
        "4 bits": _figure("quantised_4"),
    }
    own = [subject for subject in ordered(results) if subject.kind != "guard"]
    return _table("The true answer's probability after each attack; of the probe the AUC", results, own, columns)


def further_table(results: Results) -> Table | None:
    """What is recorded of other tasks, a column a figure; None without any."""
    places = dict.fromkeys(
        (f.task, f.split, f.metric, f.versus) for f in results.figures if f.task != "archive" and f.claim == "system"
    )

    def maker(task: str, split: str, metric: str, versus: str) -> Maker:
        return lambda results, one: cell(find(results, one.name, metric, split=split, versus=versus, task=task))

    columns = {
        f"{task}: {split}, {metric}" + (f" against {versus}" if versus else ""): maker(task, split, metric, versus)
        for task, split, metric, versus in places
    }
    return _table("Further tasks", results, ordered(results), columns) if columns else None


def worst_table(results: Results) -> Table:
    """The attack that gets most out of each system."""
    columns: dict[str, Maker] = {"leak, worst attack": worst_cell, "attacks tried": _tried}
    return _table("The worst attack on each system", results, ordered(results), columns)


def worst_cell(results: Results, subject: Subject) -> Cell:
    """The highest leak with its simultaneous interval and the attack."""
    worst = worst_of(results, subject.name)
    if worst is None or worst.leak is None:
        return dash((worst and worst.reason) or NOT_MEASURED)
    shown = estimated(worst.leak, "{:+.3f}")
    return replace(shown, span=f"{shown.span} {worst.family}".strip(), why=worst.reason or "")


def worst_of(results: Results, system: str) -> Leak | None:
    """The record of the worst attack on a system."""
    return next((leak for leak in results.leaks if leak.system == system and leak.attack == WORST), None)


def own_leaks(results: Results, system: str) -> list[Leak]:
    """The attacks through the endpoint on one system, without the record of the worst."""
    return [leak for leak in results.leaks if leak.system == system and is_attack(leak)]


def untestable(results: Results) -> list[Leak]:
    """One record of each attack that has no leak on any system."""
    found: dict[str, list[Leak]] = {}
    for leak in filter(is_attack, results.leaks):
        found.setdefault(leak.attack, []).append(leak)
    return [own[0] for own in found.values() if all(leak.leak is None for leak in own)]


def is_attack(leak: Leak) -> bool:
    """Whether it is an attack through the endpoint, and not the record of the worst."""
    return leak.claim == "system" and leak.attack != WORST


def _table(title: str, results: Results, subjects: Sequence[Subject], columns: dict[str, Maker]) -> Table:
    rows = [
        Row(one.name, one.kind, one.what, tuple(make(results, one) for make in columns.values())) for one in subjects
    ]
    return Table(title, tuple(columns), tuple(rows))


def _figure(metric: str, split: str | None = None) -> Maker:
    return lambda results, subject: cell(find(results, subject.name, metric, split=split))


def _highest(metric: str) -> Maker:
    return lambda results, subject: highest(results, subject.name, metric)


def _compared(metric: str) -> Maker:
    """A metric that has one place only; some are a comparison with retrained by themselves."""
    return lambda results, subject: cell(find(results, subject.name, metric, versus=None))


def _flagged(*splits: str) -> Maker:
    def make(results: Results, subject: Subject) -> Cell:
        if subject.kind != "guard" and find(results, subject.name, "flagged") is None:
            return dash("only a guard has a classifier")
        if len(splits) == 1:
            return cell(find(results, subject.name, "flagged", split=splits[0]))
        return highest(results, subject.name, "flagged", splits)

    return make


def _gap(results: Results, subject: Subject) -> Cell:
    if subject.name == RETRAINED:
        return dash("retrained is what the others are held against")
    return cell(find(results, subject.name, "rouge_l_recall", split="forget", versus=RETRAINED))


def _distance(results: Results, subject: Subject) -> Cell:
    shown = cell(find(results, subject.name, "forget_quality_D", versus=None))
    low, high = (scored(results, RETRAINED, f"seed_spread_D_{end}") for end in ("low", "high"))
    if low is None or high is None:
        return replace(shown, why=shown.why or "the spread of retrained seeds is unscored")
    return replace(shown, span=f"seeds {low.value:.3f} to {high.value:.3f}")


def _tried(results: Results, subject: Subject) -> Cell:
    own = own_leaks(results, subject.name)
    if not own:
        return dash(NOT_MEASURED)
    return Cell(f"{sum(leak.leak is not None for leak in own)} of {len(own)}")


def _made(results: Results, subject: Subject) -> Cell:
    if not subject.cost:
        return dash("nothing was made" if subject.name == BARE else "no cost of making it was recorded")
    return Cell(cost_text(subject))


def _cost(name: str, value: float) -> str:
    if name == "seconds":
        return f"{value:,.0f} s"
    if name == "flops":
        return f"{value:.1e} FLOPs"
    if name == "peak_memory_bytes":
        return f"{value / 2**30:.1f} GiB"
    return f"{name} {value:g}"


def cost_text(subject: Subject) -> str:
    """What making it took, in a few words; empty where nothing is recorded."""
    return "; ".join(_cost(name, value) for name, value in subject.cost.items())
