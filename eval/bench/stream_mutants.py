"""Faults put into the output guard on purpose: a fuzz that cannot see one of them proves nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

import guard.output.scan as scan_module
import guard.output.watch as watch_module
from guard.output.letters import BREAK, letters
from guard.output.protected import Protected, Strength
from guard.output.scan import Found, Scan, Spans
from guard.output.sentences import SentenceEnds
from guard.output.watch import GuardedOutput, TextWatch
from guard.types import Release

_feed, _decide, _at, _least, _leave = (
    Scan.feed,
    Scan._decide,
    Spans.at,
    GuardedOutput._least,
    TextWatch._leave,
)
_init, _begin, _end = GuardedOutput.__init__, TextWatch.__init__, TextWatch._end
_told = GuardedOutput.told


def _forget_the_word(self: Scan, text: str) -> Iterator[Found]:
    """A word ends where a piece of the stream ends."""
    self._open = False
    return _feed(self, text)


def _decide_at_once(self: Scan, *, final: bool) -> Iterator[Found]:
    return _decide(self, final=True)


def _longest_only(self: Spans, text: str) -> Iterator[str]:
    yield from list(_at(self, text))[:1]


def _see_everything(character: str) -> str:
    return letters(character) or BREAK


def _as_written(character: str) -> str:
    foreign = unicodedata.name(character, "").startswith(("CYRILLIC", "GREEK"))
    return character.lower() if foreign else letters(character)


def _weak_always(self: GuardedOutput, topic: str, alive: Collection[str]) -> Strength:
    return min(_least(self, topic, alive), Strength.WEAK)


def _only_asked(self: GuardedOutput, topic: str, alive: Collection[str]) -> Strength:
    return _least(self, topic, ())


def _without_doubt(self: GuardedOutput, *arguments: Any, **options: Any) -> None:
    _init(self, *arguments, **{**options, "doubted": ()})


def _first_of_overlapping(self: TextWatch, end: int, hidden: Any) -> Release:
    apart = [found for place, found in enumerate(hidden) if not place or found.start >= hidden[place - 1].end]
    return _leave(self, end, apart)


def _for_all(self: GuardedOutput, sentence: str, alive: Collection[str]) -> frozenset[str]:
    return _told(self, sentence, self.protected.topics)


def _never_held(self: TextWatch, output: GuardedOutput, *, held: bool) -> None:
    _begin(self, output, held=False)


def _as_if_silent(self: TextWatch, left: Release, ending: Any) -> Release:
    self._spoken = False
    return _end(self, Release(""), ending)


def _method(owner: type, name: str, new: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(owner, name, new)


MUTANTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "none": nullcontext,
    "words end with the pieces of the stream": _method(Scan, "feed", _forget_the_word),
    "nothing is held back": _method(Scan, "_decide", _decide_at_once),
    "a span inside another is not seen": _method(Spans, "at", _longest_only),
    "invisible characters and marks part words": lambda: patch.object(scan_module, "letters", _see_everything),
    "look-alike letters are not the letters they show": lambda: patch.object(scan_module, "letters", _as_written),
    "all text is held back to the end of its word": _method(Spans, "grows", lambda self, text: not text.endswith(" ")),
    "weak spans count in every answer": _method(GuardedOutput, "_least", _weak_always),
    "a topic that the answer names stays dead": _method(GuardedOutput, "_least", _only_asked),
    "a topic in doubt stays dead": _method(GuardedOutput, "__init__", _without_doubt),
    "sentences are never complete": _method(SentenceEnds, "feed", lambda self, text: []),
    "of overlapping spans the first is masked": _method(TextWatch, "_leave", _first_of_overlapping),
    "a name that the caller gave is a hit": _method(Protected, "named_in", lambda self, text: frozenset()),
    "redaction never happens": lambda: patch.object(watch_module, "_ENDING", ("again", "replace", "cut", "redact")),
    "no sentence is read": _method(GuardedOutput, "told", lambda self, sentence, alive: frozenset()),
    "sentences are read for topics that are not alive": _method(GuardedOutput, "told", _for_all),
    "what could be asked for again leaves at once": _method(TextWatch, "__init__", _never_held),
    "an answer is asked for again after it began": _method(TextWatch, "_end", _as_if_silent),
}
