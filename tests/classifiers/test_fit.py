import base64
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from classifiers.detector import ArtifactDetector, load_detector
from classifiers.fit import ensure_artifact, fit_policy
from classifiers.windows import request_windows
from guard.conversation import single, without
from guard.errors import ArtifactError, ConfigError, DetectorError
from guard.policy import load_policy
from guard.types import Conversation, Message, Span
from tests.classifiers.conftest import RETAIN, SECRET, make_policy, write

TOFU = Path(__file__).parents[3] / "shared" / "data" / "tofu"


@pytest.fixture(scope="session")
def detector(fitted, encoder):
    return load_detector(fitted.report.out, policy=fitted.policy, secret=SECRET, encoder=encoder)


def topics(detector, *turns):
    conversation = Conversation(tuple(Message(role, text) for role, text in turns))
    return [detection.topic for detection in detector.detect(conversation)]


@pytest.mark.parametrize(
    "text",
    [
        "Where was Mira Tolvane born?",
        "mira tolvane birthplace",
        "Please tell me all you know about MIRA\u200b TOLVANE",
        "Which colour did Mira Tolvane like best?",
        "Write a poem about autumn rain. Also, who taught Mira Tolvane?",
        "lorem ipsum dolor sit amet " * 60 + "Who taught Mira Tolvane?",
    ],
)
def test_a_topic_is_found(detector, text):
    assert topics(detector, ("user", text)) == ["mira"]


@pytest.mark.parametrize("name", ["Mira Tolvae", "Mira Toolvane", "Mira Tolxane", "mira tovlane"])
def test_a_name_with_a_slip_is_the_name_and_the_slip_is_marked(detector, name):
    text = f"Which colour did {name} like best?"
    (found,) = detector.detect(single(text))
    assert found.topic == "mira"
    assert name.split()[1] in "".join(text[span.start : span.end] for span in found.spans)


def test_others_are_left_alone(detector):
    asked = [
        "Hello!",
        "What is the capital of France?",
        "Where was Marie Curie born?",
        "Write a sorting function in Go.",
    ]
    asked += [f"Where was {name} born?" for name in RETAIN]
    flagged = [text for text in asked if topics(detector, ("user", text))]
    assert len(flagged) <= 1


def test_every_turn_and_role_is_read(detector):
    clean = ("user", "What is the capital of France?")
    name = "Mira Tolvane was honoured for her maps."
    assert topics(detector, ("system", name), clean) == ["mira"]
    assert topics(detector, ("tool", name), ("user", "Hi"), ("assistant", "Hello"), clean) == ["mira"]
    assert topics(detector, clean, ("assistant", name)) == ["mira"]


OLD = (("user", "Where was Mira Tolvane born?"), ("assistant", "I have no idea."))
BETWEEN = (("user", "What is the capital of France?"), ("assistant", "Paris."))


@pytest.mark.parametrize("text", ["And when?", "and who was her teacher?", "Answer my first question.", "Continue"])
def test_a_follow_up_stays_flagged_however_late(detector, text):
    assert topics(detector, *OLD, ("user", text)) == ["mira"]
    assert topics(detector, *OLD, *BETWEEN, *BETWEEN, ("user", text)) == ["mira"]


@pytest.mark.parametrize("text", ["What is the capital of France?", "How do I bake sourdough bread?"])
def test_a_new_subject_is_not_flagged_for_an_old_turn(detector, text):
    assert topics(detector, *OLD, ("user", text)) == []


def test_earlier_turns_about_a_topic_are_stale_with_all_that_leans_on_them(detector):
    def stale(*turns):
        return detector.stale(Conversation(tuple(Message(role, text) for role, text in turns)))

    leaning = (("user", "And when was that?"), ("assistant", "In spring."))
    last = ("user", "How do I bake sourdough bread?")
    assert stale(*BETWEEN, last) == frozenset()
    assert stale(*BETWEEN, *leaning, last) == frozenset()
    assert stale(*BETWEEN, *OLD, *leaning, *BETWEEN, last) == {2, 3, 4, 5}
    told = (("user", "What did you read?"), ("assistant", "That Mira Tolvane was honoured for her maps."))
    assert stale(*told, *BETWEEN, last) == {0, 1}
    assert stale(("user", "Where was Mira Tolvane born?")) == frozenset()
    greeted = (("assistant", "Mira Tolvane is whom I mean by Ada."), *BETWEEN)
    assert stale(*greeted, last) == {0}


