"""Guards the answers to one request: what may leave of a text while it is written, and what a hit does.

No topic alive: everything leaves but the suffix that may still become a span which counts. From where a topic is alive
on (from the start, if the prompt asked or may have asked about it) whole sentences leave, each judged as one, so that a
fact counts which stands before the name in its sentence. All of it follows from the text, never from how it is split.

A name that the caller gave is no hit, since reading it again tells nothing; but it brings its topic up like any other,
so that facts behind it count. A fact that the caller gave is a hit: to repeat it would be to confirm a guess.

Where a hit of some topic asks for another answer, an answer is held until its end in which such a topic is alive from
the start. Any other can be asked for again, or replaced, while nothing of it has left; of one that leaves as a whole
nothing has before its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Protocol

from guard.output.letters import key_of
from guard.output.protected import Mark, Protected, Strength
from guard.output.scan import Found, Scan
from guard.output.sentences import SEPARATOR, SentenceEnds
from guard.policy import OnHit
from guard.types import Conversation, Corrupt, Masked, Reader, Release, Watch

# A word, so that what stands around a mask is not read as one span.
MASK = "[redacted]"
_REPLACING: tuple[OnHit, ...] = ("again", "replace")
_ENDING: tuple[OnHit, ...] = ("again", "replace", "cut")  # the first of them that some topic asks for


class _Hit(NamedTuple):
    """A stretch of text that tells of `topics`, and what they ask for."""

    found: Found
    action: OnHit
    topics: frozenset[str]


class Again(Protocol):
    """Makes what the model is asked where an answer told too much; see `guard.types.Output.again`."""

    def plan(self, topics: frozenset[str], number: int, *, drawn: bool) -> Corrupt | None:
        """The prompt, or None where it is not asked again."""
        ...


class GuardedOutput:
    """An `Output`: guards the answers to one conversation.

    The topics `asked` are alive and so are those `doubted`, which the prompt may be about: there weak spans count from
    the start, but not faint ones, which answers to others may well hold.
    """

    def __init__(
        self,
        protected: Protected,
        conversation: Conversation,
        *,
        asked: Collection[str],
        doubted: Collection[str] = (),
        refusal: str,
        again: Again | None = None,
        readers: Sequence[Reader] = (),
    ) -> None:
        self.protected = protected
        self.asked = protected.topics & frozenset(asked)
        self.doubted = protected.topics & frozenset(doubted)
        self.refusal = refusal
        self._conversation = conversation
        self._again = again
        self._readers = readers

    @cached_property
    def given(self) -> frozenset[str]:
        """Names that the caller wrote."""
        return self.protected.named_in(self._conversation)

    def watch(self, *, whole: bool = False) -> Watch:
        """See `guard.types.Output`."""
        replacing = whole and any(action in _REPLACING for action in self.protected.on_hit.values())
        return TextWatch(self, held=replacing or bool(self.renewing & (self.asked | self.doubted)))

    @property
    def slow(self) -> bool:
        """See `guard.types.Output`."""
        return bool(self._readers)

    def told(self, sentence: str, alive: Collection[str]) -> frozenset[str]:
        """The topics that readers find in a sentence, of those alive."""
        topics = self.protected.topics & (self.asked | frozenset(alive))
        if not topics or not key_of(sentence):
            return frozenset()
        read = sentence.replace(SEPARATOR, "\n")
        return frozenset(t for reader in self._readers for t in reader.told(self._conversation, read, topics))

    def again(self, topics: frozenset[str], number: int, *, drawn: bool) -> Corrupt | None:
        """See `guard.types.Output`."""
        return None if self._again is None else self._again.plan(topics, number, drawn=drawn)

    @property
    def renewing(self) -> frozenset[str]:
        """The topics of which a hit asks for another answer."""
        return frozenset(topic for topic in self.protected.topics if self.protected.on_hit[topic] == "again")

    def counts(self, found: Found, alive: Collection[str]) -> list[Mark]:
        """The marks for which a find is a hit."""
        return [
            mark
            for mark in self.protected.marks[found.key]
            if mark.strength >= self._least(mark.topic, alive) and not (mark.name and found.key in self.given)
        ]

    def _least(self, topic: str, alive: Collection[str]) -> Strength:
        if topic in self.asked:
            return Strength.FAINT
        return Strength.WEAK if topic in alive else Strength.STRONG


class TextWatch:
    """A `Watch`. Places are counted in characters of the whole text."""

    def __init__(self, output: GuardedOutput, *, held: bool = False) -> None:
        """`held`: nothing leaves before the end."""
        self._output = output
        self._held: Release | None = Release("") if held else None
        alive = bool(output.asked or output.doubted)
        self._scan = Scan(output.protected.all if alive else output.protected.telling)
        self._text = ""  # what has not left yet
        self._start = 0  # where it stands
        self._founds: deque[Found] = deque()
        self._named = set(output.doubted)
        self._alive_from: int | None = 0 if alive else None
        self._sentences: SentenceEnds | None = None
        self._ends: deque[int] = deque()
        self._masked = 0  # how far the last mask reaches
        self._spoken = False
        self._ended = False

    def feed(self, text: str) -> Release:
        """Take the next characters of the model; returns what may leave."""
        return self._advance(self._scan.feed(text), text, final=False)

    def finish(self) -> Release:
        """No more will come; returns the rest."""
        return self._advance(self._scan.finish(), "", final=True)

    def _advance(self, founds: Iterator[Found], text: str, *, final: bool) -> Release:
        if self._ended:
            return Release("", ended=True)
        self._text += text
        for found in founds:
            self._founds.append(found)
            if self._alive_from is None:
                self._alive_from = found.end
                self._scan.spans = self._output.protected.all
        left = Release("")
        for end in self._stretches(text, final=final):
            release = self._judge(end)
            if release.ended:
                self._ended = True
                return left.then(release)
            self._spoken = self._spoken or bool(release.text.strip())
            if self._held is None:
                left = left.then(release)
            else:
                self._held = self._held.then(release)
        return self._held if final and self._held is not None else left

    def _stretches(self, text: str, *, final: bool) -> Iterator[int]:
        """The ends of what may be judged now, in order."""
        decided, alive = self._scan.decided, self._alive_from
        quiet = decided if alive is None else min(decided, alive)
        if quiet > self._start:
            yield quiet
        if alive is None:
            return
        if self._sentences is None:
            self._sentences = SentenceEnds(alive)
            text = self._text[alive - self._start :]
        self._ends.extend(self._sentences.feed(text))
        while self._ends and self._ends[0] <= decided:
            if (end := self._ends.popleft()) > self._start:
                yield end
        if final and self._start < self._scan.length:
            yield self._scan.length

    def _judge(self, end: int) -> Release:
        """What may leave of the text up to `end`."""
        founds: list[Found] = []
        while self._founds and self._founds[0].start < end:
            founds.append(self._founds.popleft())
        sentence = self._alive_from is not None and self._start >= self._alive_from
        up = {mark.topic for f in founds for mark in self._output.protected.marks[f.key] if mark.telling}
        self._named |= up
        judged = [(f, self._output.counts(f, self._named if sentence else ())) for f in founds]
        hits = [_Hit(found, *self._action({mark.topic for mark in marks})) for found, marks in judged if marks]
        ending = next((hit for hit in hits if hit.action in _ENDING), None)
        if ending is None and sentence and (told := self._output.told(self._slice(self._start, end), self._named)):
            hits = [_Hit(Found("", self._start, end), *self._action(told))]
            ending = hits[0] if hits[0].action in _ENDING else None
        if ending is None:
            return self._leave(end, [hit.found for hit in hits])
        # Of a sentence not even the beginning leaves: it would tell what was about to be said.
        before = [hit.found for hit in hits if hit.found.start < ending.found.start]
        return self._end(Release("") if sentence else self._leave(ending.found.start, before), ending)

    def _end(self, left: Release, ending: _Hit) -> Release:
        """The end of an answer, of which `left` still may leave."""
        if self._held is not None:
            left, silent = (Release(""), True) if ending.action != "cut" else (self._held.then(left), False)
        else:
            silent = not self._spoken and not left.text.strip()
        if ending.action == "cut" or not silent:
            return replace(left, ended=True)
        again = self._output.renewing & ending.topics
        return Release(left.text + self._output.refusal, ended=True, again=again, instead=True)

    def _action(self, topics: Collection[str]) -> tuple[OnHit, frozenset[str]]:
        """What a hit of these topics does."""
        asked = {self._output.protected.on_hit[topic] for topic in topics}
        return next((action for action in _ENDING if action in asked), "redact"), frozenset(topics)

    def _leave(self, end: int, hidden: Sequence[Found]) -> Release:
        """The text up to `end` with one mask for every run of overlapping finds."""
        left = self._hide("", self._start, min(end, self._masked))
        place = max(self._start, self._masked)
        for found in hidden:
            if found.start >= self._masked:
                left = left.then(Release(self._slice(place, found.start))).then(self._hide(MASK, 0, 0))
            masked = max(self._masked, found.end)
            left = left.then(self._hide("", max(found.start, self._masked), min(end, masked)))
            self._masked = masked
            place = max(place, self._masked)
        left = left.then(Release(self._slice(place, end)))
        self._text = self._text[end - self._start :]
        self._start = end
        return left

    @staticmethod
    def _hide(mask: str, start: int, end: int) -> Release:
        """A mask, and the places for which it stands."""
        return Release(mask, masked=(Masked(0, len(mask), max(0, end - start)),) if mask or end > start else ())

    def _slice(self, start: int, end: int) -> str:
        return self._text[max(0, start - self._start) : max(0, end - self._start)]
