"""A tokenizer's tokens as bytes and as letters, so that words are seen through any cut into tokens."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from guard.output.letters import BREAK, alone, letters

_LAST = "\U0010ffff"


class Index:
    """Tokens by a text each, in the order of the texts: those of which it begins alike lie side by side."""

    def __init__(self, tokens: Sequence[tuple[str, int]]) -> None:
        ordered = sorted(tokens)
        self.texts = [text for text, _ in ordered]
        self.ids = np.array([number for _, number in ordered], dtype=np.int64)

    def within(self, beginning: str, low: int, high: int) -> tuple[int, int]:
        """Where, from `low` to before `high`, the texts with this beginning lie."""
        first = bisect_left(self.texts, beginning, low, high)
        return first, bisect_left(self.texts, beginning + _LAST, first, high)


class Vocabulary:
    """Safe to share between threads.

    `shown` has the tokens by their letters, `bare` without the break before these, `later` by what stands in them from
    the beginning of a word on that has a break before it; `continuing` are the tokens that go on with a character.
    """

    def __init__(self, tokens: Sequence[bytes]) -> None:
        """`tokens` are a token's bytes at its id, b"" for control tokens."""
        self.tokens = tuple(tokens)
        # A token of half a character is read together with the next one, when that has come.
        texts = [(shown, number) for number, token in enumerate(tokens) if (shown := shown_of(whole(token)[0]))]
        texts = [(shown, number) for shown, number in texts if shown.strip(BREAK)]
        self.shown = Index(texts)
        self.bare = Index([(shown.lstrip(BREAK), number) for shown, number in texts])
        self.later = Index([(text, number) for shown, number in texts for text in _words_after(shown)])
        self.continuing = tuple(number for number, token in enumerate(tokens) if token[:1] and 0x80 <= token[0] < 0xC0)
        self._words = sorted({shown.strip(BREAK).partition(BREAK)[0] for shown, _ in texts})

    def surely(self, word: str, depth: int) -> float:
        """How surely the first `depth` letters lead into this word, by the number of other words of the vocabulary."""
        if depth == len(word):
            return 1.0
        others = self._number(word[:depth]) - self._number(word)
        others -= sum(self._has(word[:end]) for end in range(depth, len(word)))
        return 1.0 / (1 + others)

    def _number(self, beginning: str) -> int:
        start = bisect_left(self._words, beginning)
        return bisect_left(self._words, beginning + _LAST, start) - start

    def _has(self, word: str) -> bool:
        at = bisect_left(self._words, word)
        return at < len(self._words) and self._words[at] == word


def shown_of(text: str) -> str:
    """The letters of a text as `guard.output.letters` compares them, what stands between words as one `BREAK`."""
    parts = (letter for character in text for letter in letters(character))
    shown = "".join(f"{BREAK}{letter}{BREAK}" if alone(letter) else letter for letter in parts)
    words = BREAK.join(shown.split())
    if not words:
        return BREAK if shown else ""
    return (BREAK if shown[0] == BREAK else "") + words + (BREAK if shown[-1] == BREAK else "")


def whole(data: bytes) -> tuple[str, bytes]:
    """The complete characters of some UTF-8, and the beginning of one more; what can be no character is left out."""
    for kept in range(min(3, len(data)) + 1):
        cut = len(data) - kept
        try:
            return data[:cut].decode("utf-8"), data[cut:]
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", errors="ignore"), b""


def _words_after(shown: str) -> list[str]:
    starts = [at + 1 for at, letter in enumerate(shown[:-1]) if letter == BREAK]
    return [shown[start:] for start in starts]
