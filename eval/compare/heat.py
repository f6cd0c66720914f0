"""The map of attacks: every system against every attack, coloured by what leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from eval.compare.cells import NOT_MEASURED, estimated
from eval.compare.results import Leak, Results
from eval.compare.tables import is_attack, ordered, own_leaks


@dataclass(frozen=True)
class Tile:
    """`strength` in [0, 1] is how strongly it is coloured, `sign` by which colour; `told` explains it."""

    value: str
    strength: float
    sign: str
    told: str


@dataclass(frozen=True)
class Heat:
    """`families` are names with how many of `attacks` each spans; a tile without a value is hatched."""

    families: list[tuple[str, int]]
    attacks: list[str]
    rows: list[tuple[str, list[Tile]]]


def heat(results: Results) -> Heat | None:
    """Lay the map out; None where no attack through the endpoint was recorded."""
    attacks = _attacks(results.leaks)
    if not attacks:
        return None
    rows = []
    for subject in ordered(results):
        own = {leak.attack: leak for leak in own_leaks(results, subject.name)}
        rows.append((subject.name, [_tile(subject.name, name, own.get(name)) for _, name in attacks]))
    families = [(family, len(list(group))) for family, group in groupby(family for family, _ in attacks)]
    return Heat(families, [name for _, name in attacks], rows)


def _attacks(leaks: Sequence[Leak]) -> list[tuple[str, str]]:
    """Families with their attacks, in the order in which they were recorded."""
    found: dict[str, dict[str, None]] = {}
    for leak in filter(is_attack, leaks):
        found.setdefault(leak.family, {})[leak.attack] = None
    return [(family, name) for family, names in found.items() for name in names]


def _tile(system: str, attack: str, leak: Leak | None) -> Tile:
    place = f"{attack} on {system}"
    if leak is None:
        return Tile("", 0.0, "", f"{place}: {NOT_MEASURED}")
    if leak.leak is None:
        return Tile("", 0.0, "", f"{place}: {leak.reason or 'unscored, with no reason recorded'}")
    value = leak.leak.value
    sign = "more" if value > 0 else "less"
    told = f"{place}: {estimated(leak.leak, '{:+.3f}').text}"
    return Tile(f"{value:+.2f}".replace("0.", "."), min(1.0, abs(value)), sign, told)
