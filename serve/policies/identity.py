"""What stands for a policy in records: a keyed hash of all that decides."""

from __future__ import annotations

import json
from pathlib import Path

from classifiers.artifact import seal
from guard.policy import Policy
from guard.secret import digest
from guard.steer.auxiliary import Auxiliary


def policy_id(policy: Policy, artifact: Path, secret: bytes) -> str:
    """16 hexadecimal digits for what the policy says, and the classifier with the examples that it was fitted to.

    Raises:
        ArtifactError: there is no such artifact.
        ConfigError: there are no auxiliary models where the policy says.
    """
    # Where the files lie is of no account; what is in them the artifact's seal covers.
    told = policy.model_dump(mode="json", exclude={"retain", "auxiliary"})
    for topic in told["topics"]:
        del topic["examples"]
    if policy.auxiliary is not None:
        told["auxiliary"] = Auxiliary.read(policy.auxiliary).identity
    if policy.unreadable == "refuse":
        # As every policy did before there was a choice: theirs are the same versions still.
        del told["unreadable"]
    return digest(secret, b"policy version", json.dumps(told).encode(), seal(artifact)).hex()[:16]
