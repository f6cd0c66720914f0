"""What the output guard ought to release, worked out from the whole text by brute force.

Written apart from the guard: words come from the normalised text as a whole, spans are compared one by one at every
word, and every rule is applied to the full text anew. It is quadratic and keeps no state.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guard.lookalikes import plain_letter
from guard.normalise import normalise
from guard.policy import OnHit

MASK = "[redacted]"
# A script's name begins its letters' names; these put no blanks between words.
_UNSPACED = re.compile(
    r"THAI|LAO|KHMER|MYANMAR|HIRAGANA|HENTAIGANA|KATAKANA|BOPOMOFO|CJK|HANGUL SYLLABLE|HALFWIDTH KATAKANA"
)
_SENTENCE = re.compile("[.!?\u2026][\"'\u2019\u201d\u00bb)\\]*_]*(?=\\s)|[\u3002\uff01\uff1f\uff61]|(?=\n)")


@dataclass(frozen=True)
class Rule:
    """A span of words for one topic: 3 strong, 2 weak, 1 faint."""

    words: tuple[str, ...]
    topic: str
    strength: int
    name: bool


@dataclass(frozen=True)
class Word:
    """A word in its plain form and the characters [start, end) that it was read from."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Case:
    """What one request is guarded by; its answer leaves as a `whole`, or as a stream.

    `objects` are what a reader of sentences takes for telling of a topic, where that is alive.
    """

    rules: tuple[Rule, ...]
    on_hit: Mapping[str, OnHit]
    prompt: str
    asked: frozenset[str]
    doubted: frozenset[str] = frozenset()
    whole: bool = False
    objects: frozenset[tuple[str, str]] = frozenset()
    refusal: str = "I do not know."

    @property
    def held(self) -> bool:
        """Whether nothing leaves before the end."""
        alive = {self.on_hit[topic] for topic in self.asked | self.doubted}
        return "again" in alive or (self.whole and not {"again", "replace"}.isdisjoint(self.on_hit.values()))


@dataclass(frozen=True)
class Expected:
    """What has left so far, whether that is all, and for which topics another answer is asked for first."""

    text: str
    ended: bool
    again: frozenset[str] = frozenset()


def words_of(text: str) -> tuple[list[Word], bool]:
    """The words of a text, and whether the last could go on with the next character."""
    plain = normalise(f"|{text}|")
    words: list[Word] = []
    open_word = False
    for place in range(1, len(plain.text) - 1):
        start, end = int(plain.starts[place]) - 1, int(plain.ends[place]) - 1
        bare = _bare(plain.text[place])
        if not bare and open_word:
            words[-1] = Word(words[-1].text, words[-1].start, end)
        for letter in bare:
            if not letter.isalnum():
                open_word = False
                continue
            before = words[-1].text[-1] if words else ""
            if open_word and not unspaced(letter) and not unspaced(before):
                words[-1] = Word(words[-1].text + letter, words[-1].start, end)
            else:
                words.append(Word(letter, start, end))
            open_word = True
    return words, open_word


@lru_cache(maxsize=4096)
def _bare(character: str) -> str:
    """Without marks, and as the Latin letter that it looks like."""
    parts = [part for part in unicodedata.normalize("NFD", character) if unicodedata.category(part)[0] != "M"]
    return "".join(map(plain_letter, unicodedata.normalize("NFC", "".join(parts))))


@lru_cache(maxsize=4096)
def unspaced(letter: str) -> bool:
    """Whether its script puts no blanks between words."""
    return _UNSPACED.match(unicodedata.name(letter, "")) is not None


def expected(case: Case, text: str, *, final: bool) -> Expected:
    """What ought to have left once `text` has come; with `final` no more will."""
    words, open_word = words_of(text)
    matches, alive_from, decided = _matches(case, text, words, open_word=open_word and not final, final=final)
    borders = _borders(text, alive_from, decided, final=final)
    given = {rule for rule in case.rules if rule.name and _contains(words_of(case.prompt)[0], rule)}
    named = set(case.asked | case.doubted)
    hidden: list[tuple[int, int]] = []
    for begin, end in borders:
        inside = [match for match in matches if begin <= match[0] < end]
        sentence = begin >= (len(text) + 1 if alive_from is None else alive_from)
        named |= {rule.topic for _, _, rule in inside if _telling(rule)}
        hits: list[tuple[int, int, set[str]]] = []
        for start, stop, _ in inside:
            at_once = {
                rule.topic
                for s, e, rule in inside
                if (s, e) == (start, stop)
                and rule not in given
                and rule.strength >= _needed(case, rule, named, sentence)
            }
            if at_once and (start, stop, at_once) not in hits:
                hits.append((start, stop, at_once))
        ending = next((hit for hit in hits if _does(case, hit[2], "again", "cut", "replace")), None)
        alive = {rule.topic for rule in case.rules} & named
        told = {t for word, t in case.objects if sentence and t in alive and word in text[begin:end]}
        if ending is None and told:
            hits = [(begin, end, told)]
            ending = hits[0] if _does(case, told, "again", "cut", "replace") else None
        if ending is None:
            hidden += [(start, stop) for start, stop, _ in hits]
            continue
        hidden += [] if sentence else [(start, stop) for start, stop, _ in hits if start < ending[0]]
        return _ended(case, _masked(text, begin if sentence else ending[0], hidden), ending[2])
    left = _masked(text, borders[-1][1] if borders else 0, hidden)
    return Expected("" if case.held and not final else left, False)


