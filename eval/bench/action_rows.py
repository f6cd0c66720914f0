"""The rows of the table of actions."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = "no guard"


@dataclass(frozen=True)
class Row:
    """One model behind one action, or behind no guard, asked about one draw."""

    model: str
    draw: str
    action: str

    @property
    def name(self) -> str:
        """What its answers are filed under."""
        return f"{self.model}, draw {self.draw}, {self.action}"

    @property
    def alone(self) -> str:
        """What the answers to questions asked one at a time are filed under; their times are the latency."""
        return f"{self.name}, one at a time"
