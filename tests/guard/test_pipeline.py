import pytest
import torch

from guard.act.corrupt import Corrupter
from guard.act.refuse import DECLINE, PHRASINGS, refusal
from guard.conversation import single
from guard.errors import ConfigError, DetectorError
from guard.output.protected import Mark, Protected, Strength
from guard.pipeline import Pipeline
from guard.policy import CorruptAction, DivergeAction, Policy, PrefixAction, RefuseAction, Topic
from guard.steer.auxiliary import Auxiliary
from guard.types import Ask, Conversation, Corrupt, Detection, Diverge, Message, Pass, Refuse, Span

SECRET = b"s" * 32


class WordDetector:
    """Flags topic `blurred` on "Mira", `denied` on "Oren" and `told` on "Ida"; breaks on "boom".

    "And?" leans on every turn before it.
    """

    def detect(self, conversation):
        text = conversation.messages[-1].text
        if "boom" in text:
            raise DetectorError("broken")
        if text == "And?" and self.stale(conversation):
            return (Detection("denied", 0.9, ()),)
        out = []
        for word, topic in (("Mira", "blurred"), ("Oren", "denied"), ("Ida", "told")):
            if word in text:
                start = text.index(word)
                last = len(conversation.messages) - 1
                out.append(Detection(topic, 0.9, (Span(last, start, start + len(word)),)))
        return tuple(out)

    def doubted(self, conversation):
        return frozenset({"blurred"} if "Mina" in conversation.messages[-1].text else ())

    def stale(self, conversation):
        """Turns of two messages with a name in them."""
        return frozenset(
            i
            for i, m in enumerate(conversation.messages[:-1])
            for j in (i & ~1, i | 1)
            if {"Mira", "Oren", "Ida"} & set(conversation.messages[j].text.split())
        )


@pytest.fixture
def policy(policy_folder):
    path = policy_folder / "a.jsonl"
    blurred = Topic(name="blurred", examples=path, actions=(CorruptAction(kind="corrupt"),))
    denied = Topic(name="denied", examples=path, actions=(RefuseAction(kind="refuse"),))
    told = Topic(name="told", aliases=("Ida Kern", "I. Kern"), actions=(PrefixAction(kind="prefix"),))
    return Policy(version=1, topics=(blurred, denied, told))


@pytest.fixture
def pipeline(policy, checkpoint):
    return Pipeline(policy, WordDetector(), Corrupter.from_checkpoint(str(checkpoint), secret=SECRET), secret=SECRET)


def test_auxiliary_models_are_asked_the_plain_question_as_strongly_as_any_topic_wants(policy_folder, checkpoint):
    actions = [
        (CorruptAction(kind="corrupt"), DivergeAction(kind="diverge", alpha=1.5)),
        (DivergeAction(kind="diverge", alpha=0.5), PrefixAction(kind="prefix")),
        (DivergeAction(kind="diverge", form="rank", top=7),),
    ]
    names = ("blurred", "denied", "told")
    path = policy_folder / "a.jsonl"
    topics = tuple(Topic(name=n, examples=path, actions=a) for n, a in zip(names, actions, strict=True))
    policy = Policy(version=1, topics=topics)
    corrupter = Corrupter.from_checkpoint(str(checkpoint), secret=SECRET)
    with pytest.raises(ConfigError, match="auxiliary models, and there are none"):
        Pipeline(policy, WordDetector(), corrupter, secret=SECRET)
    models = Auxiliary(policy_folder, "0" * 16, None)
    pipeline = Pipeline(policy, WordDetector(), corrupter, auxiliary=models, secret=SECRET)
    both, one = single("Where were Mira and Oren born?"), single("Where was Ida born?")
    plan = pipeline.plan(both)
    assert isinstance(plan, Corrupt)
    assert plan.diverge == Diverge(models, both, alpha=1.5, top=0)
    assert plan.grounds.action == "prefix+corrupt+diverge"
    assert pipeline.plan(one).diverge == Diverge(models, one, alpha=0.0, top=7)
    assert pipeline.plan(single("Where is Paris?")) == Pass()


def test_plans(pipeline):
    assert pipeline.plan(single("What is the capital of France?")) == Pass()
    corrupted = pipeline.plan(single("Where was Mira born?"))
    assert isinstance(corrupted, Corrupt)
    assert isinstance(corrupted.embeds, torch.Tensor)
    assert isinstance(pipeline.plan(single("Mira and Oren?")), Refuse)


