"""Tells that a version of the policy came in force: the audit log, the metrics, and at the start the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from guard.errors import AuditError
from serve.audit.log import AuditLog
from serve.metrics import Metrics
from serve.policies.live import Serving

if TYPE_CHECKING:
    from serve.parts import Parts


class PolicyNews:
    """Keeps a line of the audit log for each version that comes in force in this server."""

    def __init__(self, audit: AuditLog, metrics: Metrics, *, monitor: bool) -> None:
        self._audit = audit
        self._metrics = metrics
        self._monitor = monitor

    def __call__(self, serving: Serving, why: str) -> None:
        """See `serve.policies.live.Live`; while the line cannot be written no request is served."""
        parts = serving.parts
        topics = [topic.name for topic in parts.policy.topics]
        row = {
            "event": "policy",
            "policy": parts.version,
            "version": parts.number,
            "why": why,
            "by": parts.by,
            "topics": topics,
            "monitor": self._monitor,
        }
        try:
            self._audit.append(row)
        except AuditError:
            self._audit.owe(row)
        self._metrics.know(topics)


def tell_versions(served: Iterable[Parts], console: Console, *, monitor: bool) -> None:
    """Say at the start what is in force, and whether it is enforced."""
    for parts in served:
        until = f", until {parts.until.isoformat()}" if parts.until else ""
        console.print(f"version {parts.number} of the policy ({escape(parts.by)}) is in force{until}", highlight=False)
    if monitor:
        console.print(
            "[bold yellow]warning:[/] monitor mode, nothing is guarded: the audit log says what would have been done.",
            soft_wrap=True,
        )
