"""One answer that is turned away from protected spans, while it is written."""

from __future__ import annotations

from collections.abc import Sequence

from guard.steer.continuations import Continuations, Penalties, Place


class Steered:
    """Follows one answer; asked with all its tokens each time, it reads only those that are new."""

    def __init__(self, continuations: Continuations) -> None:
        self._continuations = continuations
        self._place = Place()
        self._read = 0

    def penalties(self, written: Sequence[int]) -> Penalties:
        """Ids of tokens, and what to take off their logits (nats), for the token after those `written`."""
        for token in written[self._read :]:
            if token < 0:
                break  # vLLM's mark for one that is drawn, but not known here yet
            self._place = self._continuations.step(self._place, token)
            self._read += 1
        return self._continuations.penalties(self._place)
