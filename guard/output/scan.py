"""Finds protected spans in a text that is still being written, and tells how much of it is decided.

Spans match as whole words in the form of `guard.output.letters`. All that occur are found, nested and overlapping ones
too. What is found depends on the text alone, never on the pieces in which it came. A word is looked at once it is
complete, so that clean text costs one search a word and nothing is read twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from guard.output.letters import ASCII_WORD, BREAK, alone, letters


@dataclass(frozen=True)
class Found:
    """The span `key` at characters [start, end) of the whole text."""

    key: str
    start: int
    end: int


class Spans:
    """A sorted set of spans, each as `key_of` writes it. Safe to share between scans."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = sorted(set(keys))
        self.longest = max((key.count(" ") + 1 for key in self._keys), default=0)
        self.first = frozenset(key.partition(" ")[0] for key in self._keys)
        self._shorter: list[int] = []
        above: list[int] = []
        for number, key in enumerate(self._keys):
            while above and not key.startswith(self._keys[above[-1]] + " "):
                above.pop()
            self._shorter.append(above[-1] if above else -1)
            above.append(number)

    def at(self, text: str) -> Iterator[str]:
        """The spans that `text` begins with, longest first."""
        # All of them lie on one chain: whatever sorts between a span and a text that it begins, it begins as well.
        number = bisect_right(self._keys, text) - 1
        while number >= 0:
            key = self._keys[number]
            if text == key or text.startswith(key + " "):
                yield key
            number = self._shorter[number]

    def grows(self, text: str) -> bool:
        """Whether a span begins with `text`."""
        number = bisect_left(self._keys, text)
        return number < len(self._keys) and self._keys[number].startswith(text)


@dataclass
class _Word:
    text: str
    start: int
    end: int


class Scan:
    """One text that is being written; `spans` may be exchanged between two finds and holds for the words after."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self.length = 0
        self._words: list[_Word] = []  # from the first that is undecided on
        self._open = False  # whether the next letter continues the last word
        self._dead = False  # whether that word is decided, and left out of `_words`
        self._lone = False  # whether the last letter was a word by itself

    @property
    def decided(self) -> int:
        """No span that is not found yet begins before this character."""
        return self._words[0].start if self._words else self.length

    def feed(self, text: str) -> Iterator[Found]:
        """Take the next characters; gives what is decided by them, by its place, of one place the longest first."""
        if text.isascii():
            self._read_ascii(text.lower())
        else:
            for place, character in enumerate(text, self.length):
                self._read(character, place)
        self.length += len(text)
        yield from self._decide(final=False)

    def finish(self) -> Iterator[Found]:
        """No more will come; gives the rest."""
        yield from self._decide(final=True)

    def _read_ascii(self, text: str) -> None:
        done = 0
        for run in ASCII_WORD.finditer(text):
            start, end = run.span()
            self._open = self._open and start == 0 and not self._lone
            self._lone = False
            self._letter(run[0], self.length + start, self.length + end)
            done = end
        self._open = self._open and done == len(text)

    def _read(self, character: str, place: int) -> None:
        shown = letters(character)
        if not shown and self._open and not self._dead:
            self._words[-1].end = place + 1  # a mark, or nothing to be seen, belongs to the letter before it
        for letter in shown:
            if letter == BREAK:
                self._open = False
                continue
            lone = alone(letter)
            self._open = self._open and not (lone or self._lone)
            self._lone = lone
            self._letter(letter, place, place + 1)

    def _letter(self, text: str, start: int, end: int) -> None:
        if not self._open:
            self._words.append(_Word(text, start, end))
            self._open, self._dead = True, False
        elif not self._dead:
            word = self._words[-1]
            word.text += text
            word.end = end

    def _decide(self, *, final: bool) -> Iterator[Found]:
        words, count = self._words, len(self._words)
        place = 0
        while place < count:
            last = place == count - 1 and self._open
            if last or words[place].text in self.spans.first:
                taken = words[place : place + self.spans.longest] or words[place:]
                text = " ".join(word.text for word in taken)
                if not final and place + len(taken) == count and self.spans.grows(text if self._open else text + " "):
                    break
                for key in self.spans.at(text):
                    yield Found(key, words[place].start, taken[key.count(" ")].end)
            place += 1
        # Not before: who is given a find may still ask where its words stand.
        self._dead = self._open and place == count
        del words[:place]