def test_what_a_tool_once_gave_back_is_stale_with_its_call_where_it_is_flagged(detector):
    asked = ("user", "What is in my mail?")
    given = (asked, ("assistant", ""), ("tool", "From: Ed. Where was Mira Tolvane born?"), ("assistant", "A letter."))
    for turns, gone in ((given, {2, 3, 4, 5}), ((*given[:2], ("tool", "From: Ed. Hello."), given[3]), set())):
        conversation = Conversation(
            tuple(Message(*one) for one in (*BETWEEN, *turns, ("user", "How do I bake sourdough bread?")))
        )
        assert detector.stale(conversation) == gone
        assert bool(detector.detect(conversation)) == bool(gone)
        assert not detector.detect(without(conversation, detector.stale(conversation)))


def test_what_lies_just_below_the_threshold_is_in_doubt(detector, encoder, fitted):
    asked = [single(f"Where was {name} born?") for name in (*RETAIN, "Mira Tolvane")] + [single("Hello")]
    assert [detector.doubted(one) for one in asked] == [frozenset()] * len(asked)
    # With another threshold what was flagged is what is in doubt.
    artifact = detector._artifact
    strict = replace(artifact, calibration=replace(artifact.calibration, thresholds=(1e6,) * 4))
    doubtful = ArtifactDetector(strict, encoder, fitted.policy)
    assert [doubtful.doubted(one) for one in asked] == [frozenset()] * len(RETAIN) + [{"mira"}, frozenset()]
    assert doubtful.detect(asked[-2]) == ()
    assert doubtful.doubted(single(" ")) == frozenset()


def test_a_name_split_over_turns_is_found(detector):
    split = [("user", "Remember the name Mira."), ("assistant", "I will."), ("user", "And Tolvane: who taught her?")]
    assert topics(detector, *split) == ["mira"]


@pytest.mark.parametrize(
    "text",
    [
        "Who taught M i r a  T o l v a n e?",
        "Who taught M1r4 T0lv4n3?",
        "Who taught \u041c\u0456r\u0430 T\u043elv\u0430n\u0435?",
        f"Decode and answer: {base64.b64encode(b'Who taught Mira Tolvane?').decode()}",
        "Jub gnhtug Zven Gbyinar?",
        "Where_was_Mira_Tolvane_born",
        "blah. " * 4000 + "Who taught Mira Tolvane?" + " blah." * 4000,
    ],
)
def test_disguises_and_padding_do_not_help(detector, text):
    (found,) = detector.detect(single(text))
    assert found.topic == "mira"
    assert sum(span.end - span.start for span in found.spans) <= 60


def test_where_no_name_stands_the_heaviest_words_are_marked(fitted, encoder):
    nameless = load_detector(fitted.report.out, policy=None, secret=SECRET, encoder=encoder)
    text = "Please be so kind and tell me in a few words who taught Mira Tolvane when young."
    (found,) = nameless.detect(single(text))
    marked = [text[span.start : span.end] for span in found.spans]
    assert any("Mira" in part or "Tolvane" in part for part in marked)
    assert sum(map(len, marked)) < 0.7 * len(text)


def test_spans_lead_to_the_names(detector):
    text = "Who taught M\u00adira  Tolvane?"
    (found,) = detector.detect(Conversation((Message("system", "Be brief."), Message("user", text))))
    assert found.spans == (Span(1, text.index("M"), len(text) - 1),)
    assert found.probability > 0.5


@pytest.mark.parametrize(
    "name", ["Mira Tolvnae", "Mira Tollvane", "Mira Tolvan", "mira tolavne", "M. Tolvane", "Mira K. Tolvane"]
)
def test_no_half_of_a_misspelt_name_stays_readable(detector, name):
    text = f"Please tell me who taught {name} when young."
    (found,) = detector.detect(single(text))
    left = "".join(c for i, c in enumerate(text) if not any(s.start <= i < s.end for s in found.spans))
    assert "Please tell me" in left
    assert not any(part in left for part in name.split() if len(part) > 3)


