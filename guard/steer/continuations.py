"""What each next token of an answer would add to a protected span, as a penalty on its logit.

After GUARD (Deng et al. 2025), which forbids tokens that complete a phrase found in a trie of token ids. Here the trie
is one of letters, in the form of `guard.output.letters`, so that neither case, blanks, look-alikes nor another way to
cut a word into tokens leads around it. How much of a span is told is counted in letters; of a word that has only begun
they count by how surely the vocabulary lets them lead there ("in" leads to more than Ingrid). A token's penalty is by
how much it raises the largest part told of any span, times that span's strength: along a span, penalties add up to its
strength, however it is cut. It is finite: where a grammar leaves no other token, the span is written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from guard.output.letters import BREAK
from guard.steer.vocabulary import Index, Vocabulary, shown_of, whole

_KEPT_PLACES = 64
Penalties = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Place:
    """Where an answer stands: the beginnings of spans that its last words are, whether the next letter continues a
    word, and the bytes of a character that is not complete.
    """

    nodes: tuple[int, ...] = ()
    inside: bool = False
    rest: bytes = b""


@dataclass
class _Node:
    told: float = 0.0  # nats: the part told, times the strength, of the span it is most of
    whole: float = 0.0  # nats: the strength of the span that ends here
    after: dict[str, int] = field(default_factory=dict)


class Continuations:
    """The spans that some answers are turned away from. Safe to share between threads."""

    def __init__(self, spans: Mapping[str, float], vocabulary: Vocabulary) -> None:
        """`spans`, as `key_of` writes them, with their strengths in nats, above 0."""
        self._vocabulary = vocabulary
        self._nodes = [_Node()]
        for span, strength in spans.items():
            self._add(span, strength)
        # Of a place where no span has begun the answer is always this.
        later, anew = self._nothing(), self._nothing()
        self._raise(later, vocabulary.later, 0)
        self._raise(anew, vocabulary.bare, 0)
        self._begun = {True: _above(later, 0.0), False: _above(np.maximum(later, anew), 0.0)}
        self._penalties_at = lru_cache(maxsize=_KEPT_PLACES)(self._penalties)

    def penalties(self, place: Place) -> Penalties:
        """Token ids, and what to take off their logits in nats; all others lose nothing."""
        return self._penalties_at(place)

    def step(self, place: Place, token: int) -> Place:
        """Where the answer stands after one more token."""
        text, rest = whole(place.rest + self._vocabulary.tokens[token])
        nodes, inside, _ = self._walk(place.nodes, place.inside, shown_of(text))
        return Place(nodes, inside, rest)

    def _penalties(self, place: Place) -> Penalties:
        if not place.nodes and not place.rest:
            return self._begun[place.inside]
        raised = self._nothing()
        ids, values = self._begun[place.inside]
        raised[ids] = values
        for node in place.nodes:
            self._raise(raised, self._vocabulary.shown if place.inside else self._vocabulary.bare, node)
        for token in self._vocabulary.continuing if place.rest else ():
            text, _ = whole(place.rest + self._vocabulary.tokens[token])
            nodes, _, most = self._walk(place.nodes, place.inside, shown_of(text))
            raised[token] = max(most, self._told(nodes))
        return _above(raised, self._told(place.nodes))

    def _raise(self, raised: npt.NDArray[np.float32], index: Index, start: int) -> None:
        """Note by token what is told then of the spans that go on from a node, where that is more than was noted."""
        left = [(start, "", 0, len(index.texts))]
        while left:
            at, text, low, high = left.pop()
            node = self._nodes[at]
            _note(raised, index.ids[low : bisect_right(index.texts, text, low, high)], node.told)
            if node.whole:
                ended, end = index.within(text + BREAK, low, high)
                _note(raised, index.ids[ended:end], node.whole)
            for letter, child in node.after.items():
                first, last = index.within(text + letter, low, high)
                if first < last:
                    left.append((child, text + letter, first, last))

    def _nothing(self) -> npt.NDArray[np.float32]:
        return np.zeros(len(self._vocabulary.tokens), dtype=np.float32)

    def _told(self, nodes: tuple[int, ...]) -> float:
        return max((self._nodes[node].told for node in nodes), default=0.0)

    def _walk(self, nodes: tuple[int, ...], inside: bool, shown: str) -> tuple[tuple[int, ...], bool, float]:
        """The nodes after some letters, whether a word is open then, and the strongest span that ended on the way."""
        most = 0.0
        for letter in shown:
            if letter != BREAK:
                nodes = self._advance(nodes if inside else (*nodes, 0), letter)
                inside = True
            elif inside:
                most = max([most, *(self._nodes[node].whole for node in nodes)])
                nodes = self._advance(nodes, BREAK)
                inside = False
        return nodes, inside, most

    def _advance(self, nodes: tuple[int, ...], letter: str) -> tuple[int, ...]:
        found = (self._nodes[node].after.get(letter) for node in nodes)
        return tuple(node for node in found if node is not None)

    def _add(self, span: str, strength: float) -> None:
        node, before = 0, 0
        for word in span.split(BREAK):
            if before:
                # What stands between words tells nothing; the next letter pays for it.
                node = self._child(node, BREAK, strength * (before - 1) / len(span))
            for depth, letter in enumerate(word, 1):
                part = (before + depth * self._vocabulary.surely(word, depth)) / len(span)
                node = self._child(node, letter, strength * part)
            before += len(word) + 1
        self._nodes[node].whole = max(self._nodes[node].whole, strength)

    def _child(self, node: int, letter: str, told: float) -> int:
        child = self._nodes[node].after.setdefault(letter, len(self._nodes))
        if child == len(self._nodes):
            self._nodes.append(_Node())
        self._nodes[child].told = max(self._nodes[child].told, told)
        return child


def _note(raised: npt.NDArray[np.float32], ids: npt.NDArray[np.int64], told: float) -> None:
    raised[ids] = np.maximum(raised[ids], told)


def _above(raised: npt.NDArray[np.float32], before: float) -> Penalties:
    ids = np.flatnonzero(raised > before)
    return ids, raised[ids] - np.float32(before)
