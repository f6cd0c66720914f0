"""Small records that travel through the guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch

    from guard.steer.auxiliary import Auxiliary


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; `role` is system, user, assistant or tool, `text` is plain text.

    `more` are further fields that the chat template gets of it. What is said in those, or in a conversation's
    `template`, stands in messages that are `aside`: texts that are read like any other, and are no turns themselves.
    """

    role: str
    text: str
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)
    aside: bool = False


@dataclass(frozen=True)
class Conversation:
    """What the model would read, oldest turn first, whatever dialect it came in.

    Where it is `raw`, the text of its one message is the whole prompt, in no chat template. `template` is what a chat
    template gets besides the turns, such as tools.
    """

    messages: tuple[Message, ...]
    raw: bool = False
    template: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Span:
    """Characters [start, end) of message number `message` that carry a topic."""

    message: int
    start: int
    end: int


@dataclass(frozen=True)
class Detection:
    """One topic found alive in a conversation."""

    topic: str
    probability: float
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Exemplar:
    """A question and an answer that the model is shown before the caller's own (in-context unlearning).

    `topic` is the one to forget that the question is about, None for what is retained; `names` are characters
    [start, end) of the question that name it.
    """

    question: str
    answer: str
    topic: str | None = None
    names: tuple[tuple[int, int], ...] = ()


class Detector(Protocol):
    """Finds the topics that are alive in a conversation."""

    def detect(self, conversation: Conversation) -> tuple[Detection, ...]:
        """Return the flagged topics, most probable first; () means clean.

        Raises:
            DetectorError: detection failed; the caller must not read this as clean.
        """
        ...

    def doubted(self, conversation: Conversation) -> frozenset[str]:
        """Return the topics that are not flagged, but too likely to be taken for absent.

        Raises:
            DetectorError: detection failed.
        """
        ...

    def stale(self, conversation: Conversation) -> frozenset[int]:
        """Return the messages of earlier turns that are about a topic, where what is asked now is not.

        Raises:
            DetectorError: detection failed.
        """
        ...


class Masked(NamedTuple):
    """At character `at` of a release, `shown` characters stand for `hidden` ones that the model wrote."""

    at: int
    shown: int
    hidden: int


@dataclass(frozen=True)
class Release:
    """What of an answer may leave now; where it has `ended`, nothing that the model still writes may.

    But for what is `masked`, it is what the model wrote, from where the last release ended.
    Where it told of topics `again`, nothing has left yet: the model may be asked again, and `text` leaves if it is not.
    Where it stands `instead`, the text is no part of the answer but the whole of what is said in its place.
    """

    text: str
    ended: bool = False
    again: frozenset[str] = frozenset()
    instead: bool = False
    masked: tuple[Masked, ...] = ()

    def then(self, later: Release) -> Release:
        """This one and a later one as one."""
        moved = (mask._replace(at=mask.at + len(self.text)) for mask in later.masked)
        return replace(later, text=self.text + later.text, masked=(*self.masked, *moved))


class Watch(Protocol):
    """Guards one text while it is written, such as one choice of a stream."""

    def feed(self, text: str) -> Release:
        """Take the next characters of the model; returns what may leave."""
        ...

    def finish(self) -> Release:
        """No more will come; returns the rest."""
        ...


class Output(Protocol):
    """Guards the answers to one request."""

    def watch(self, *, whole: bool = False) -> Watch:
        """A fresh watch, one for each text (choice) that is written; `whole` where none of it leaves before its end."""
        ...

    @property
    def slow(self) -> bool:
        """Whether watches may take long: then they are called in a thread."""
        ...

    def again(self, topics: frozenset[str], number: int, *, drawn: bool) -> Corrupt | None:
        """What the model is asked for the `number`th time after the first, since an answer told of `topics`.

        None: it is not asked again. `drawn`: tokens are drawn at random, so that the same prompt may be answered
        otherwise. CPU-bound, call it in a thread.
        """
        ...


class Reader(Protocol):
    """Reads the sentences of answers in which topics are alive. It may take long: never call it on an event loop."""

    def told(self, conversation: Conversation, sentence: str, topics: frozenset[str]) -> frozenset[str]:
        """Which of `topics` the sentence, said in answer to the conversation, tells of.

        Raises:
            DetectorError: it could not be read; it must not be taken for clean.
        """
        ...


class Exemplars(Protocol):
    """Knows examples of every topic and of what is retained."""

    def nearest(
        self, topic: str, conversation: Conversation, *, forget: int, retain: int, wrong: bool
    ) -> tuple[tuple[Exemplar, ...], tuple[Exemplar, ...]]:
        """At most `forget` of the topic and `retain` of what is retained, nearest to the conversation first.

        What is asked now is never among them. The topic's own have wrong answers, or none without `wrong`; no true
        answer of theirs stands anywhere, unless it is a mere label that other questions have too.
        """
        ...


@dataclass(frozen=True)
class Grounds:
    """Why a plan is what it is, for the operator's records alone: no caller may learn of it.

    `topics` were found alive, most probable first; `action` is pass, shorten (earlier turns about a topic are left
    out), refuse, refuse-own (in the model's own words), or kinds of actions on prompts, as prefix+corrupt; `detect_s`
    is what detection took, in seconds.
    """

    topics: tuple[str, ...] = ()
    action: str = "pass"
    detect_s: float = 0.0


@dataclass(frozen=True)
class Pass:
    """Send the request on, unchanged."""

    output: Output | None = None
    grounds: Grounds = field(default=Grounds(), compare=False)


@dataclass(frozen=True)
class Refuse:
    """Answer with `text` and never ask the model."""

    text: str
    grounds: Grounds = field(default=Grounds(action="refuse"), compare=False)


# Spans as `guard.output.letters.key_of` writes them, and how much less likely each is made, in nats.
Strengths = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Diverge:
    """Turn the answer away from what the auxiliary `models` say of the plain `conversation`, as
    `guard.steer.divergence` does with `alpha` and `top`; 0 leaves out a form.
    """

    models: Auxiliary
    conversation: Conversation
    alpha: float = 0.0
    top: int = 0


@dataclass(frozen=True)
class Corrupt:
    """Ask the model with these prompt embeddings (tokens x hidden, the checkpoint's dtype, finite) instead of text.

    Where they have no room, since other actions made the prompt longer, answer with `refusal`. The answer is turned
    away from the spans in `steer`, as `guard.steer` does, and as `diverge` says.
    """

    embeds: torch.Tensor
    refusal: str
    output: Output | None = None
    steer: Strengths = ()
    diverge: Diverge | None = None
    grounds: Grounds = field(default=Grounds(action="corrupt"), compare=False)


@dataclass(frozen=True)
class Ask:
    """Ask the model this instead of what the caller wrote; where it has no room, answer with `refusal`.

    `steer` and `diverge` as in `Corrupt`.
    """

    conversation: Conversation
    refusal: str
    output: Output | None = None
    steer: Strengths = ()
    diverge: Diverge | None = None
    grounds: Grounds = field(default=Grounds(action="ask"), compare=False)


Plan = Pass | Refuse | Corrupt | Ask
