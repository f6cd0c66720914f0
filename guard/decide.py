"""Detections and policy in, what to do out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guard.errors import DetectorError
from guard.policy import CorruptAction, Policy
from guard.types import Detection


@dataclass(frozen=True)
class Clear:
    """No topic is alive."""


@dataclass(frozen=True)
class Deny:
    """At least one topic asks for a refusal, which is stronger than corruption."""


@dataclass(frozen=True)
class Distort:
    """Every topic alive asks for corruption; most probable first."""

    targets: tuple[tuple[Detection, CorruptAction], ...]


Decision = Clear | Deny | Distort


def decide(detections: Sequence[Detection], policy: Policy) -> Decision:
    """Choose between passing, refusing and corrupting.

    Raises:
        DetectorError: a detection names a topic that the policy does not know.
    """
    targets: list[tuple[Detection, CorruptAction]] = []
    deny = False
    for detection in detections:
        topic = policy.topic(detection.topic)
        if topic is None:
            raise DetectorError("the detector reports a topic that the policy does not list; run `lethe fit` again")
        if isinstance(topic.action, CorruptAction):
            targets.append((detection, topic.action))
        else:
            deny = True
    if deny:
        return Deny()
    return Distort(tuple(targets)) if targets else Clear()
