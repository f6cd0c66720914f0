"""`lethe-eval tasks`."""

from __future__ import annotations

from rich.console import Console


def tasks() -> None:
    """List the tasks that models can be asked: their splits, papers, and whether the real data has been read."""
    from eval.tasks.listing import show

    show(Console())
