"""Finds a policy's topics in a conversation, with a fitted artifact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from classifiers.artifact import Artifact, load_artifact
from classifiers.data import load_examples
from classifiers.encoder import Encoder, Floats
from classifiers.features import joined, unit_words
from classifiers.index import Neighbours
from classifiers.remember import RememberedScores
from classifiers.slips import Mender
from classifiers.spans import AliasFinder, merged_spans, occlude, with_names
from classifiers.windows import Window, request_windows
from guard.conversation import earlier_turns, single
from guard.errors import ArtifactError, DetectorError
from guard.followup import stands_alone
from guard.policy import Policy
from guard.types import Conversation, Detection, Span

# Narrowing a span down costs some thirty scorings.
_NARROWED = 4

# Of clean requests as many again may be in doubt as may be flagged: their answers can lose what others may say.
_DOUBT = 2

PROBE = "the quick brown fox jumps over the lazy dog"


@contextmanager
def _failing_closed() -> Iterator[None]:
    """What fails is a failure of detection, never a clean request."""
    try:
        yield
    except Exception as error:
        raise DetectorError("detection failed; the request must not be served") from error


class ArtifactDetector:
    """Scores every reading of a conversation; a topic is flagged by its best window. Safe to share between threads."""

    def __init__(self, artifact: Artifact, encoder: Encoder, policy: Policy | None, at: datetime | None = None) -> None:
        """Topics of the policy that have expired `at` that time, else by now, are never found."""
        self._artifact = artifact
        self._encoder = encoder
        live = policy.enforced(at or datetime.now(UTC)) if policy else None
        self._enforced = np.array([live is None or live.topic(name) is not None for name in artifact.topics])
        self._score = RememberedScores(lambda texts: score(artifact, encoder, texts), len(artifact.topics))
        aliases = {topic.name: topic.aliases for topic in policy.topics} if policy else {}
        self._finders = [AliasFinder(aliases.get(name, ())) for name in artifact.topics]
        named = [alias for own in aliases.values() for alias in own]
        self._mender = Mender(named, _retained(policy) if policy and named else ())

    @property
    def encoder(self) -> Encoder:
        """What turns texts into the index's vectors."""
        return self._encoder

    @property
    def neighbours(self) -> Neighbours:
        """The policy's examples as vectors."""
        return self._artifact.neighbours

    @_failing_closed()
    def detect(self, conversation: Conversation) -> tuple[Detection, ...]:
        """See `guard.types.Detector`.

        Raises:
            DetectorError: on any failure at all.
        """
        windows, scores = self._scored(conversation)
        logits, calibration = _worst(scores), self._artifact.calibration
        probabilities = calibration.probabilities(logits)
        threshold = calibration.threshold(len(windows))
        flagged = [int(topic) for topic in np.argsort(-logits) if self._enforced[topic] and logits[topic] > threshold]
        return tuple(
            Detection(
                self._artifact.topics[topic],
                float(probabilities[topic]),
                self._spans(topic, conversation, windows[int(scores[:, topic].argmax())], threshold, rank < _NARROWED),
            )
            for rank, topic in enumerate(flagged)
        )

    def threshold(self, conversation: Conversation) -> float:
        """The probability that flags a topic where it is exceeded; it depends on the request's size."""
        calibration = self._artifact.calibration
        logit = calibration.threshold(len(request_windows(conversation)))
        return float(calibration.probabilities(np.array([logit], dtype=np.float32))[0])

    @_failing_closed()
    def doubted(self, conversation: Conversation) -> frozenset[str]:
        """See `guard.types.Detector`: what would be flagged if twice as many clean requests might be.

        Raises:
            DetectorError: on any failure at all.
        """
        windows, scores = self._scored(conversation)
        calibration, rate = self._artifact.calibration, float(self._artifact.figures["target_rate"])
        grey = calibration.quantile(len(windows), 1 - _DOUBT * rate)
        return self._above(scores, grey) - self._above(scores, calibration.threshold(len(windows)))

    def forget(self) -> None:
        """Forget what was scored, so that the next request costs what a first one does."""
        self._score.clear()

    @_failing_closed()
    def stale(self, conversation: Conversation) -> frozenset[int]:
        """See `guard.types.Detector`. A turn that leans on a flagged one goes with it.

        Tools' results, which are read whatever their age, count as they do there: with the threshold of all of it.

        Raises:
            DetectorError: on any failure at all.
        """
        messages = conversation.messages
        limit = self._artifact.calibration.threshold(len(request_windows(conversation)))
        gone: set[int] = set()
        for turn in earlier_turns(conversation):
            said = "\n".join(messages[i].text for i in turn if messages[i].role == "user")
            leans = bool(gone) and not stands_alone(said)
            told = (messages[i].text for i in turn if messages[i].role in ("user", "assistant"))
            given = (messages[i].text for i in turn if messages[i].role == "tool")
            if leans or any(map(self.flagged, told)) or any(self._found(single(text), limit) for text in given):
                gone |= set(turn)
        return frozenset(gone)

    def flagged(self, text: str) -> frozenset[str]:
        """The topics that a text by itself is about.

        Raises:
            DetectorError: on any failure at all.
        """
        return self.found(single(text))

    @_failing_closed()
    def found(self, conversation: Conversation) -> frozenset[str]:
        """The topics that `detect` finds, without looking for where they stand, which takes most of its time.

        Raises:
            DetectorError: on any failure at all.
        """
        return self._found(conversation, None)

    def _found(self, conversation: Conversation, threshold: float | None) -> frozenset[str]:
        """The topics above a threshold; None: above that of the conversation."""
        windows, scores = self._scored(conversation)
        own = self._artifact.calibration.threshold(len(windows)) if threshold is None else threshold
        return self._above(scores, own)

    def _scored(self, conversation: Conversation) -> tuple[list[Window], Floats]:
        """What is read of a conversation, and its log-odds (windows x topics), of a name's slips as of the name."""
        found = request_windows(conversation)
        scores = self._score(list(found))
        mended = [(row, meant) for row, text in enumerate(found) if (meant := self._mender.mend(text)) is not None]
        if mended:
            rows = [row for row, _ in mended]
            scores[rows] = np.maximum(scores[rows], self._score([meant for _, meant in mended]))
        if not np.isfinite(scores).all():
            raise DetectorError("scores are not finite")
        return list(found.values()), scores

    def _above(self, scores: Floats, threshold: float) -> frozenset[str]:
        above = self._enforced & (_worst(scores) > threshold)
        return frozenset(self._artifact.topics[i] for i in np.flatnonzero(above))

    def _spans(
        self, topic: int, conversation: Conversation, worst: Window, threshold: float, narrow: bool
    ) -> tuple[Span, ...]:
        """The topic's names wherever they stand; where the worst window's messages hold none, its heaviest words.

        With half of a misspelt name the other half would still say who is meant: so what is nearly a name counts too,
        and all of a name of which a part weighs.
        """
        finder = self._finders[topic]
        spans = [
            Span(number, start, end)
            for number, message in enumerate(conversation.messages)
            for start, end in finder.find(message.text)
        ]
        if not any(span.message in worst.reading.messages for span in spans):
            heavy = self._heavy(topic, worst.text, threshold) if narrow else [(0, len(worst.text))]
            heavy += finder.close(worst.text) + [(start, end) for start, end, _ in self._mender.slips(worst.text)]
            texts = [message.text for message in conversation.messages]
            found = (span for start, end in heavy for span in worst.spans(start, end))
            spans += [Span(s.message, *with_names(texts[s.message], s.start, s.end)) for s in found]
        return merged_spans(spans)

    def _heavy(self, topic: int, text: str, threshold: float) -> list[tuple[int, int]]:
        def logits(texts: list[str]) -> Floats:
            return self._score(texts)[:, topic]

        return occlude(text, logits, threshold)


