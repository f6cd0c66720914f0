"""How English a text looks, letter pair by letter pair, and the stretches of it that only rot13 makes English."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from guard.traced import Edit, Traced

Bits = npt.NDArray[np.int64]

# Cost in bits of a letter after another within a word; rows and columns are a word's border and a to z. What
# `pair_costs` makes of the general questions that the project ships.
_COSTS = """
935546455376545458643873979 395669768596453969343667959 538992999499499299499499949 539793992594599399474599969
149983967379997299559669989 259545779799464669335977669 249994579398499399395499969 237993964497687499359499989
329992999399999299686799969 456455669998552579523859997 828884888688888188688488888 259791998499644599959699959
339943799297489479966579969 325992999499848349989499959 157544848497987599844689969 397665467896553659355364999
439993994499299359475599969 888888888888388888888088888 239653868396675489644678959 158594995597669567963697979
159893992499899399567696979 655564958689344759332999999 749991999299999599979999999 339994991499796499479999989
239499999399999629993999969 188653999999957469857899999 248881888488888488858888884
"""
_ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)
_WORD = re.compile("[a-zA-Z]+")

# Of 500 general questions none gains 8 bits by rot13; a rotated name of two words gains 10 and more.
_GAIN, _COST, _LETTERS = 10, 5.0, 6


def rot13(text: str) -> str:
    """ASCII letters turned by half the alphabet; other characters stay."""
    return _WORD.sub(lambda word: word[0].translate(_ROT13), text)


def undo_rot13(text: Traced) -> Traced:
    """Turns the stretches of words that look like English only after rot13; most texts have none."""
    words = [word.span() for word in _WORD.finditer(text.text)]
    if not words:
        return text
    gains, costs = _scores(text.text, words)
    edits: list[Edit] = []
    for first, last in _stretches(gains):
        start, end = words[first][0], words[last][1]
        letters = sum(b - a for a, b in words[first : last + 1])
        if letters >= _LETTERS and costs[first : last + 1].sum() <= _COST * (letters + last + 1 - first):
            edits.append((start, end, rot13(text.text[start:end])))
    return text.edited(edits)


def pair_costs(texts: Iterable[str]) -> Bits:
    """Cost in bits, 0 to 9 (27 x 27), of a letter after another in `texts`."""
    codes = _codes("\n".join(texts))
    counts = np.full((27, 27), 0.5)
    np.add.at(counts, (codes[:-1], codes[1:]), 1)
    counts[0, 0] = 0.5
    bits: Bits = np.rint(-np.log2(counts / counts.sum(axis=1, keepdims=True))).astype(np.int64)
    return np.minimum(bits, 9)


def _codes(text: str) -> Bits:
    """1 to 26 for letters, 0 for all else."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64) | 32
    codes -= ord("a") - 1
    codes[(codes < 1) | (codes > 26)] = 0
    return codes


def _scores(text: str, words: list[tuple[int, int]]) -> tuple[Bits, Bits]:
    """For every word: bits that rot13 saves, and bits that the turned word costs."""
    codes = np.concatenate([[0], _codes(text), [0]])
    now, turned = TABLE[codes[:-1], codes[1:]], TURNED[codes[:-1], codes[1:]]
    starts, ends = np.array(words).T
    # Pair i stands before character i; a word's pairs include both its borders.
    sums = np.concatenate([[0], np.cumsum(now)])
    turned_sums = np.concatenate([[0], np.cumsum(turned)])
    costs = turned_sums[ends + 1] - turned_sums[starts]
    gains = sums[ends + 1] - sums[starts] - costs
    # A lone q or x costs much and says nothing.
    return np.where(ends - starts > 1, gains, np.minimum(gains, 0)), costs


def _stretches(gains: Bits) -> list[tuple[int, int]]:
    """(first, last) of the disjoint runs of words that gain most, after Kadane's maximum subarray."""
    found: list[tuple[int, int]] = []
    total = best = start = end = 0
    for place, gain in enumerate([*gains.tolist(), -1 << 60]):
        if total + gain > 0:
            start = place if total == 0 else start
            total += gain
            if total > best:
                best, end = total, place
        else:
            if best >= _GAIN:
                found.append((start, end))
            total = best = 0
    return found


TABLE: Bits = np.array([[int(bits) for bits in row] for row in _COSTS.split()])
_TURN = [0, *((letter + 12) % 26 + 1 for letter in range(1, 27))]
TURNED: Bits = TABLE[np.ix_(_TURN, _TURN)]
