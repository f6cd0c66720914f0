"""detect, decide, act: a conversation in, a plan out, with the guard of what will be answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from guard.act.again import Anew
from guard.act.corrupt import Corrupter
from guard.act.icul import choose, moved_past, with_exemplars
from guard.act.prefix import guardrail, moved, with_system
from guard.act.refuse import DECLINE, refusal
from guard.conversation import leans, superseded, without
from guard.decide import Change, Clear, Deny, decide
from guard.errors import ConfigError
from guard.output.protected import Protected
from guard.output.watch import GuardedOutput
from guard.policy import IculAction, Policy
from guard.secret import load_secret
from guard.steer.auxiliary import Auxiliary
from guard.timed import Timed
from guard.types import (
    Ask,
    Conversation,
    Corrupt,
    Detection,
    Detector,
    Diverge,
    Exemplar,
    Exemplars,
    Grounds,
    Output,
    Pass,
    Plan,
    Reader,
    Refuse,
    Strengths,
)


class Pipeline:
    """The guard's whole way, without HTTP and without an engine. Safe to share between threads."""

    def __init__(
        self,
        policy: Policy,
        detector: Detector,
        corrupter: Corrupter | None,
        protected: Protected | None = None,
        *,
        exemplars: Exemplars | None = None,
        auxiliary: Auxiliary | None = None,
        readers: Sequence[Reader] = (),
        secret: bytes | None = None,
    ) -> None:
        """Without anything `protected` answers are not looked at; `readers` read them where a topic is alive. `secret`
        chooses among refusals; left out, it is the installation's own. `auxiliary` are the policy's models.

        Raises:
            ConfigError: a topic asks for corruption and there is no corrupter, or for exemplars or auxiliary models and
                there are none.
        """
        actions = [action for topic in policy.topics for action in topic.actions]
        if corrupter is None and policy.corrupts:
            raise ConfigError("the policy corrupts prompts, which needs the model's checkpoint; name it with --model")
        if policy.decodes and (protected is None or not protected.marks):
            raise ConfigError("the policy's `decode` has nothing to turn answers away from; give examples with answers")
        if exemplars is None and any(isinstance(action, IculAction) for action in actions):
            raise ConfigError("the policy shows exemplars, which needs the classifier's index; give it to the pipeline")
        if policy.diverges and auxiliary is None:
            raise ConfigError("the policy compares auxiliary models, and there are none; give them to the pipeline")
        self._policy = policy
        self._detector = detector
        self._corrupter = corrupter
        self._protected = protected
        self._exemplars = exemplars
        self._auxiliary = auxiliary
        self._readers = tuple(readers)
        self._secret = load_secret() if secret is None else secret

    def plan(self, conversation: Conversation) -> Plan:
        """Decide what becomes of a request; CPU-bound, call it in a thread.

        Raises:
            DetectorError: detection failed; the request must not be served.
            EngineError: the prompt had to be corrupted and could not be; the request must not be served.
            RequestError: the model's chat template refuses the order of turns.
        """
        detector = Timed(self._detector)
        detections = detector.detect(conversation)
        plan, action = self._planned(conversation, detections, detector)
        topics = tuple(found.topic for found in detections)
        return replace(plan, grounds=Grounds(topics, action, detector.seconds))

    def _planned(
        self, conversation: Conversation, detections: tuple[Detection, ...], detector: Detector
    ) -> tuple[Plan, str]:
        """The plan, and what it does to the prompt, as the grounds call it."""
        text = refusal(conversation, secret=self._secret)
        if detections and (shorter := self._since(conversation, detector)) is not None:
            request = self._request(shorter, (), text, detector)
            return Ask(shorter, text, self._output(request, Change())), "shorten"
        decision = decide(detections, self._policy)
        request = self._request(conversation, detections, text, detector)
        if isinstance(decision, Clear):
            # The subject has changed; what the model is not to know it must not read in the history either.
            gone = detector.stale(conversation)
            request = replace(request, conversation=without(conversation, gone))
            output = self._output(request, Change())
            return (Ask(request.conversation, text, output), "shorten") if gone else (Pass(output), "pass")
        if isinstance(decision, Deny):
            if decision.own:
                return Ask(DECLINE, text, self._output(request, None)), "refuse-own"
            return Refuse(text), "refuse"
        if decision.exemplified and self._exemplars is not None:
            shown = choose(self._exemplars, decision.exemplified, conversation, secret=self._secret)
            # A topic may be so small that all of it is what is asked now: then there is nothing to show.
            if not shown:
                return Refuse(text), "refuse"
            request = replace(request, shown=shown)
        plan = self._change(request, decision, self._output(request, decision))
        return plan, "refuse" if isinstance(plan, Refuse) else _kinds(decision)

    def _since(self, conversation: Conversation, detector: Detector) -> Conversation | None:
        """Without what was said of a topic before the turn that the question leans on, if it is clean then.

        "And when did she die?" is about whom the last complete question named. Should it mean somebody earlier, it asks
        in vain, since the model does not read of them. A question that leans on nothing is flagged for what a tool once
        gave back: it is asked without that.
        """
        gone = detector.stale(conversation)
        gone = superseded(conversation, gone) if leans(conversation) else gone
        shorter = without(conversation, gone)
        return shorter if gone and not detector.detect(shorter) else None

    def _request(
        self, conversation: Conversation, found: Sequence[Detection], text: str, detector: Detector
    ) -> _Request:
        doubted = detector.doubted(conversation) if self._protected is not None else frozenset()
        return _Request(conversation, conversation, tuple(one.topic for one in found), doubted, text)

    def _change(self, request: _Request, change: Change, output: Output | None) -> Plan:
        """Exemplars, then the guardrail before them, then corruption of the whole."""
        conversation, shown = request.conversation, request.shown
        asked = with_exemplars(conversation, shown)
        targets = tuple((moved_past(found, conversation, shown), action) for found, action in change.corrupted)
        if change.prefixed:
            before = len(asked.messages)
            asked = with_system(asked, guardrail(change.prefixed))
            targets = tuple((moved(found, len(asked.messages) - before), action) for found, action in targets)
        steer, diverge = self._steer(change), self._diverge(request, change)
        if not targets:
            return Ask(asked, request.refusal, output, steer, diverge)
        # Of what is said aside (tools, calls) nobody knows which tokens the template makes of it.
        aside = any(asked.messages[span.message].aside for found, _ in targets for span in found.spans)
        if self._corrupter is None or aside:
            return Refuse(request.refusal)
        return Corrupt(self._corrupter.corrupt(asked, targets), request.refusal, output, steer, diverge)

    def _steer(self, change: Change) -> Strengths:
        """What is protected of the topics, but for their names, which tell nothing to who asked about them."""
        wanted = {topic.name: action.strength for topic, action in change.steered}
        if not wanted or self._protected is None:
            return ()
        found = {
            key: max(wanted[mark.topic] for mark in own)
            for key, marks in self._protected.marks.items()
            if (own := [mark for mark in marks if mark.topic in wanted and not mark.name])
        }
        return tuple(sorted(found.items()))

    def _diverge(self, request: _Request, change: Change) -> Diverge | None:
        """What the auxiliary models are asked: the question as it is, or they would not know what it is about."""
        if not change.diverged or self._auxiliary is None:
            return None
        alpha = max((action.alpha for action in change.diverged if action.form == "linear"), default=0.0)
        top = max((action.top for action in change.diverged if action.form == "rank"), default=0)
        return Diverge(self._auxiliary, request.conversation, alpha, top)

    def _output(self, request: _Request, change: Change | None) -> Output | None:
        """The guard of what answers a changed prompt; None for one that shows the model nothing of the request.

        Of a topic whose words are corrupted nothing is alive: the model cannot read that it is asked about it. What is
        right in its answer is then chance, as it is with a model that never learned; to cut just the right guesses
        would tell them from the wrong ones.
        """
        protected = self._protected
        if protected is not None and request.shown:
            # What the model is shown must not come back out.
            protected = protected.beside([one.question for one in request.shown], request.asked[0])
        if protected is None or not protected.marks:
            return None
        unread = {found.topic for found, _ in change.corrupted} if change else frozenset()
        return GuardedOutput(
            protected,
            request.said,
            asked=[topic for topic in request.asked if topic not in unread],
            doubted=request.doubted - unread,
            refusal=request.refusal,
            again=self._again(request, protected, change),
            readers=self._readers,
        )

    def _again(self, request: _Request, protected: Protected, change: Change | None) -> Anew | None:
        if change is None or not any(action == "again" for action in protected.on_hit.values()):
            return None

        def make(other: Change) -> Plan:
            return self._change(request, other, self._output(request, other))

        return Anew(self._policy, protected, request.conversation, change, make)


@dataclass(frozen=True)
class _Request:
    """What is to be answered: all that was `said`, what of it the model may read, the topics `asked` about and those
    `doubted`, and the exemplars `shown` before it.
    """

    said: Conversation
    conversation: Conversation
    asked: tuple[str, ...]
    doubted: frozenset[str]
    refusal: str
    shown: tuple[Exemplar, ...] = ()


def _kinds(change: Change) -> str:
    """The kinds of actions of a change, in the order in which they act."""
    asked = {
        "icul": change.exemplified,
        "prefix": change.prefixed,
        "corrupt": change.corrupted,
        "decode": change.steered,
        "diverge": change.diverged,
    }
    return "+".join(kind for kind, of in asked.items() if of)
