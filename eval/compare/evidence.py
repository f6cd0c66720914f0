"""A page to file: what was to be forgotten, since when, by which policy, how that was measured, with what result.

It names the topic and no more of it: no alias, no example, no fact. Digests are SHA-256 of files, so that whoever
holds a file can check that it is the one; a file of few and guessable lines could be guessed from its digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from classifiers.artifact import fitted_for
from classifiers.data import fingerprint, load_examples
from classifiers.fit import default_folder
from eval.compare.cells import Cell, cell, find
from eval.compare.page import asked, rendered
from eval.compare.results import RETRAINED, Results, Subject
from eval.compare.tables import KEPT, worst_cell
from eval.policies import policy_mark
from guard.errors import ArtifactError, ConfigError
from guard.output.letters import key_of
from guard.policy import Policy, Topic, load_policy
from guard.secret import load_secret

TEMPLATE = "evidence.html.j2"
LIMITS = (
    "The weights are unchanged: whoever holds the checkpoint behind the guard holds what was to be forgotten.",
    "What other ways lead to the model, past the guarded endpoint, was not looked at.",
    "Only the attacks of the suite were tried; those that the model itself cannot follow show nothing, and others may "
    "get more.",
    "The digest recorded at measuring is of the policy's file; that its example files were then the same is not shown "
    "by it.",
    "The figures are of the model and revision named here; another model, policy or revision needs a new measurement.",
    "A low recall is a statement about the answers to the questions asked, not a proof that nothing is left.",
)


@dataclass(frozen=True)
class Line:
    """One figure in words; the cell's reason is printed, for paper has no pointer."""

    what: str
    cell: Cell


def evidence(topic: str, policy_file: Path, results: Results, *, artifact: Path | None = None) -> str:
    """Return the page for one topic of a policy, from a comparison that measured a guard with that very policy.

    `artifact` is the folder that the guard is served with; None is where `lethe serve` keeps it by default.

    Raises:
        ConfigError: there is no such topic, the policy or its examples cannot be read, or no guard of the results had
            this policy.
        ArtifactError: the folder named holds no artifact, or one that was changed.
    """
    policy = load_policy(policy_file)
    chosen = policy.topic(topic)
    if chosen is None:
        raise ConfigError(
            f"{policy_file} has no topic {topic!r}; it has {', '.join(one.name for one in policy.topics)}"
        )
    system = _measured(results, policy_file)
    return rendered(
        TEMPLATE,
        topic=topic,
        forgotten=_forgotten(chosen),
        since=_since(policy, policy_file, artifact),
        policy=_policy(chosen, policy, policy_file),
        asked=asked(results),
        about=_about(chosen, policy, results),
        model=results.header.get("fingerprint", {}).get("subjects", {})[system.name][0],
        revision=_revision(results),
        system=system,
        topics=len(policy.topics),
        lines=_lines(results, system),
        limits=LIMITS,
        written=_when(datetime.now(UTC).timestamp()),
    )


def _measured(results: Results, policy_file: Path) -> Subject:
    """The guard whose policy had the same digest when the comparison was made."""
    mark = policy_mark(policy_file)
    subjects = results.header.get("fingerprint", {}).get("subjects", {})
    for subject in results.subjects:
        if subjects.get(subject.name, (None, None))[1] == mark:
            return subject
    raise ConfigError(
        f"the results measured no guard with the policy {policy_file} as it is now ({mark}); "
        "measure it with `lethe-eval compare`, or name the policy that was measured with --policy"
    )


def _about(topic: Topic, policy: Policy, results: Results) -> str:
    """How many of the questions were about this topic, by the names of both.

    Raises:
        ConfigError: none was, though others of the policy were asked about.
    """
    counts: dict[str, int] = results.header.get("asked_about", {})
    of = {one.name: sum(counts.get(name, 0) for name in _called(one, counts)) for one in policy.topics}
    if not any(of.values()):
        return "How many of the questions were about this topic is not recorded."
    if not of[topic.name]:
        raise ConfigError(
            f"the comparison asked nothing about {topic.name!r}, so that its figures say nothing of it; "
            "measure with more questions (`lethe-eval compare --suite full`)"
        )
    return (
        f"{of[topic.name]} of the {sum(counts.values())} questions on what was to be forgotten were about this topic."
    )


def _called(topic: Topic, names: Iterable[str]) -> list[str]:
    """Which of the names that questions go by are the topic's."""
    own = {key_of(name) for name in (topic.name.replace("-", " "), *topic.aliases)}
    return [name for name in names if key_of(name) in own]


def _forgotten(topic: Topic) -> list[tuple[str, str]]:
    rows = [("Topic", topic.name)]
    if topic.examples is None:
        return [*rows, ("Examples", "none: the topic is recognised by its names or its description")]
    rows.append(("Examples", str(len(load_examples(topic.examples)))))
    return [*rows, ("SHA-256 of the examples", fingerprint(topic.examples).hex())]


def _policy(topic: Topic, policy: Policy, file: Path) -> list[tuple[str, str]]:
    kinds = ", then ".join(
        " ".join(filter(None, (action.kind, getattr(action, "function", "")))) for action in topic.actions
    )
    guard = topic.output.on_hit
    return [
        ("SHA-256 of the policy", fingerprint(file).hex()),
        ("Action on a prompt about it", kinds),
        ("Where an answer would tell of it", "answers are left alone" if guard == "none" else guard),
        ("False flags aimed at", f"{policy.false_flag_rate:.2%} of requests"),
        ("Where detection fails", policy.on_error),
    ]


def _since(policy: Policy, file: Path, artifact: Path | None) -> list[tuple[str, str]]:
    """When the files were last written, which is all that they tell: neither records a date of its own."""
    secret = load_secret()
    folder = artifact or default_folder(policy, secret=secret)
    rows = [("Policy's file last changed", _when(file.stat().st_mtime))]
    try:
        digest = fitted_for(folder, secret=secret)
    except ArtifactError:
        if artifact is not None:
            raise
        return [*rows, ("Classifier", "none was found here for this policy, so that its date is not known")]
    manifest = folder / "manifest.json"
    return [
        *rows,
        ("Classifier's folder last written", _when(manifest.stat().st_mtime)),
        ("Keyed digest of what it was fitted on", digest),
    ]


def _revision(results: Results) -> str:
    found = results.header.get("fingerprint", {}).get("revision") or {}
    commit = found.get("commit")
    if commit is None:
        return "not recorded"
    return f"{commit}, with changes ({found.get('changes')})" if found.get("dirty") else str(commit)


def _lines(results: Results, system: Subject) -> list[Line]:
    name = system.name
    figures = {
        "Recall on forget, guarded": find(results, name, "rouge_l_recall", split="forget"),
        "Recall on forget, retrained without it": find(results, RETRAINED, "rouge_l_recall", split="forget"),
        "Gap between the two": find(results, name, "rouge_l_recall", split="forget", versus=RETRAINED),
        "The true answer's probability, guarded": find(results, name, "probability", split="forget"),
        "The same, retrained without it": find(results, RETRAINED, "probability", split="forget"),
        "Requests about it that are flagged (catch)": find(results, name, "flagged", split="forget"),
        **{f"Flagged wrongly on {split}": find(results, name, "flagged", split=split) for split in KEPT},
    }
    lines = [Line(what, cell(figure)) for what, figure in figures.items()]
    worst_line = Line("Worst attack's leak beyond retrained", worst_cell(results, system))
    return [*lines[:5], worst_line, *lines[5:]]


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
