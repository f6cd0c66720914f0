"""Detections and policy in, what to do out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guard.errors import DetectorError
from guard.policy import (
    CorruptAction,
    DecodeAction,
    DivergeAction,
    IculAction,
    Policy,
    PrefixAction,
    RefuseAction,
    Topic,
)
from guard.types import Detection


@dataclass(frozen=True)
class Clear:
    """No topic is alive."""


@dataclass(frozen=True)
class Deny:
    """At least one topic asks for a refusal, which is stronger than all else; `own` if all leave it to the model."""

    own: bool = False


@dataclass(frozen=True)
class Change:
    """What is done, most probable topic first: whose words are corrupted, whom the model is told of, whom it is shown
    exemplars of, and whom its answer is turned away from, by spans or by other models.
    """

    corrupted: tuple[tuple[Detection, CorruptAction], ...] = ()
    prefixed: tuple[tuple[Topic, PrefixAction], ...] = ()
    exemplified: tuple[tuple[Detection, IculAction], ...] = ()
    steered: tuple[tuple[Topic, DecodeAction], ...] = ()
    diverged: tuple[DivergeAction, ...] = ()


Decision = Clear | Deny | Change


def decide(detections: Sequence[Detection], policy: Policy) -> Decision:
    """Choose between passing, refusing and changing the prompt.

    Raises:
        DetectorError: a detection names a topic that the policy does not know.
    """
    corrupted: list[tuple[Detection, CorruptAction]] = []
    exemplified: list[tuple[Detection, IculAction]] = []
    prefixed: list[tuple[Topic, PrefixAction]] = []
    steered: list[tuple[Topic, DecodeAction]] = []
    diverged: list[DivergeAction] = []
    refusals: list[RefuseAction] = []
    for detection in detections:
        topic = policy.topic(detection.topic)
        if topic is None:
            raise DetectorError("the detector reports a topic that the policy does not list; run `lethe fit` again")
        for action in topic.actions:
            match action:
                case CorruptAction():
                    corrupted.append((detection, action))
                case DecodeAction():
                    steered.append((topic, action))
                case DivergeAction():
                    diverged.append(action)
                case IculAction():
                    exemplified.append((detection, action))
                case PrefixAction():
                    prefixed.append((topic, action))
                case RefuseAction():
                    refusals.append(action)
    if refusals:
        return Deny(own=all(action.words == "own" for action in refusals))
    if not detections:
        return Clear()
    return Change(tuple(corrupted), tuple(prefixed), tuple(exemplified), tuple(steered), tuple(diverged))
