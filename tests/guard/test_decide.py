import pytest

from guard.decide import Change, Clear, Deny, decide
from guard.errors import DetectorError
from guard.policy import CorruptAction, Policy, PrefixAction, RefuseAction, Topic
from guard.types import Detection

BLUR = CorruptAction(kind="corrupt")
TELL = PrefixAction(kind="prefix")


@pytest.fixture
def policy(policy_folder):
    path = policy_folder / "a.jsonl"
    blurred = Topic(name="blurred", examples=path, actions=(BLUR,))
    denied = Topic(name="denied", examples=path, actions=(RefuseAction(kind="refuse"),))
    told = Topic(name="told", aliases=("Ida Kern",), actions=(TELL,))
    return Policy(version=1, topics=(blurred, denied, told))


def test_nothing_found_is_clear(policy):
    assert decide((), policy) == Clear()


def test_refusal_is_stronger_than_corruption(policy):
    blurred, denied = Detection("blurred", 0.99), Detection("denied", 0.6)
    assert decide((blurred,), policy) == Change(corrupted=((blurred, BLUR),))
    assert decide((blurred, denied), policy) == Deny()


def test_topics_that_change_the_prompt_all_do(policy):
    blurred, told = Detection("blurred", 0.7), Detection("told", 0.9)
    assert decide((told, blurred), policy) == Change(((blurred, BLUR),), ((policy.topics[2], TELL),))
    assert decide((told, Detection("denied", 0.5)), policy) == Deny()


def test_unknown_topic_is_an_error_even_beside_a_refusal(policy):
    with pytest.raises(DetectorError, match="lethe fit"):
        decide((Detection("denied", 0.9), Detection("stranger", 0.5)), policy)
