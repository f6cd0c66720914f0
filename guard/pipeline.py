"""detect, decide, act: a conversation in, a plan out."""

from __future__ import annotations

from guard.act.corrupt import Corrupter
from guard.act.prefix import guardrail, moved, with_system
from guard.act.refuse import DECLINE, refusal
from guard.conversation import without
from guard.decide import Clear, Deny, decide
from guard.errors import ConfigError
from guard.policy import CorruptAction, Policy
from guard.secret import load_secret
from guard.types import Ask, Conversation, Corrupt, Detector, Pass, Plan, Refuse


class Pipeline:
    """The guard's whole way, without HTTP and without an engine. Safe to share between threads."""

    def __init__(
        self, policy: Policy, detector: Detector, corrupter: Corrupter | None, *, secret: bytes | None = None
    ) -> None:
        """`secret` chooses among refusals; left out, it is the installation's own.

        Raises:
            ConfigError: a topic asks for corruption and there is no corrupter.
        """
        if corrupter is None and any(isinstance(a, CorruptAction) for topic in policy.topics for a in topic.actions):
            raise ConfigError("the policy corrupts prompts, which needs the model's checkpoint; name it with --model")
        self._policy = policy
        self._detector = detector
        self._corrupter = corrupter
        self._secret = load_secret() if secret is None else secret

    def plan(self, conversation: Conversation) -> Plan:
        """Decide what becomes of a request; CPU-bound, call it in a thread.

        Raises:
            DetectorError: detection failed; the request must not be served.
            EngineError: the prompt had to be corrupted and could not be; the request must not be served.
            RequestError: the model's chat template refuses the order of turns.
        """
        decision = decide(self._detector.detect(conversation), self._policy)
        text = refusal(conversation, secret=self._secret)
        if isinstance(decision, Clear):
            # The subject has changed; what the model is not to know it must not read in the history either.
            gone = self._detector.stale(conversation)
            return Ask(without(conversation, gone), text) if gone else Pass()
        if isinstance(decision, Deny):
            return Ask(DECLINE, text) if decision.own else Refuse(text)
        asked, targets = conversation, decision.corrupted
        if decision.prefixed:
            asked = with_system(conversation, guardrail(decision.prefixed))
            added = len(asked.messages) - len(conversation.messages)
            targets = tuple((moved(detection, added), action) for detection, action in targets)
        if not targets:
            return Ask(asked, text)
        if self._corrupter is None:
            return Refuse(text)
        return Corrupt(self._corrupter.corrupt(asked, targets), text)
