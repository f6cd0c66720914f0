"""How often the guard's classifier flags a question, measured in this process.

An endpoint must not show whether it flagged, so this cannot be seen over HTTP: the same artifact is read here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from guard.errors import DetectorError
from guard.types import Conversation, Detector, Message


@dataclass(frozen=True)
class Flag:
    """Whether one question was flagged (any topic); None when the detector failed, with the reason."""

    question: str
    flagged: bool | None
    seconds: float
    reason: str | None = None


def policy_detector(policy_path: Path) -> Detector:
    """Return the detector that the guard uses under this policy, fitting its artifact first where there is none yet.

    Raises:
        ConfigError, ArtifactError: the policy or its artifact cannot be used.
    """
    # Imported here since they bring torch, which costs seconds that `--help` and attached runs need not pay.
    from classifiers.detector import load_detector
    from classifiers.fit import ensure_artifact
    from guard.policy import load_policy
    from guard.secret import load_secret

    policy, secret = load_policy(policy_path), load_secret()
    return load_detector(ensure_artifact(policy, secret=secret), policy=policy, secret=secret)


def detect_all(detector: Detector, questions: Iterable[str], on_done: Callable[[], None]) -> dict[str, Flag]:
    """Return a Flag for each question; `on_done` is called after each, and may raise to stop."""
    flags = {}
    for question in questions:
        started = time.perf_counter()
        flagged, reason = None, None
        try:
            flagged = bool(detector.detect(Conversation((Message("user", question),))))
        except DetectorError as error:
            reason = f"detector failed: {error}"
        flags[question] = Flag(question, flagged, time.perf_counter() - started, reason)
        on_done()
    return flags