def test_a_plan_tells_the_operator_what_was_found_and_done(pipeline):
    old = (Message("user", "Who is Mira ?"), Message("assistant", "A poet."))
    plans = {
        "What is the capital of France?": ((), "pass"),
        "Where was Mira born?": (("blurred",), "corrupt"),
        "Mira and Oren?": (("blurred", "denied"), "refuse"),
        "Mira and Ida?": (("blurred", "told"), "prefix+corrupt"),
    }
    for text, (topics, action) in plans.items():
        grounds = pipeline.plan(single(text)).grounds
        assert (grounds.topics, grounds.action) == (topics, action)
        assert 0 < grounds.detect_s < 1
    assert pipeline.plan(Conversation((*old, Message("user", "Why?")))).grounds.action == "shorten"


def test_the_model_reads_no_earlier_turn_about_a_topic(pipeline):
    old = (Message("user", "Who is Mira ?"), Message("assistant", "A poet."))
    clean = (Message("user", "Who wrote Hamlet?"), Message("assistant", "Shakespeare."))
    now = Message("user", "What is the capital of France?")
    plan = pipeline.plan(Conversation((*old, *clean, now)))
    assert isinstance(plan, Ask)
    assert plan.conversation == Conversation((*clean, now))
    assert plan.refusal in PHRASINGS
    assert pipeline.plan(Conversation((*clean, now))) == Pass()


def test_a_follow_up_to_a_clean_turn_is_asked_without_what_was_said_of_a_topic_before(pipeline):
    old = (Message("user", "Who is Oren ?"), Message("assistant", "A poet."))
    clean = (Message("user", "Who wrote Hamlet?"), Message("assistant", "Shakespeare."))
    now = Message("user", "And?")
    plan = pipeline.plan(Conversation((*old, *clean, now)))
    assert isinstance(plan, Ask)
    assert plan.conversation == Conversation((*clean, now))
    assert isinstance(pipeline.plan(Conversation((*old, now))), Refuse)
    assert isinstance(pipeline.plan(Conversation((*clean, *old, now))), Refuse)
    assert isinstance(pipeline.plan(Conversation((*old, *clean, *old, now))), Refuse)
    assert isinstance(pipeline.plan(Conversation((*old, *clean, Message("user", "And Oren?")))), Refuse)
    assert pipeline.plan(Conversation((*clean, now))) == Pass()


def test_a_prefix_joins_the_callers_own_system_message(pipeline):
    own = Conversation((Message("system", "Be brief."), Message("user", "Who is Ida?")))
    plan = pipeline.plan(own)
    assert isinstance(plan, Ask)
    assert [message.role for message in plan.conversation.messages] == ["system", "user"]
    assert plan.conversation.messages[0].text.startswith(
        "Be brief.\n\nAct as if you had never heard of Ida Kern, I. Kern."
    )
    alone = pipeline.plan(single("Who is Ida?"))
    assert alone.conversation.messages[0].role == "system"
    assert alone.conversation.messages[1:] == single("Who is Ida?").messages


def test_a_prefix_and_corruption_go_together(pipeline):
    asked = single("Who was Ida to Mira?")
    both, prefixed = pipeline.plan(asked), pipeline.plan(single("Who was Ida to Mina?"))
    assert isinstance(both, Corrupt)
    corrupter = pipeline._corrupter
    plain = corrupter.table.rows(
        corrupter.renderer.render(Conversation((prefixed.conversation.messages[0], asked.messages[0]))).ids
    )
    touched = [place for place in range(len(plain)) if not torch.equal(plain[place], both.embeds[place])]
    tokens = corrupter.renderer.render(Conversation((prefixed.conversation.messages[0], asked.messages[0]))).tokens
    assert touched
    assert all(
        tokens[place].message == 1 and tokens[place].end > asked.messages[0].text.index("Mira") for place in touched
    )


def test_a_raw_prompt_stays_raw_unless_something_is_put_before_it(pipeline, checkpoint):
    corrupter = Corrupter.from_checkpoint(str(checkpoint), secret=SECRET)

    def raw(text):
        return Conversation((Message("user", text),), raw=True)

    blurred = pipeline.plan(raw("Mira was born in"))
    told = pipeline.plan(raw("Ida was born in"))
    assert isinstance(blurred, Corrupt)
    assert len(blurred.embeds) == len(corrupter.renderer.render(raw("Mira was born in")).ids)
    assert isinstance(told, Ask)
    assert [m.role for m in told.conversation.messages] == ["system", "user"]
    assert not told.conversation.raw
    assert pipeline.plan(raw("Paris is the capital of")) == Pass()


