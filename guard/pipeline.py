"""detect, decide, act: a conversation in, a plan out, with the guard of what will be answered."""

from __future__ import annotations

from collections.abc import Sequence

from guard.act.corrupt import Corrupter
from guard.act.prefix import guardrail, moved, with_system
from guard.act.refuse import DECLINE, refusal
from guard.conversation import without
from guard.decide import Clear, Deny, decide
from guard.errors import ConfigError
from guard.output.protected import Protected
from guard.output.watch import GuardedOutput
from guard.policy import CorruptAction, Policy
from guard.secret import load_secret
from guard.types import Ask, Conversation, Corrupt, Detection, Detector, Output, Pass, Plan, Refuse


class Pipeline:
    """The guard's whole way, without HTTP and without an engine. Safe to share between threads."""

    def __init__(
        self,
        policy: Policy,
        detector: Detector,
        corrupter: Corrupter | None,
        protected: Protected | None = None,
        *,
        secret: bytes | None = None,
    ) -> None:
        """Without anything `protected` answers are not looked at. `secret` chooses among refusals; left out, it is the
        installation's own.

        Raises:
            ConfigError: a topic asks for corruption and there is no corrupter.
        """
        if corrupter is None and any(isinstance(a, CorruptAction) for topic in policy.topics for a in topic.actions):
            raise ConfigError("the policy corrupts prompts, which needs the model's checkpoint; name it with --model")
        self._policy = policy
        self._detector = detector
        self._corrupter = corrupter
        self._protected = protected
        self._secret = load_secret() if secret is None else secret

    def plan(self, conversation: Conversation) -> Plan:
        """Decide what becomes of a request; CPU-bound, call it in a thread.

        Raises:
            DetectorError: detection failed; the request must not be served.
            EngineError: the prompt had to be corrupted and could not be; the request must not be served.
            RequestError: the model's chat template refuses the order of turns.
        """
        detections = self._detector.detect(conversation)
        decision = decide(detections, self._policy)
        text = refusal(conversation, secret=self._secret)
        output = self._output(conversation, detections, text)
        if isinstance(decision, Clear):
            # The subject has changed; what the model is not to know it must not read in the history either.
            gone = self._detector.stale(conversation)
            return Ask(without(conversation, gone), text, output) if gone else Pass(output)
        if isinstance(decision, Deny):
            return Ask(DECLINE, text, output) if decision.own else Refuse(text)
        asked, targets = conversation, decision.corrupted
        if decision.prefixed:
            asked = with_system(conversation, guardrail(decision.prefixed))
            added = len(asked.messages) - len(conversation.messages)
            targets = tuple((moved(detection, added), action) for detection, action in targets)
        if not targets:
            return Ask(asked, text, output)
        if self._corrupter is None:
            return Refuse(text)
        return Corrupt(self._corrupter.corrupt(asked, targets), text, output)

    def _output(self, conversation: Conversation, alive: Sequence[Detection], text: str) -> Output | None:
        if self._protected is None or not self._protected.marks:
            return None
        return GuardedOutput(self._protected, conversation, asked=[found.topic for found in alive], refusal=text)
