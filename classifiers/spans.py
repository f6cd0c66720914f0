"""Where a topic's names stand in a text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guard.normalise import normalise


class AliasFinder:
    """Finds whole-word occurrences of one topic's aliases, whatever their case, width or hidden characters."""

    def __init__(self, aliases: Sequence[str]) -> None:
        names = sorted({normalise(alias).text for alias in aliases}, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)") if names else None

    def find(self, text: str) -> list[tuple[int, int]]:
        """Character ranges [start, end) of `text` as the caller wrote it."""
        if self._pattern is None:
            return []
        plain = normalise(text)
        return [plain.original(*match.span()) for match in self._pattern.finditer(plain.text)]