def _retained(policy: Policy) -> Iterator[str]:
    for example in load_examples(policy.retain) if policy.retain else ():
        yield f"{example.question}\n{example.answer}"


def _worst(scores: Floats) -> Floats:
    """The highest log-odds of each topic; nothing said is about none."""
    return np.asarray(scores.max(axis=0, initial=-np.inf), dtype=np.float32)


def score(artifact: Artifact, encoder: Encoder, texts: list[str]) -> Floats:
    """Log-odds (texts x topics) of normalised windows."""
    if artifact.tuned is not None:
        return artifact.tuned.logits(texts)
    vectors = encoder.encode(texts)
    features = joined(vectors, artifact.spelling.transform(texts))
    return artifact.head.logits(features) + artifact.nearness.logits(vectors, unit_words(features.sparse))


def load_detector(
    artifact: Path,
    *,
    policy: Policy | None,
    secret: bytes,
    encoder: Encoder | None = None,
    at: datetime | None = None,
) -> ArtifactDetector:
    """Verify an artifact against the policy and load its encoder (`encoder` spares that where one is loaded already).

    Without a policy the names are unknown, and spans hold the words that weigh most. Topics of the policy that have
    expired `at` that time, else by now, are never found.

    Raises:
        ArtifactError: missing, damaged or fitted for something else; says to run `lethe fit`.
        ConfigError: the encoder cannot be loaded.
    """
    loaded = load_artifact(artifact, policy=policy, secret=secret)
    if encoder is None or (encoder.name, encoder.form) != (loaded.encoder, loaded.form):
        encoder = Encoder(loaded.encoder, form=loaded.form)
    now = encoder.encode([PROBE])[0]
    if now.shape != loaded.probe.shape or float(now @ loaded.probe) < 0.999:
        raise ArtifactError(
            f"the encoder {loaded.encoder!r} gives other vectors than at the fit; run `lethe fit` again"
        )
    return ArtifactDetector(loaded, encoder, policy, at)
