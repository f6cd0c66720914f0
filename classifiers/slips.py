"""Names with a slip of the pen in them: the text as it was meant, which is scored as well.

To spelling and embedding "Drveenrell" is another name than "Drevenrell", and a model reads over it all the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from guard.normalise import normalise

_WORD = re.compile(r"\w+")
_SHORTEST = 5  # letters of a name; a slip makes another name or word of most shorter ones


class Mender:
    """Puts names of several words right where each word has at most one slip; linear in the text.

    A slip is a letter too many, too few, another or one place off. Words are found by what is left of them without one
    letter, as in SymSpell (Garbe 2012), so that the number of names costs nothing.
    """

    def __init__(self, aliases: Iterable[str], kept: Iterable[str]) -> None:
        """`kept` are texts to be retained: a name that stands in them as it is, is nobody's slip."""
        names = {tuple(_WORD.findall(normalise(alias).text)) for alias in aliases}
        self._names: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        self._near: dict[str, set[str]] = defaultdict(set)
        for name in sorted(name for name in names if len(name) > 1):
            self._names[name[0]].append(name)
            for word in name:
                for key in _keys(word) if len(word) >= _SHORTEST else {word}:
                    self._near[key].add(word)
        self._kept: frozenset[str] = frozenset()
        if self._names:
            texts = (normalise(text).text for text in kept)
            self._kept = frozenset(text[a:b] for text in texts for a, b, _ in self._slips(text))

    def mend(self, text: str) -> str | None:
        """A normalised text with its names as they were meant; None where there is no slip in any."""
        slips = self.slips(text)
        for start, end, name in reversed(slips):
            text = f"{text[:start]}{name}{text[end:]}"
        return text if slips else None

    def slips(self, text: str) -> list[tuple[int, int, str]]:
        """Ranges [start, end) of a normalised text where a name is meant and not written, in order, with the name."""
        return [(start, end, name) for start, end, name in self._slips(text) if text[start:end] not in self._kept]

    def _slips(self, text: str) -> list[tuple[int, int, str]]:
        words = list(_WORD.finditer(text)) if self._names else []
        meant = [self._meant(word[0]) for word in words]
        found: list[tuple[int, int, str]] = []
        for place, firsts in enumerate(meant):
            for name in (name for first in firsts for name in self._names.get(first, ())):
                span = words[place : place + len(name)]
                written = [word[0] for word in span]
                if written == list(name) or (found and span[0].start() < found[-1][1]):
                    continue
                if _all_in(name, meant[place : place + len(name)]):
                    found.append((span[0].start(), span[-1].end(), " ".join(name)))
                    break
        return found

    def _meant(self, word: str) -> set[str]:
        """The words of names that a word may have been meant as."""
        near = {found for key in _keys(word) for found in self._near.get(key, ())}
        return {one for one in near if one == word or (len(one) >= _SHORTEST and abs(len(one) - len(word)) < 2)}


def _all_in(name: Sequence[str], meant: Sequence[set[str]]) -> bool:
    return len(name) == len(meant) and all(word in words for word, words in zip(name, meant, strict=True))


def _keys(word: str) -> set[str]:
    """The word, and what is left of it without any one letter."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}
