"""A tokenizer's tokens as bytes and as letters, so that words are seen through any cut into tokens."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from guard.output.letters import BREAK, alone, letters


class Vocabulary:
    """Safe to share between threads; `continuing` are the tokens that go on with a character."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        """`tokens` are a token's bytes at its id, b"" for control tokens."""
        self.tokens = tuple(tokens)
        groups: dict[str, list[int]] = {}
        for number, token in enumerate(tokens):
            # A token of half a character is read together with the next one, when that has come.
            shown = shown_of(whole(token)[0])
            if shown.strip(BREAK):
                groups.setdefault(shown, []).append(number)
        self.continuing = tuple(number for number, token in enumerate(tokens) if token[:1] and 0x80 <= token[0] < 0xC0)
        self._ids = {shown: np.array(ids, dtype=np.int64) for shown, ids in groups.items()}
        self._words = sorted({shown.strip(BREAK).partition(BREAK)[0] for shown in groups})
        self._by_first: dict[str, tuple[str, ...]] = {}
        for first in {shown[0] for shown in groups}:
            self._by_first[first] = tuple(shown for shown in groups if shown[0] == first)
        self._breaking = {
            first: tuple(shown for shown in every if BREAK in shown.rstrip(BREAK))
            for first, every in self._by_first.items()
        }

    def ids(self, shown: str) -> npt.NDArray[np.int64]:
        """The tokens that are shown so."""
        return self._ids[shown]

    def beginning(self, firsts: frozenset[str]) -> list[str]:
        """How those tokens are shown that begin with one of these letters, or have a word begin within them."""
        found: list[str] = []
        for first, every in self._by_first.items():
            found += every if first in firsts or first == BREAK else self._breaking[first]
        return found

    def surely(self, word: str, depth: int) -> float:
        """How surely the first `depth` letters lead into this word, by the number of other words of the vocabulary."""
        if depth == len(word):
            return 1.0
        start = bisect_left(self._words, word[:depth])
        end = bisect_left(self._words, word[:depth] + "\U0010ffff")
        others = sum(not (word.startswith(one) or one.startswith(word)) for one in self._words[start:end])
        return 1.0 / (1 + others)


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
