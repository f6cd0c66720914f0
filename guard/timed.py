"""A detector whose time is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from guard.types import Conversation, Detection, Detector

Found = TypeVar("Found")


class Timed:
    """A detector, with the time that it took, in seconds, over all that it was asked."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.seconds = 0.0

    def detect(self, conversation: Conversation) -> tuple[Detection, ...]:
        """See `guard.types.Detector`."""
        return self._spent(self._detector.detect, conversation)

    def doubted(self, conversation: Conversation) -> frozenset[str]:
        """See `guard.types.Detector`."""
        return self._spent(self._detector.doubted, conversation)

    def stale(self, conversation: Conversation) -> frozenset[int]:
        """See `guard.types.Detector`."""
        return self._spent(self._detector.stale, conversation)

    def _spent(self, ask: Callable[[Conversation], Found], conversation: Conversation) -> Found:
        began = time.perf_counter()
        try:
            return ask(conversation)
        finally:
            self.seconds += time.perf_counter() - began
