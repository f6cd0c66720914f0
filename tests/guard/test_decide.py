import pytest

from guard.decide import Clear, Deny, Distort, decide
from guard.errors import DetectorError
from guard.policy import CorruptAction, Policy, RefuseAction, Topic
from guard.types import Detection

BLUR = CorruptAction(kind="corrupt")


@pytest.fixture
def policy(policy_folder):
    path = policy_folder / "a.jsonl"
    blurred = Topic(name="blurred", examples=path, action=BLUR)
    denied = Topic(name="denied", examples=path, action=RefuseAction(kind="refuse"))
    return Policy(version=1, topics=(blurred, denied))


def test_nothing_found_is_clear(policy):
    assert decide((), policy) == Clear()


def test_refusal_is_stronger_than_corruption(policy):
    blurred, denied = Detection("blurred", 0.99), Detection("denied", 0.6)
    assert decide((blurred,), policy) == Distort(((blurred, BLUR),))
    assert decide((blurred, denied), policy) == Deny()


def test_unknown_topic_is_an_error_even_beside_a_refusal(policy):
    with pytest.raises(DetectorError, match="lethe fit"):
        decide((Detection("denied", 0.9), Detection("stranger", 0.5)), policy)