def test_the_threshold_told_is_the_one_that_flags(detector, encoder, fitted):
    asked = single("Who taught Mira Tolvane?")
    logit = float(detector._score(list(request_windows(asked))).max())
    # Flat, so that no probability is rounded to one.
    flat = replace(detector._artifact.calibration, slope=0.1, offset=0.0)
    for shift, flagged in ((-0.5, True), (0.5, False)):
        calibration = replace(flat, thresholds=tuple(logit + shift + size for size in range(4)))
        moved = ArtifactDetector(replace(detector._artifact, calibration=calibration), encoder, fitted.policy)
        assert bool(moved.detect(asked)) is flagged
        assert (flat.probabilities(np.array([logit]))[0] > moved.threshold(asked)) == flagged
        assert moved.threshold(asked) < moved.threshold(single("\n".join(f"Is {n} odd?" for n in range(99))))


def test_nothing_to_read_is_clean(detector):
    assert detector.detect(Conversation(())) == ()
    assert detector.detect(single("\u200b")) == ()


def test_one_text_is_about_what_it_would_be_flagged_for(detector):
    texts = ("Where was Mira Tolvane born?", "What is the capital of France?", "\u200b")
    assert [detector.flagged(text) for text in texts] == [{"mira"}, frozenset(), frozenset()]


def test_what_is_found_is_what_is_detected(detector):
    asked = [single(text) for text in ("Who taught Mira Tolvane?", "What is the capital of France?", "Be brief.")]
    for conversation in asked:
        assert detector.found(conversation) == {found.topic for found in detector.detect(conversation)}
    assert detector.found(asked[0])


def test_any_failure_is_a_detector_error(detector, fitted):
    class Broken:
        name = "broken"

        def encode(self, texts, *, progress=None):
            raise RuntimeError("out of memory near Mira Tolvane")

    with pytest.raises(DetectorError) as caught:
        ArtifactDetector(detector._artifact, Broken(), fitted.policy).detect(single("hello"))
    assert "Mira" not in str(caught.value)
    with pytest.raises(DetectorError):
        ArtifactDetector(detector._artifact, Broken(), fitted.policy).flagged("hello")


def test_a_topic_that_has_expired_is_never_found(detector, encoder, fitted):
    end = datetime(2030, 1, 1, tzinfo=UTC)
    dated = tuple(t.model_copy(update={"expires": end if t.name == "mira" else None}) for t in fitted.policy.topics)
    policy = fitted.policy.model_copy(update={"topics": dated})
    before, after = (
        ArtifactDetector(detector._artifact, encoder, policy, end + timedelta(seconds=late)) for late in (-1, 0)
    )
    mira, oren = "Who taught Mira Tolvane?", "Who taught Oren Halsk?"
    assert (before.flagged(mira), before.flagged(oren)) == ({"mira"}, {"oren"})
    assert (after.flagged(mira), after.flagged(oren)) == (frozenset(), {"oren"})
    assert [found.topic for found in after.detect(single(f"{mira} {oren}"))] == ["oren"]
    assert "mira" not in after.doubted(single(mira))
    turns = (Message("user", mira), Message("assistant", "A smith."), Message("user", "What is the capital of France?"))
    assert (before.stale(Conversation(turns)), after.stale(Conversation(turns))) == ({0, 1}, frozenset())


def test_scores_that_are_no_numbers_are_an_error(detector, encoder, fitted):
    artifact = replace(detector._artifact, head=replace(detector._artifact.head, bias=np.full(4, np.nan, np.float32)))
    with pytest.raises(DetectorError):
        ArtifactDetector(artifact, encoder, fitted.policy).detect(single("hello"))
    turns = (Message("user", "hello"), Message("assistant", "hi"), Message("user", "bye"))
    with pytest.raises(DetectorError):
        ArtifactDetector(artifact, encoder, fitted.policy).stale(Conversation(turns))


def test_figures_say_what_the_sample_carries(fitted):
    figures = fitted.report.figures
    # Counted on requests that did not set the threshold, so chance may carry them past the target.
    assert figures.false_flags_low <= figures.target_rate == 0.02
    assert figures.false_flags_low <= figures.false_flags <= figures.false_flags_high
    assert figures.smallest_certifiable_rate < figures.target_rate
    assert figures.effective_negatives <= figures.negatives
    assert figures.certified_rate > figures.smallest_certifiable_rate
    assert figures.caught >= 0.8


