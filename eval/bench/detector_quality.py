"""What a fitted classifier catches and what it flags wrongly, plain, paraphrased, disguised and in conversation.

    python -m eval.bench.detector_quality --out runs/quality
    python -m eval.bench.detector_quality --forget forget10.json --retain retain90.json --rate 0.0025 --out runs/quality

Without files the archive is asked about: fifteen topics, and the evaluation's own phrasings for paraphrases. With files
there is one topic. Part of the forgotten facts and of the retained people is kept from the fit, by a seed that no
choice in the classifier was made with. "given" questions were fitted, "new" ones never.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from classifiers.data import Example, entity_groups, load_examples
from classifiers.detector import ArtifactDetector, load_detector
from classifiers.encoder import PACKAGED
from classifiers.fit import fit_with_bar
from classifiers.general import load_general
from classifiers.parts import part_groups
from classifiers.progress import Bars
from eval.bench.detection_cases import Case, Examples, disguised, in_turns, paraphrased, plain
from eval.bench.quality_picture import draw
from eval.metrics.estimate import Estimate
from eval.metrics.rates import clustered_rate
from eval.provenance import provenance, revision
from eval.world import build
from eval.world.archive import World
from eval.world.export import slug
from eval.world.people import Person
from eval.world.questions import person_questions
from guard.policy import Policy, load_policy

SEED = 9103
_SECRET = b"quality".ljust(32)
_HELD = 0.25
_PHRASINGS = {True: 4, False: 2}
_ASKED = 400
Topics = dict[str, tuple[list[str], list[Example]]]  # aliases and examples, by name


@dataclass(frozen=True)
class Row:
    """A case and the share of it that is flagged."""

    case: str
    about: bool
    flagged: Estimate


def measure(detector: ArtifactDetector, cases: Sequence[Case]) -> list[Row]:
    """Ask the detector every request."""
    rows = []
    with Bars() as bars:
        for case in bars.track(cases, description="asking"):
            flags = [bool(detector.found(request)) for request in case.requests]
            rows.append(Row(case.name, case.about, clustered_rate(flags, case.groups)))
    return rows


def from_files(folder: Path, forget: Path, retain: Path, rate: float) -> tuple[Policy, list[Case]]:
    """One topic of a file's questions; a part of either file is kept from the fit, by fact and by person."""
    rng = random.Random(SEED)
    topic = _parted([Example(e.question, e.answer, e.answer or e.question) for e in load_examples(forget)])
    clean = _parted(entity_groups(load_examples(retain)))
    topics: Topics = {"forgotten": ([], topic.given)}
    return _policy(folder, topics, clean.given, rate), _cases(topic, clean, topic.new, clean.new, rng)


def from_archive(folder: Path, rate: float) -> tuple[Policy, list[Case]]:
    """The archive's fifteen people; of the retained ones, their hard neighbours among them, a part is never given."""
    world, rng = build(), random.Random(SEED)
    retained = list(world.retained())
    new = set(rng.sample([p.name for p in retained], round(_HELD * len(retained))))
    hard = {person.name for person in world.neighbours()}
    forgotten = {slug(p): ([p.name], _asked(p, world, rng, trained=True, kept=True)) for p in world.forgotten()}
    given = [e for p in retained if p.name not in new for e in _asked(p, world, rng, trained=True, kept=False)]
    unseen = [e for p in world.forgotten() for e in _asked(p, world, rng, trained=False, kept=True)]
    strange = [e for p in retained if p.name in new for e in _asked(p, world, rng, trained=False, kept=True)]
    topic = Examples([e for _, examples in forgotten.values() for e in examples], unseen)
    clean = Examples(given, strange)
    cases = _cases(topic, clean, unseen, strange, rng)
    neighbours = [e for e in strange if e.group in hard]
    cases.append(plain("retained, new people, hard neighbours", False, neighbours))
    return _policy(folder, forgotten, given, rate), cases


def _cases(
    topic: Examples, clean: Examples, hidden: Sequence[Example], shown: Sequence[Example], rng: random.Random
) -> list[Case]:
    general = load_general()
    company = [example.question for example in rng.sample(general, _ASKED)]
    return [
        plain("topic, given", True, topic.given),
        paraphrased("topic, given, in other words", True, topic.given, rng),
        plain("topic, new", True, topic.new),
        paraphrased("topic, new, in other words", True, topic.new, rng),
        *disguised(True, hidden, company, rng),
        plain("retained, given", False, _some(clean.given, rng)),
        plain("retained, new people", False, clean.new),
        paraphrased("retained, new people, in other words", False, _some(clean.new, rng), rng),
        *disguised(False, shown, company, rng),
        *in_turns(topic.given, clean.new, rng),
    ]


