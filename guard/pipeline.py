"""detect, decide, act: a conversation in, a plan out."""

from __future__ import annotations

from guard.act.corrupt import Corrupter
from guard.act.refuse import refusal
from guard.decide import Clear, Deny, decide
from guard.errors import ConfigError
from guard.policy import CorruptAction, Policy
from guard.secret import load_secret
from guard.types import Conversation, Detector, Pass, Plan, Refuse


class Pipeline:
    """The guard's whole way, without HTTP and without an engine. Safe to share between threads."""

    def __init__(
        self, policy: Policy, detector: Detector, corrupter: Corrupter | None, *, secret: bytes | None = None
    ) -> None:
        """`secret` chooses among refusals; left out, it is the installation's own.

        Raises:
            ConfigError: a topic asks for corruption and there is no corrupter.
        """
        if corrupter is None and any(isinstance(topic.action, CorruptAction) for topic in policy.topics):
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
        if isinstance(decision, Clear):
            return Pass()
        if isinstance(decision, Deny) or self._corrupter is None:
            return Refuse(refusal(conversation, secret=self._secret))
        return self._corrupter.corrupt(conversation, decision.targets)
