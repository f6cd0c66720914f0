"""Tells that a version of the policy came in force: the audit log, the metrics, and at the start the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
            "of": parts.of,
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


def tell_versions(served: Mapping[Path, Parts], console: Console, *, monitor: bool) -> None:
    """Say at the start what is in force of each policy file, and whether it is enforced."""
    for path, parts in served.items():
        which = f" {path}" if len(served) > 1 else ""
        until = f", until {parts.until.isoformat()}" if parts.until else ""
        told = f"version {parts.number} of the policy{which} ({parts.by}) is in force{until}"
        console.print(escape(told), highlight=False, soft_wrap=True)
    if monitor:
        console.print(
            "[bold yellow]warning:[/] monitor mode, nothing is guarded: the audit log says what would have been done.",
            soft_wrap=True,
        )
