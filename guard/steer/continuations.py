"""What each next token of an answer would add to a protected span, as a penalty on its logit.

After GUARD (Deng et al. 2025), which forbids tokens that complete a phrase found in a trie of token ids. Here the trie
is one of letters, in the form of `guard.output.letters`, so that neither case, blanks, look-alikes nor another way to
cut a word into tokens leads around it. How much of a span is told is counted in letters; of a word that has only begun
they count by how surely the vocabulary lets them lead there ("in" leads to more than Ingrid). A token's penalty is by
how much it raises the largest part told of any span, times that span's strength: along a span, penalties add up to its
strength, however it is cut. It is finite: where a grammar leaves no other token, the span is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from guard.output.letters import BREAK
from guard.steer.vocabulary import Vocabulary, shown_of, whole

_KEPT_PLACES = 1024
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
        self.penalties = lru_cache(maxsize=_KEPT_PLACES)(self._penalties)

    def step(self, place: Place, token: int) -> Place:
        """Where the answer stands after one more token."""
        text, rest = whole(place.rest + self._vocabulary.tokens[token])
        nodes, inside, _ = self._walk(place.nodes, place.inside, shown_of(text))
        return Place(nodes, inside, rest)

    def _penalties(self, place: Place) -> Penalties:
        """Token ids, and what to take off their logits in nats; all others lose nothing."""
        before = self._told(place.nodes)
        firsts = {letter for node in place.nodes for letter in self._nodes[node].after}
        if not place.inside:
            firsts |= self._nodes[0].after.keys()
        ids = [np.zeros(0, dtype=np.int64)]
        values = [np.zeros(0, dtype=np.float32)]
        for shown, tokens in self._next(place, frozenset(firsts)):
            nodes, _, most = self._walk(place.nodes, place.inside, shown)
            more = max(most, self._told(nodes)) - before
            if more > 0:
                ids.append(tokens)
                values.append(np.full(len(tokens), more, dtype=np.float32))
        return np.concatenate(ids), np.concatenate(values)

    def _next(self, place: Place, firsts: frozenset[str]) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
        """What may be shown next that begins or continues a span, with the tokens that show it."""
        for shown in self._vocabulary.beginning(firsts):
            yield shown, self._vocabulary.ids(shown)
        for token in self._vocabulary.continuing if place.rest else ():
            yield shown_of(whole(place.rest + self._vocabulary.tokens[token])[0]), np.array([token])

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
