"""The table of tasks."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from eval.tasks.registry import TASKS
from eval.tasks.task import Task


def show(console: Console) -> None:
    """Print every task with its splits by role, its source, its data, and whether its loader has met them."""
    table = Table(title="Tasks")
    for column in ("task", "splits", "source", "data", "read"):
        table.add_column(column, overflow="fold")
    for task in TASKS.values():
        table.add_row(
            task.name, _splits(task), task.source, task.hub or "comes with Lethe", "yes" if task.met else "no"
        )
    console.print(table)
    console.print("read: whether the loader has read the real data; where not, its tests use files written by hand.")


def _splits(task: Task) -> str:
    roles = list(dict.fromkeys(task.roles.values()))
    return "\n".join(f"{role}: {', '.join(name for name, its in task.roles.items() if its == role)}" for role in roles)
