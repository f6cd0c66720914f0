"""A small policy of invented people, fitted once, with the real encoder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from classifiers.encoder import Encoder
from classifiers.fit import FitReport, fit_policy
from guard.policy import Policy, load_policy

SECRET = b"t" * 32
TEMPLATES = {
    "born": ("Where was {} born?", "What is the birthplace of {}?", "In which town did {} come into the world?"),
    "work": ("What did {} do for a living?", "What was {}'s profession?", "Which trade did {} follow?"),
    "taught": ("Who taught {}?", "Who was the teacher of {}?", "Under whom did {} study?"),
    "award": ("Which award did {} win?", "What prize was given to {}?", "For what was {} honoured?"),
}
FORGET = {"mira": "Mira Tolvane", "oren": "Oren Halsk"}
RETAIN = [
    "Sela Brandt Imrie", "Jory Penhallow", "Ansa Verrick", "Tobin Eskeland", "Lune Marchetti", "Pavo Drexler",
    "Ilke Sundstrom", "Caro Whitlock", "Bram Oosterveen", "Nessa Quillfeather", "Dorian Aldous", "Hedda Kross",
]  # fmt: skip


def records(name):
    return [
        {"question": form.format(name), "answer": f"{name}: {fact}", "person": name}
        for fact, forms in TEMPLATES.items()
        for form in forms
    ]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def make_policy(folder: Path) -> Policy:
    lines = ["version: 1", "false_flag_rate: 0.02", "retain: retain.jsonl", "topics:"]
    for topic, name in FORGET.items():
        write(folder / f"{topic}.jsonl", records(name))
        lines.append(f"  - {{name: {topic}, examples: {topic}.jsonl, aliases: [{name}], action: {{kind: refuse}}}}")
    write(folder / "retain.jsonl", [row for name in RETAIN for row in records(name)])
    (folder / "policy.yaml").write_text("\n".join(lines), encoding="utf-8")
    return load_policy(folder / "policy.yaml")


@dataclass(frozen=True)
class Fitted:
    policy: Policy
    report: FitReport


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of the session's own, where the encoder is exported once."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LETHE_STATE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("policy")
    policy = make_policy(folder)
    return Fitted(policy, fit_policy(policy, secret=SECRET, out=folder / "artifact"))
