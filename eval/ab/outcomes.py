"""What `lethe serve --arms` keeps of its answers, and whose answer came from which arm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guard.errors import ConfigError


@dataclass(frozen=True)
class Outcome:
    """One line of the file: an answer of one arm, and how it went."""

    id: str | None
    arm: str
    shadow: bool
    status: int
    milliseconds: float
    characters: int


@dataclass(frozen=True)
class Recorded:
    """What an arm's lines come to, over all callers; medians of answers with status 200, None where there are none."""

    arm: str
    shadow: bool
    requests: int
    failed: int
    median_ms: float | None
    p95_ms: float | None
    median_characters: float | None


def read_outcomes(path: Path) -> list[Outcome]:
    """Read the server's file of one experiment.

    Raises:
        ConfigError: it is missing or empty, or a line is none of the server's.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the outcomes {path} ({error}); `lethe serve --arms` prints where it") from error
    if not lines:
        raise ConfigError(f"{path} holds no outcomes yet; is it the file that the server at --url printed?")
    return [_outcome(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]


def arms_of(replies: Mapping[str, Sequence[str]], outcomes: Sequence[Outcome], path: Path) -> dict[str, str]:
    """The arm of each key, by the identities of the replies that it got; keys without replies are left out.

    Raises:
        ConfigError: a reply is not among the outcomes, or a key met two arms.
    """
    arms = {row.id: row.arm for row in outcomes if row.id is not None and not row.shadow}
    found = {}
    for key, names in replies.items():
        missing = [name for name in names if name not in arms]
        if missing:
            raise ConfigError(
                f"{path} lacks {len(missing)} of {len(names)} replies of one key, such as {missing[0]}; name the file "
                "that the server at --url printed at its start, and copy it anew where it is another machine's"
            )
        met = sorted({arms[name] for name in names})
        if len(met) > 1:
            raise ConfigError(
                f"one key met the arms {' and '.join(met)}: the arms were changed while they were asked; "
                "give the experiment another name and choose another --out"
            )
        if met:
            found[key] = met[0]
    return found


def recorded(outcomes: Sequence[Outcome]) -> list[Recorded]:
    """What each arm's lines come to, its shadow apart."""
    kinds = sorted({(row.arm, row.shadow) for row in outcomes})
    return [
        _recorded(arm, shadow, [row for row in outcomes if (row.arm, row.shadow) == (arm, shadow)])
        for arm, shadow in kinds
    ]


def _recorded(arm: str, shadow: bool, rows: Sequence[Outcome]) -> Recorded:
    good = [row for row in rows if row.status == 200]
    times = [row.milliseconds for row in good]
    return Recorded(
        arm,
        shadow,
        len(rows),
        len(rows) - len(good),
        float(np.median(times)) if times else None,
        float(np.quantile(times, 0.95)) if times else None,
        float(np.median([row.characters for row in good])) if good else None,
    )


def _outcome(line: str, where: str) -> Outcome:
    try:
        row: dict[str, Any] = json.loads(line)
        return Outcome(**{name: row[name] for name in Outcome.__dataclass_fields__})
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{where}: this is no line of the server's outcomes ({error!r})") from error