def _ended(case: Case, left: str, topics: set[str]) -> Expected:
    """What is due where a span of these topics ends an answer of which `left` may leave."""
    if not _does(case, topics, "again", "replace") or (left.strip() and not case.held):
        return Expected(left, True)
    again = frozenset(topic for topic in topics if case.on_hit[topic] == "again")
    return Expected(case.refusal if case.held else left + case.refusal, True, again)


def _does(case: Case, topics: set[str], *actions: OnHit) -> bool:
    return any(case.on_hit[topic] in actions for topic in topics)


def _telling(rule: Rule) -> bool:
    """Whether it brings its topic up."""
    return rule.strength == 3 or (rule.name and rule.strength == 2)


def _needed(case: Case, rule: Rule, named: set[str], sentence: bool) -> int:
    if rule.topic in case.asked:
        return 1
    return 2 if sentence and rule.topic in named else 3


def _matches(
    case: Case, text: str, words: Sequence[Word], *, open_word: bool, final: bool
) -> tuple[list[tuple[int, int, Rule]], int | None, int]:
    """All spans that are decided, from where on a topic is alive, and how far all is decided."""
    alive_from = 0 if case.asked or case.doubted else None
    found: list[tuple[int, int, Rule]] = []
    for place, word in enumerate(words):
        rules = [rule for rule in case.rules if alive_from is not None or _telling(rule)]
        # A span that one topic knows well is looked for in full, whatever it is to others.
        known = {rule.words for rule in rules}
        rest = [w.text for w in words[place:]]
        if not final and any(_may_grow(rest, span, open_word=open_word) for span in known):
            return found, alive_from, word.start
        here = [
            (word.start, words[place + len(rule.words) - 1].end, rule)
            for rule in case.rules
            if rule.words in known and tuple(rest[: len(rule.words)]) == rule.words
        ]
        here.sort(key=lambda match: -len(match[2].words))
        found += here
        if here and alive_from is None:
            alive_from = here[0][1]
    return found, alive_from, len(text)


def _may_grow(rest: list[str], span: tuple[str, ...], *, open_word: bool) -> bool:
    if len(rest) > len(span):
        return False
    if open_word:
        return tuple(rest[:-1]) == span[: len(rest) - 1] and span[len(rest) - 1].startswith(rest[-1])
    return len(rest) < len(span) and tuple(rest) == span[: len(rest)]


def _contains(words: Sequence[Word], rule: Rule) -> bool:
    texts = [word.text for word in words]
    return any(tuple(texts[i : i + len(rule.words)]) == rule.words for i in range(len(texts)))


def _borders(text: str, alive_from: int | None, decided: int, *, final: bool) -> list[tuple[int, int]]:
    """The stretches that may be judged: what comes before a topic is alive, then sentence by sentence."""
    ends = [decided if alive_from is None else min(decided, alive_from)]
    if alive_from is not None and decided >= alive_from:
        ends += [e for m in _SENTENCE.finditer(text, alive_from) if (e := m.end()) <= decided]
        ends += [len(text)] if final else []
    ends = sorted(set(ends) - {0})
    return list(zip([0, *ends], ends, strict=False))


def _masked(text: str, end: int, hidden: Sequence[tuple[int, int]]) -> str:
    """The text up to `end`, one mask for every run of overlapping stretches."""
    runs: list[tuple[int, int]] = []
    for start, stop in sorted(hidden):
        if runs and start < runs[-1][1]:
            runs[-1] = (runs[-1][0], max(stop, runs[-1][1]))
        else:
            runs.append((start, stop))
    out = [] if runs else [text[:end]]
    for place in range(end if runs else 0):
        out += [MASK for start, _ in runs if start == place]
        out += [] if any(start <= place < stop for start, stop in runs) else [text[place]]
    return "".join(out)
