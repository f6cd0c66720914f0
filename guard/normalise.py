"""Undoes what hides words from a reader of characters; the same code when fitting and when serving.

Here is what every text goes through; `guard.views` adds the readings that only some texts have.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

from guard.lookalikes import latin_base
from guard.traced import Edit, Traced

# Invisible, yet not of category Cf: grapheme joiner, Hangul and Khmer fillers, variation selectors.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | frozenset(map(chr, range(0xFE00, 0xFE10)))
_FOREIGN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
_CAPITALS = re.compile("[A-Z]+")
_BLANKS = re.compile(r"[\s_]+")
_LINE_END = re.compile("[\n\r\v\f\x85\u2028\u2029]")


def normalise(text: str) -> Traced:
    """The plain reading: `visible`, then `folded`."""
    return folded(visible(Traced.of(text)))


def visible(text: Traced) -> Traced:
    """NFKC without invisible characters; case and white space are kept."""
    return _by_cluster(text, _shown)


def folded(text: Traced, *, lines: bool = False) -> Traced:
    """Casefolded, Latin letters without marks, every run of white space or underscores one blank, ends trimmed.

    With `lines` a run that ends a line is one line feed instead.
    """
    text = _by_cluster(text.respelt(_lower(text.text)), _fold)
    edits: list[Edit] = [
        (run.start(), run.end(), blank if run.start() and run.end() < len(text.text) else "")
        for run in _BLANKS.finditer(text.text)
        if run[0] != (blank := "\n" if lines and _LINE_END.search(run[0]) else " ")
        or not run.start()
        or run.end() == len(text.text)
    ]
    return text.edited(edits)


def _lower(text: str) -> str:
    """ASCII capitals made small, which leaves the length alone."""
    return text.lower() if text.isascii() else _CAPITALS.sub(lambda run: run[0].lower(), text)


def _by_cluster(text: Traced, change: Callable[[str], str]) -> Traced:
    if text.text.isascii():
        return text
    return text.edited(
        [
            (start, end, new)
            for start, end in _clusters(text.text)
            if (new := change(text.text[start:end])) != text.text[start:end]
        ]
    )


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """The runs that NFKC may join, where not ASCII: a character and the combining or invisible ones after it."""
    for run in _FOREIGN.finditer(text):
        start = run.start()
        borders = [start + i for i, char in enumerate(run[0]) if i == 0 or not _follows(char)]
        yield from pairwise([*borders, run.end()])


@lru_cache(maxsize=4096)
def _follows(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me") or unicodedata.combining(char) != 0 or _hidden(char)


def _hidden(char: str) -> bool:
    return char in _INVISIBLE or unicodedata.category(char) == "Cf"


@lru_cache(maxsize=4096)
def _shown(cluster: str) -> str:
    return unicodedata.normalize("NFKC", "".join(char for char in cluster if not _hidden(char)))


@lru_cache(maxsize=4096)
def _fold(cluster: str) -> str:
    # Folding can undo the normal form (and the reverse), so it is applied on both sides.
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", cluster).casefold())
    kept: list[str] = []
    latin = False
    for char in parts:
        if not unicodedata.category(char).startswith("M"):
            char = latin_base(char) or char
            latin = char.isascii()
        elif latin:
            continue
        kept.append(char)
    return unicodedata.normalize("NFKC", "".join(kept)).casefold()
