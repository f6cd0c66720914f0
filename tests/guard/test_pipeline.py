import pytest
import torch

from guard.act.corrupt import Corrupter
from guard.act.refuse import PHRASINGS, refusal
from guard.conversation import single
from guard.errors import ConfigError, DetectorError
from guard.pipeline import Pipeline
from guard.policy import CorruptAction, Policy, RefuseAction, Topic
from guard.types import Corrupt, Detection, Pass, Refuse, Span

SECRET = b"s" * 32


class WordDetector:
    """Flags topic `blurred` on "Mira" and `denied` on "Oren"; breaks on "boom"."""

    def detect(self, conversation):
        text = conversation.messages[-1].text
        if "boom" in text:
            raise DetectorError("broken")
        out = []
        for word, topic in (("Mira", "blurred"), ("Oren", "denied")):
            if word in text:
                start = text.index(word)
                out.append(Detection(topic, 0.9, (Span(0, start, start + len(word)),)))
        return tuple(out)


@pytest.fixture
def policy(policy_folder):
    path = policy_folder / "a.jsonl"
    blurred = Topic(name="blurred", examples=path, action=CorruptAction(kind="corrupt"))
    denied = Topic(name="denied", examples=path, action=RefuseAction(kind="refuse"))
    return Policy(version=1, topics=(blurred, denied))


@pytest.fixture
def pipeline(policy, checkpoint):
    return Pipeline(policy, WordDetector(), Corrupter.from_checkpoint(str(checkpoint), secret=SECRET), secret=SECRET)


def test_plans(pipeline):
    assert pipeline.plan(single("What is the capital of France?")) == Pass()
    corrupted = pipeline.plan(single("Where was Mira born?"))
    assert isinstance(corrupted, Corrupt)
    assert isinstance(corrupted.embeds, torch.Tensor)
    assert isinstance(pipeline.plan(single("Mira and Oren?")), Refuse)


def test_a_detector_that_fails_is_never_a_pass(pipeline):
    with pytest.raises(DetectorError):
        pipeline.plan(single("boom"))


def test_corruption_without_a_corrupter_is_refused_at_start(policy):
    with pytest.raises(ConfigError, match="--model"):
        Pipeline(policy, WordDetector(), None, secret=SECRET)


def test_the_same_question_gets_the_same_refusal_and_others_get_others():
    asked = [single(f"Where was Oren born, {number}?") for number in range(60)]
    given = [refusal(conversation, secret=SECRET) for conversation in asked]
    assert given == [refusal(conversation, secret=SECRET) for conversation in asked]
    assert set(given) == set(PHRASINGS)
    assert given != [refusal(conversation, secret=b"q" * 32) for conversation in asked]
