"""The one shape in which every figure with an interval travels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A mean or a rate with its interval; `low` and `high` are None where fewer than two clusters carry it."""

    value: float
    low: float | None
    high: float | None
    questions: int
    clusters: int

    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero; False where there is no interval."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0
