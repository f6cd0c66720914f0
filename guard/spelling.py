"""Undoes spellings that keep a word readable and strange: spaced-out letters, symbols inside words, leet."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from guard.traced import Edit, Traced

_SEPARATOR = r"[\s!-/:-@\[-`{-~\u00b7\u2022\u2010-\u2015\u2026]"
_SPACED = re.compile(rf"(?<![^\W_])[^\W_](?:{_SEPARATOR}{{1,4}}[^\W_]){{3,}}(?![^\W_])")
_STOP = frozenset(',;:!?()"')
_GAP = re.compile(rf"{_SEPARATOR}+")
# Symbols that English does not put between letters, and the hyphen of a broken line.
_INSIDE = re.compile(
    r"(?<=[^\W\d_]{2})[*|~^\u2022\u00b7](?=[^\W\d_])|(?<=[^\W\d_])(?:[*|~^\u2022\u00b7](?=[^\W\d_]{2})|-\r?\n(?=[a-z]))"
)

_LEET = {"4": "a", "@": "a", "8": "b", "3": "e", "€": "e", "6": "g", "9": "g", "0": "o", "5": "s", "$": "s", "7": "t"}
_TOKEN = re.compile(r"[^\W_](?:[^\W_]|[@$€]|!(?=[^\W_]))*")
# A digit or sign between letters; one digit before three letters or after four. Not "1990s", "3rd" or "mp3".
_EVIDENCE = re.compile(r".*[a-z][013456789@$!€]{1,3}[a-z]|[013457][a-z]{3}|[a-z]{4,}[0134578]\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w.+-]*@[\w-]+\.")


def undo_spacing(text: Traced) -> Traced:
    """Joins runs of four and more single letters ("M i r a  T o l v a n e", "M.i.r.a"); wider gaps part words."""
    edits: list[Edit] = []
    for run in _SPACED.finditer(text.text):
        letters = _GAP.sub("", run[0])
        if 2 * sum(char.isalpha() for char in letters) < len(letters):
            continue
        gaps = list(_GAP.finditer(run[0]))
        common = Counter(gap[0] for gap in gaps).most_common(1)[0][0]
        parts = {i for i, gap in enumerate(gaps, 1) if _parts(gap[0], common)} or _humps(letters)
        for i, gap in enumerate(gaps, 1):
            # A word's own sign stays, in "A l - K" and "A.l.-.K".
            own = gap[0].strip(common + " ")
            new = own if own in ("-", "'") else " " if i in parts else ""
            edits.append((run.start() + gap.start(), run.start() + gap.end(), new))
    return text.edited(edits)


def undo_symbols(text: Traced) -> Traced:
    """Takes symbols out of words ("Mi*ra"), and mends words that a line's end broke."""
    return text.edited([(found.start(), found.end(), "") for found in _INSIDE.finditer(text.text)])


def undo_leet(text: Traced) -> tuple[Traced, ...]:
    """The text with letters for digits and signs inside words, once with 1 for i and once for l where it has any.

    () without evidence: a word in which a digit stands between letters. Numbers alone are never changed.
    """
    tokens = [
        token
        for token in _TOKEN.finditer(text.text)
        if not token[0].isalpha() and any(char.isalpha() for char in token[0])
    ]
    if not any(_EVIDENCE.match(token[0]) and not _ADDRESS.match(text.text, token.start()) for token in tokens):
        return ()
    made = []
    for one in "il" if any(char in token[0] for token in tokens for char in "1!") else "i":
        table = _LEET | {"1": one, "!": one}
        made.append(
            text.edited([(t.start(), t.end(), "".join(table.get(char, char) for char in t[0])) for t in tokens])
        )
    return tuple(made)


def _parts(gap: str, common: str) -> bool:
    """Whether a gap between letters parts words: it has more blanks than the usual one, or ends a phrase."""
    wider = sum(char.isspace() for char in gap) > sum(char.isspace() for char in common)
    return wider or (gap != common and not _STOP.isdisjoint(gap))


def _humps(letters: str) -> set[int]:
    """Where words start in "MiraTolvane"; nowhere if that leaves single letters, as in "mIrA"."""
    starts = [i for i in range(1, len(letters)) if letters[i].isupper() and letters[i - 1].islower()]
    borders = [0, *starts, len(letters)]
    return set(starts) if all(b - a > 1 for a, b in pairwise(borders)) else set()
