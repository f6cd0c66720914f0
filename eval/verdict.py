"""What the figures mean, in plain words; where the guard loses, this says so."""

from __future__ import annotations

from eval.metrics.estimate import Estimate
from eval.summary import Cell, Summary, gap_name


def verdict(summary: Summary) -> list[str]:
    """Return one sentence for each question that the table is there to answer, and for each gap in it."""
    sentences = []
    for split in dict.fromkeys(cell.split for cell in summary.gaps):
        if split == "forget":
            sentences.append(_forget(summary.find("gaps", split, gap_name("guarded", "retrained"))))
        else:
            sentences.append(_utility(split, summary.find("gaps", split, gap_name("guarded", "bare"))))
    sentences += _unscored(summary)
    sentences += [
        f"{row.cut_off} of {row.questions} answers of {row.system} were cut off by --max-tokens."
        for row in summary.traffic
        if row.cut_off
    ]
    return [sentence for sentence in sentences if sentence]


def _forget(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.estimate is None:
        return "Forgetting is unknown: no forget question was scored on both the guarded and the retrained model."
    size, span = f"{abs(cell.estimate.value):.3f}", interval(cell.estimate)
    if not cell.estimate.excludes_zero():
        return (
            f"On forget the guarded model cannot be told from one that never learned (gap {cell.estimate.value:+.3f}, "
            f"{span}); a true gap anywhere in that interval is possible."
        )
    if cell.estimate.value > 0:
        return (
            f"The guard loses on forget: guarded recalls {size} more than the retrained model ({span}), "
            "so some of what should be gone still comes through."
        )
    return (
        f"On forget guarded recalls {size} less than the retrained model ({span}): nothing comes through by this "
        "measure, but a model that knows less than one that never learned can be recognised by it."
    )


def _utility(split: str, cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.estimate is None:
        return f"Utility on {split} is unknown: no question was scored on both the guarded and the bare model."
    size, span = f"{abs(cell.estimate.value):.3f}", interval(cell.estimate)
    if cell.estimate.excludes_zero():
        if cell.estimate.value < 0:
            return f"The guard loses on {split}: it costs {size} of recall against the bare model ({span})."
        return f"On {split} guarded recalls {size} more than the bare model ({span}), which is unexpected."
    if cell.estimate.value == cell.estimate.low == cell.estimate.high == 0:
        return f"On {split} the guard changed no score."
    return f"On {split} no loss against the bare model can be told from zero (gap {cell.estimate.value:+.3f}, {span})."


def interval(estimate: Estimate) -> str:
    """Return the interval in words."""
    if estimate.low is None or estimate.high is None:
        return f"no interval from {estimate.clusters} cluster"
    return f"95% interval {estimate.low:+.3f} to {estimate.high:+.3f}"


def _unscored(summary: Summary) -> list[str]:
    sentences = []
    for cell in summary.scores + summary.rates:
        if cell.unscored:
            reasons = ", ".join(f"{count} x {reason}" for reason, count in sorted(cell.unscored.items()))
            sentences.append(f"Unscored on {cell.split}, {cell.name}: {reasons}; they count neither as 0 nor as right.")
    if summary.detection_missing:
        sentences.append(f"Detection was not measured: {summary.detection_missing}.")
    return sentences