def _parted(examples: Sequence[Example]) -> Examples:
    parts = part_groups([example.group for example in examples], [_HELD], SEED).tolist()
    pairs = list(zip(examples, parts, strict=True))
    return Examples([e for e, part in pairs if not part], [e for e, part in pairs if part])


def _asked(person: Person, world: World, rng: random.Random, *, trained: bool, kept: bool) -> list[Example]:
    """Questions about every fact of a person; fewer of those that are retained, as the demonstration policy has it."""
    found: dict[str, list[Example]] = {}
    for question in person_questions(person, world.people, rng):
        if question.trained == trained:
            example = Example(question.question, question.answer, person.name)
            found.setdefault(question.relation, []).append(example)
    return [e for some in found.values() for e in rng.sample(some, min(len(some), _PHRASINGS[kept]))]


def _some(examples: Sequence[Example], rng: random.Random) -> list[Example]:
    return rng.sample(list(examples), min(len(examples), _ASKED))


def _policy(folder: Path, topics: Topics, retain: Sequence[Example], rate: float) -> Policy:
    def write(name: str, examples: Sequence[Example], fields: Callable[[Example], dict[str, str]]) -> str:
        lines = (json.dumps({"question": e.question, "answer": e.answer} | fields(e)) + "\n" for e in examples)
        (folder / name).write_text("".join(lines), encoding="utf-8")
        return name

    entries = [
        {
            "name": name,
            "examples": write(f"{number}.jsonl", examples, lambda e: {}),
            "action": {"kind": "refuse"},
        }
        | ({"aliases": aliases} if aliases else {})
        for number, (name, (aliases, examples)) in enumerate(topics.items())
    ]
    kept = write("retain.jsonl", retain, lambda e: {"group": e.group})
    policy = {"version": 1, "false_flag_rate": rate, "retain": kept, "topics": entries}
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    return load_policy(folder / "policy.yaml")


def _show(rows: Sequence[Row], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for column, side in (("asked", "left"), ("n", "right"), ("flagged", "right"), ("95% interval", "right")):
        table.add_column(column, justify="right" if side == "right" else "left")
    for about in (True, False):
        table.add_section()
        table.add_row("[bold]about the topic: to be flagged[/]" if about else "[bold]clean: not to be flagged[/]")
        for row in (row for row in rows if row.about == about):
            low, high = row.flagged.low, row.flagged.high
            span = "" if low is None or high is None else f"{low:.1%} to {high:.1%}"
            table.add_row(row.case, str(row.flagged.questions), f"{row.flagged.value:.1%}", span)
    Console(width=110).print(table)


def main(
    forget: Annotated[Path | None, typer.Option(help="Questions to forget, TOFU's JSON lines.")] = None,
    retain: Annotated[Path | None, typer.Option(help="Questions to retain.")] = None,
    clean: Annotated[list[Path] | None, typer.Option(help="More clean questions; may be given again.")] = None,
    rate: Annotated[float, typer.Option(help="Target false-flag rate.")] = 0.01,
    encoder: Annotated[str, typer.Option(help="The encoder to fit with.")] = PACKAGED,
    tune: Annotated[bool, typer.Option("--tune", help="Tune the encoder, as `lethe fit --tune` does.")] = False,
    out: Annotated[Path, typer.Option(help="A folder for the figures and the picture.")] = Path("runs/quality"),
) -> None:
    """Fit, ask, and print the share flagged of every kind of request."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if forget is not None and retain is not None:
            policy, cases = from_files(folder, forget, retain, rate)
        elif forget is None and retain is None:
            policy, cases = from_archive(folder, rate)
        else:
            raise typer.BadParameter("--forget and --retain belong together")
        for path in clean or ():
            cases.append(plain(path.stem, False, load_examples(path)))
        report = fit_with_bar(policy, secret=_SECRET, out=folder / "artifact", encoder=encoder, tune=tune)
        rows = measure(load_detector(report.out, policy=policy, secret=_SECRET), cases)
    source = forget.stem if forget else "the archive"
    title = f"{source}, target false-flag rate {rate:.2%}, seed {SEED}, fitted in {report.seconds:.0f} s"
    _show(rows, title)
    record: dict[str, Any] = {
        "title": title,
        "rows": [asdict(row) for row in rows],
        "figures": report.figures.as_dict(),
        "fit_seconds": report.seconds,
        "encoder": encoder,
        "tuned": tune,
        "revision": asdict(revision()),
        "provenance": provenance(),
    }
    out.mkdir(parents=True, exist_ok=True)
    for file, data in (("quality.json", json.dumps(record, indent=1).encode()), ("quality.png", draw(rows, title))):
        fresh = out / f".{file}.new"
        fresh.write_bytes(data)
        fresh.replace(out / file)


if __name__ == "__main__":
    typer.run(main)