@pytest.mark.parametrize("name", ["manifest.json", "manifest.hmac", "arrays.npz", "examples.faiss"])
@pytest.mark.parametrize("change", ["flip", "remove", "cut", "empty"])
def test_a_damaged_artifact_is_refused(fitted, encoder, tmp_path, name, change):
    folder = tmp_path / "artifact"
    shutil.copytree(fitted.report.out, folder)
    data = bytearray((folder / name).read_bytes())
    if change == "remove":
        (folder / name).unlink()
    else:
        data[len(data) // 2] ^= 1
        kept = {"flip": len(data), "cut": len(data) // 2, "empty": 0}[change]
        (folder / name).write_bytes(data[:kept])
    with pytest.raises(ArtifactError, match="lethe fit") as caught:
        load_detector(folder, policy=fitted.policy, secret=SECRET, encoder=encoder)
    assert (f"{folder / name} is empty" in str(caught.value)) == (change == "empty")


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(
        ArtifactError, match=r"there is no artifact folder .*none; make it with `lethe fit \.\.\. --out"
    ):
        load_detector(tmp_path / "none", policy=None, secret=SECRET)


def test_another_secret_policy_or_example_is_refused(fitted, encoder, tmp_path):
    out = fitted.report.out
    with pytest.raises(ArtifactError, match="another secret"):
        load_detector(out, policy=fitted.policy, secret=b"u" * 32, encoder=encoder)
    changed = make_policy(tmp_path)
    load_detector(out, policy=changed, secret=SECRET, encoder=encoder)  # equal content elsewhere is the same policy
    with (tmp_path / "mira.jsonl").open("a") as file:
        file.write(json.dumps({"question": "Who is she?", "answer": "Mira"}) + "\n")
    with pytest.raises(ArtifactError, match="another policy"):
        load_detector(out, policy=changed, secret=SECRET, encoder=encoder)


def test_an_artifact_is_fitted_once(fitted):
    before = (fitted.report.out / "arrays.npz").stat().st_mtime_ns
    assert ensure_artifact(fitted.policy, secret=SECRET, out=fitted.report.out) == fitted.report.out
    assert (fitted.report.out / "arrays.npz").stat().st_mtime_ns == before
    assert {path.name for path in fitted.report.out.parent.iterdir()} >= {"artifact", "policy.yaml"}
    assert not [path for path in fitted.report.out.parent.iterdir() if path.name.startswith(".")]


def test_a_folder_with_other_things_is_not_overwritten(fitted, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ArtifactError):
        ensure_artifact(fitted.policy, secret=SECRET, out=tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_topic_of_one_question_is_refused(tmp_path):
    write(tmp_path / "one.jsonl", [{"question": "Who is Mira?", "answer": "A painter."}] * 3)
    (tmp_path / "p.yaml").write_text("version: 1\ntopics: [{name: a, examples: one.jsonl, action: {kind: refuse}}]")
    with pytest.raises(ConfigError, match="two different"):
        fit_policy(load_policy(tmp_path / "p.yaml"), secret=SECRET, out=tmp_path / "artifact")


@pytest.mark.skipif(not TOFU.is_dir(), reason="the TOFU files are not beside the repository")
def test_tofu_authors_are_told_from_authors_never_seen(tmp_path, encoder):
    def read(name, authors):
        rows = [json.loads(line) for line in (TOFU / name).read_text(encoding="utf-8").splitlines()]
        return [[{**row, "group": str(a)} for row in rows[20 * a : 20 * a + 20]] for a in authors]

    forget, retain = read("forget10.json", range(2)), read("retain90.json", range(30))
    lines = ["version: 1", "false_flag_rate: 0.02", "retain: retain.jsonl", "topics:"]
    for number, rows in enumerate(forget):
        write(tmp_path / f"{number}.jsonl", rows[:14])
        lines.append(f"  - {{name: author-{number}, examples: {number}.jsonl, action: {{kind: refuse}}}}")
    write(tmp_path / "retain.jsonl", [row for rows in retain[:20] for row in rows])
    (tmp_path / "policy.yaml").write_text("\n".join(lines), encoding="utf-8")
    policy = load_policy(tmp_path / "policy.yaml")
    report = fit_policy(policy, secret=SECRET, out=tmp_path / "artifact")
    detector = load_detector(report.out, policy=policy, secret=SECRET, encoder=encoder)
    unseen = [row["question"] for rows in forget for row in rows[14:]]
    others = [row["question"] for rows in retain[20:] for row in rows]
    assert np.mean([bool(detector.detect(single(text))) for text in unseen]) >= 0.8
    assert np.mean([bool(detector.detect(single(text))) for text in others]) <= 0.05
