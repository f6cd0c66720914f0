"""How far a long piece of work has come, on a terminal and in a log."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.text import Text

_EVERY = 10.0
_SECONDS = re.compile(r" \(\d+ s\)$")  # a waiting time is no new stage


class _TimeColumn(ProgressColumn):
    """The seconds left, where they can be told, else those gone by."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        return Text(_left(task) or f"{task.finished_time or task.elapsed or 0:.0f} s")


def _left(task: Task) -> str:
    """An estimate of the seconds left, from the pace of the last half minute; empty where there is none."""
    seconds = None if task.finished else task.time_remaining
    return "" if seconds is None else f"about {seconds:.0f} s left"


class Bars(Progress):
    """rich's progress bars, on standard error where no console is given.

    Where that is no terminal, a plain line stands in for them when a stage begins (a task or its new description), and
    every ten seconds as it goes on.
    """

    def __init__(self, console: Console | None = None, *, get_time: Callable[[], float] | None = None) -> None:
        console = console or Console(stderr=True)
        # Narrow enough for a terminal of 80 characters.
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=16), MofNCompleteColumn(), _TimeColumn())
        terminal = console.is_terminal
        # `track` counts in a thread of the display's where that refreshes itself, and there is none without a terminal.
        super().__init__(*columns, console=console, auto_refresh=terminal, disable=not terminal, get_time=get_time)
        self._told: dict[TaskID, tuple[str, float]] = {}

    def add_task(self, *arguments: Any, **options: Any) -> TaskID:
        """See `Progress.add_task`."""
        task = super().add_task(*arguments, **options)
        self._tell(task)
        return task

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """See `Progress.update`."""
        super().update(task_id, **changes)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """See `Progress.advance`."""
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        if not self.disable:
            return
        with self._lock:
            task, now = self._tasks[task_id], self.get_time()
            stage, last = self._told.get(task_id, (None, now))
            named = _SECONDS.sub("", task.description)
            if named == stage and now - last < _EVERY:
                return
            self._told[task_id] = named, now
        count = "" if task.total is None else f": {task.completed:.0f} of {task.total:.0f}"
        line = ", ".join(filter(None, (f"{task.description}{count}", f"{task.elapsed or 0:.0f} s", _left(task))))
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)
