"""Monitor mode: what the guard would do is decided and recorded, and nothing is done."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from guard.errors import DetectorError, EngineError
from guard.types import Conversation, Grounds, Pass, Plan

if TYPE_CHECKING:
    from serve.asgi import Planner

MARK = "monitor:"
_log = logging.getLogger(__name__)


class Monitoring:
    """A planner that lets everything pass; the records say what `planner` would have done, behind `MARK`."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def plan(self, conversation: Conversation) -> Plan:
        """See `serve.asgi.Planner`; what could not be checked passes as well."""
        try:
            grounds = self._planner.plan(conversation).grounds
        except (DetectorError, EngineError) as error:
            _log.error("a request could not be checked: %s", type(error).__name__)
            grounds = Grounds(action="failed")
        return Pass(grounds=replace(grounds, action=MARK + grounds.action))
