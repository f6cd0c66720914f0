"""What a model in this process would be sent by the guard, so that likelihoods under the guard can be scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from classifiers.detector import load_detector
from classifiers.exemplars import IndexedExemplars
from classifiers.fit import ensure_artifact
from classifiers.protect import learn_protected
from eval.engines.local import LocalModel
from guard.act.corrupt import Corrupter
from guard.errors import DetectorError
from guard.pipeline import Pipeline
from guard.policy import IculAction, load_policy
from guard.secret import load_secret
from guard.steer.auxiliary import Auxiliary
from guard.types import Conversation, Corrupt, Diverge, Pass, Refuse, Strengths

REFUSED = "the guard answers without the model, so that there is no likelihood to be scored"


@dataclass(frozen=True)
class Sent:
    """A prompt's embeddings (tokens x hidden), and what the answer is turned away from."""

    embeds: torch.Tensor
    steer: Strengths = ()
    diverge: Diverge | None = None


class PromptGuard:
    """The guard's actions on prompts and decoding, in front of a local model: the endpoint's pipeline, less output.

    What the output guard changes is not seen here: it leaves the model's likelihoods as they are.
    """

    def __init__(self, policy: Path, model: str) -> None:
        """Fit the policy's classifier where there is none yet; `model` is the checkpoint that is asked.

        Raises:
            ConfigError, ArtifactError: the policy or its artifact cannot be used.
            EngineError: the checkpoint lacks what the policy needs.
        """
        read, secret = load_policy(policy), load_secret()
        detector = load_detector(ensure_artifact(read, secret=secret), policy=read, secret=secret)
        shows = any(isinstance(action, IculAction) for topic in read.topics for action in topic.actions)
        self._pipeline = Pipeline(
            read,
            detector,
            Corrupter.from_checkpoint(model, secret=secret) if read.corrupts else None,
            learn_protected(read) if read.decodes else None,
            exemplars=IndexedExemplars(detector.neighbours, detector.encoder, read, secret=secret) if shows else None,
            auxiliary=Auxiliary.read(read.auxiliary) if read.diverges and read.auxiliary else None,
            secret=secret,
        )

    def sent(self, model: LocalModel, conversation: Conversation) -> Sent | str:
        """What the model would be asked with, or why there is nothing."""
        try:
            plan = self._pipeline.plan(conversation)
        except DetectorError as error:
            return f"detector failed: {error}"
        if isinstance(plan, Refuse):
            return REFUSED
        if isinstance(plan, Corrupt):
            return Sent(plan.embeds.float(), plan.steer, plan.diverge)
        if isinstance(plan, Pass):
            return Sent(model.prompt(conversation))
        return Sent(model.prompt(plan.conversation), plan.steer, plan.diverge)