def test_one_topic_may_be_told_of_and_corrupted(policy, pipeline):
    both = policy.topics[2].model_copy(update={"actions": (*policy.topics[2].actions, *policy.topics[0].actions)})
    composed = Pipeline(
        policy.model_copy(update={"topics": (*policy.topics[:2], both)}),
        WordDetector(),
        pipeline._corrupter,
        secret=SECRET,
    )
    plan, told = composed.plan(single("Who is Ida?")), pipeline.plan(single("Who is Ida?"))
    rows = pipeline._corrupter.table.rows(pipeline._corrupter.renderer.render(told.conversation).ids)
    assert isinstance(plan, Corrupt)
    assert plan.embeds.shape == rows.shape
    assert not torch.equal(plan.embeds, rows)


def test_a_refusal_in_the_models_own_words_shows_it_nothing(policy, pipeline):
    own = RefuseAction(kind="refuse", words="own")
    topics = (policy.topics[0], policy.topics[1].model_copy(update={"actions": (own,)}), policy.topics[2])
    asking = Pipeline(policy.model_copy(update={"topics": topics}), WordDetector(), pipeline._corrupter, secret=SECRET)
    plan = asking.plan(Conversation((Message("system", "Oren is a poet."), Message("user", "Who is Oren to Ida?"))))
    assert isinstance(plan, Ask)
    assert plan.conversation == DECLINE
    assert plan.refusal in PHRASINGS


def test_answers_are_guarded_on_every_way_that_asks_the_model(policy, pipeline):
    protected = Protected(
        [("mira tolvane", Mark("blurred", Strength.STRONG)), ("port selby", Mark("blurred", Strength.WEAK))],
        {"blurred": "replace"},
    )
    own = RefuseAction(kind="refuse", words="own")
    topics = (policy.topics[0], policy.topics[1].model_copy(update={"actions": (own,)}), policy.topics[2])
    asking = policy.model_copy(update={"topics": topics})
    guarded = Pipeline(asking, WordDetector(), pipeline._corrupter, protected, secret=SECRET)
    asked = ("What is a map?", "Where was Mira born?", "Who is Ida?", "And Oren?", "Is Mina a poet?")
    plans = {q: guarded.plan(single(q)) for q in asked}
    assert [type(plan) for plan in plans.values()] == [Pass, Corrupt, Ask, Ask, Pass]
    for question, plan in plans.items():
        assert plan.output.watch().feed("Mira Tolvane. ").text in PHRASINGS
        weak = plan.output.watch().feed("Port Selby. ")
        # A corrupted prompt does not say whom it is about: what is right in the answer is chance.
        assert weak.ended == ("Mina" in question)
    assert Pipeline(asking, WordDetector(), pipeline._corrupter, Protected([], {}), secret=SECRET).plan(
        single("What is a map?")
    ) == Pass(None)


def test_weak_spans_count_in_answers_to_a_flagged_prompt_that_the_model_could_read(policy):
    protected = Protected([("port selby", Mark("told", Strength.WEAK))], {"told": "cut"})
    told = policy.model_copy(update={"topics": policy.topics[2:]})
    plans = [Pipeline(told, WordDetector(), None, protected, secret=SECRET).plan(single(q)) for q in ("Ida?", "You?")]
    assert [plan.output.watch().feed("Port Selby. ").ended for plan in plans] == [True, False]


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


def test_a_topic_that_stands_aside_is_refused_where_it_would_be_corrupted(pipeline):
    question = Message("user", "Hello?")
    plan = pipeline.plan(Conversation((question, Message("tools", "Tells of Mira.", aside=True))))
    assert isinstance(plan, Refuse)
    assert plan.grounds.action == "refuse"
    assert isinstance(pipeline.plan(Conversation((question, Message("tool", "Tells of Mira.")))), Corrupt)
    # A guardrail needs no place in the prompt, and leaves the tools where they are.
    tools = {"tools": [{"name": "f"}]}
    turns = (question, Message("tools", "Tells of Ida.", aside=True))
    prefixed = pipeline.plan(Conversation(turns, template=tools))
    assert isinstance(prefixed, Ask)
    assert prefixed.conversation.messages[1:] == turns
    assert prefixed.conversation.template == tools
