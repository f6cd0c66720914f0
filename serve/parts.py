"""What one version of a policy needs to be served, made from its files and the checkpoint's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from classifiers.answers import AnswerReader
from classifiers.detector import ArtifactDetector, load_detector
from classifiers.exemplars import IndexedExemplars
from classifiers.protect import learn_protected
from guard.act.corrupt import Corrupter
from guard.embeds import EmbeddingTable
from guard.errors import ConfigError
from guard.lookalikes import plain_letter
from guard.output.protected import Protected
from guard.policy import CorruptAction, IculAction, Policy
from guard.prompt import Renderer
from guard.secret import load_secret
from guard.steer.auxiliary import Auxiliary, logits_of
from guard.types import Exemplars, Reader
from serve.model_text import ModelText
from serve.policies.identity import policy_id
from serve.policies.version import Version
from serve.settings import Settings


@dataclass(frozen=True)
class Parts:
    """What can be made while the engine still loads, of version `number` of a policy.

    `policy` is what is enforced of it, `until` when that changes, since a topic expires; `version` stands for it. `of`
    is the name of the folder with all its versions.
    """

    number: int
    of: str
    by: str
    policy: Policy
    until: datetime | None
    version: str
    detector: ArtifactDetector
    text: ModelText
    corrupter: Corrupter | None
    protected: Protected
    exemplars: Exemplars | None
    auxiliary: Auxiliary | None
    readers: tuple[Reader, ...]

    def expired(self, now: datetime) -> bool:
        """Whether another part of the policy is to be enforced by now."""
        return self.until is not None and self.until <= now


def make_parts(settings: Settings, version: Version, before: Parts | None = None) -> Parts:
    """Load a version's classifier, learn what answers may not say, read the checkpoint's tokenizer and embeddings.

    What hangs on the checkpoint or the encoder alone is taken from the parts `before`.

    Raises:
        ArtifactError: the artifact is damaged or made for something else.
        ConfigError: the version cannot be read; an action asks for more dimensions than the model's embeddings have, or
            for exemplars that the policy's files do not hold; what the policy protects is retained as well; or the
            auxiliary models are not there, or made for another model.
        EngineError: the checkpoint lacks what the policy needs.
    """
    secret, now = load_secret(), datetime.now(UTC)
    whole = version.policy()
    policy = whole.enforced(now)
    protected = learn_protected(policy)
    # Reads the table of look-alikes now, and not when the first Greek letter of an answer comes, in the event loop.
    plain_letter("\u03b1")
    encoder = before.detector.encoder if before else None
    detector = load_detector(version.artifact, policy=whole, secret=secret, encoder=encoder, at=now)
    text = before.text if before else ModelText.from_checkpoint(settings.model)
    actions = [action for topic in policy.topics for action in topic.actions]
    shows = any(isinstance(action, IculAction) for action in actions)
    exemplars = IndexedExemplars(detector.neighbours, detector.encoder, whole, secret=secret) if shows else None
    corrupter = None
    if policy.corrupts:
        known = before.corrupter if before else None
        table = known.table if known else EmbeddingTable.from_checkpoint(settings.model)
        _check_dimensions(policy, table.hidden)
        corrupter = known or Corrupter(Renderer(text.tokenizer), table, secret=secret)
    classified = any(topic.output.classify for topic in policy.topics)
    return Parts(
        number=version.number,
        of=version.folder.parent.name,
        by=version.record.by,
        policy=policy,
        until=min((t.expires for t in policy.topics if t.expires is not None), default=None),
        version=policy_id(policy, version.artifact, secret),
        detector=detector,
        text=text,
        corrupter=corrupter,
        protected=protected,
        exemplars=exemplars,
        auxiliary=_auxiliary(policy, text.tokenizer, settings.model),
        readers=(AnswerReader(detector, policy),) if classified else (),
    )


def _auxiliary(policy: Policy, tokenizer: Any, model: str) -> Auxiliary | None:
    if not policy.diverges or policy.auxiliary is None:
        return None
    found = Auxiliary.read(policy.auxiliary)
    found.check(tokenizer, logits_of(model))
    return found


def _check_dimensions(policy: Policy, hidden: int) -> None:
    asked = [(t.name, a.dimensions) for t in policy.topics for a in t.actions if isinstance(a, CorruptAction)]
    for name, dimensions in asked:
        if dimensions is not None and dimensions > hidden:
            raise ConfigError(
                f"the topic {name!r} corrupts {dimensions} dimensions, but the model's embeddings have {hidden}; "
                "give fewer, or leave `dimensions` out to change them all"
            )
