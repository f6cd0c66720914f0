"""What the figures of an A/B test mean, in plain words."""

from __future__ import annotations

from eval.ab.figures import Comparison, Result


def verdict(result: Result) -> list[str]:
    """Return one sentence for each comparison, and one for all that holds them up."""
    if len(result.keys) < 2:
        return [f"All keys met the arm {next(iter(result.keys))}: there is nothing to compare; ask with more --keys."]
    said = [_sentence(comparison) for comparison in result.comparisons]
    if any(comparison.known for comparison in result.comparisons):
        said.append(
            "However often one looks and whenever one stops, the chance of calling any of these differences real where "
            f"there is none is at most {result.alpha:g}; to go on, ask for more --keys into the same --out."
        )
    for cell in result.cells:
        if cell.unscored:
            reasons = ", ".join(f"{count} x {reason}" for reason, count in sorted(cell.unscored.items()))
            said.append(f"Unscored on {cell.split}, {cell.name}: {reasons}; they count neither as 0 nor as right.")
    return said


def _sentence(one: Comparison) -> str:
    if one.known is None or one.value is None:
        return f"On {one.split} {one.left} and {one.right} cannot be compared: no scored key in one of them."
    low, high = float(one.known.low[-1]), float(one.known.high[-1])
    if one.known.decided is None:
        return (
            f"On {one.split} no difference between {one.left} and {one.right} is shown by {one.pairs} pairs of keys "
            f"({one.value:+.3f}; the true one lies between {low:+.3f} and {high:+.3f})."
        )
    more, less = (one.left, one.right) if one.value > 0 else (one.right, one.left)
    low, high = (low, high) if one.value > 0 else (-high, -low)
    meant = f": {more} tells more of what is to be forgotten" if one.split == "forget" else ""
    return (
        f"On {one.split} {more} recalls {abs(one.value):.3f} more than {less}{meant}. Known after {one.known.decided} "
        f"of {one.pairs} pairs of keys; the true difference lies between {low:+.3f} and {high:+.3f}."
    )
