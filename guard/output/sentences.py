"""Where sentences end, found while they are written."""

from __future__ import annotations

_STOPS = frozenset(".!?\u2026")
_CLOSERS = frozenset("\"'\u2019\u201d\u00bb)]*_")
# Between the texts of one answer (what was thought, what was said, what tools were asked), which are watched as one: a
# letter of a script that nobody writes any more, and of those in which every letter is a word of its own. So no span
# reaches across it.
SEPARATOR = "\U0001b001"
# Stops of scripts that put no blank behind them.
_WIDE_STOPS = frozenset("\u3002\uff01\uff1f\uff61" + SEPARATOR)


class SentenceEnds:
    """A sentence ends behind its stop and what closes with it, where white space follows, and at the end of a line."""

    def __init__(self, start: int) -> None:
        self._place = start
        self._stopped = False

    def feed(self, text: str) -> list[int]:
        """Take the next characters; gives where sentences ended, counted in characters of the whole text."""
        ends: list[int] = []
        for place, character in enumerate(text, self._place):
            if character in _WIDE_STOPS:
                ends.append(place + 1)
            elif character == "\n" or (self._stopped and character.isspace()):
                ends.append(place)
            self._stopped = character in _STOPS or (self._stopped and character in _CLOSERS)
        self._place += len(text)
        return ends
