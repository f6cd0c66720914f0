"""Undoes what hides words from a reader of characters; the same code when fitting and when serving."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise

# Invisible, yet not of category Cf: grapheme joiner, Hangul and Khmer fillers, variation selectors.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))


@dataclass(frozen=True)
class Normalised:
    """Normalised text; character i of `text` came from characters [starts[i], ends[i]) of the original."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Map the non-empty [start, end) of `text` to the original characters that made it."""
        return self.starts[start], self.ends[end - 1]


def normalise(text: str) -> Normalised:
    """NFKC, casefolded, invisible characters removed, every run of white space one blank, ends trimmed."""
    made: list[tuple[str, int, int]] = []
    for start, end in pairwise(_clusters(text)):
        for char in _fold(text[start:end]):
            if not char.isspace():
                made.append((char, start, end))
            elif made and made[-1][0] != " ":
                made.append((" ", start, end))
    if made and made[-1][0] == " ":
        made.pop()
    return Normalised(
        "".join(char for char, _, _ in made), tuple(start for _, start, _ in made), tuple(end for _, _, end in made)
    )


def _fold(cluster: str) -> str:
    if cluster.isascii():
        return cluster.lower()
    visible = "".join(c for c in cluster if unicodedata.category(c) != "Cf" and c not in _INVISIBLE)
    # Folding can undo the normal form (and the reverse), so it is applied on both sides.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())


def _clusters(text: str) -> list[int]:
    """Borders of the runs that NFKC may join: a character and the combining or invisible ones after it."""
    borders = [i for i, char in enumerate(text) if i == 0 or not (unicodedata.combining(char) or _hidden(char))]
    return [*borders, len(text)]


def _hidden(char: str) -> bool:
    return not char.isascii() and (char in _INVISIBLE or unicodedata.category(char) == "Cf")
