"""One comparison: ask everyone, score likelihoods, attack weights, put the figures together; a stopped one goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from classifiers.progress import Bars
from eval.answers import AnswerStore
from eval.asking import written
from eval.compare.ask import ask, questions
from eval.compare.attacked import leaks, tried
from eval.compare.flags import flag_figures
from eval.compare.likely import likely_figures, seed_spread
from eval.compare.plan import Plan
from eval.compare.results import BARE, Example, Figure, Leak, Results
from eval.compare.scores import Likelihood, keep, kept, likelihoods
from eval.compare.told import RECALL, answer_figures
from eval.compare.verdict import verdict
from eval.compare.weighed import Material, weigh
from eval.engines.guarded import PromptGuard
from eval.engines.local import LocalModel
from eval.metrics.estimate import Estimate
from eval.options import model_digest
from eval.policies import policy_mark
from eval.provenance import provenance, revision
from eval.report import write_atomically
from eval.side_by_side import Dead, side_by_side
from eval.tasks.archive import archive_items
from eval.world.archive import WORLD_SEED
from guard.conversation import single

RESULTS = "results.jsonl"
_SHOWN = 8  # questions a split whose answers the page shows


def compare(plan: Plan, out: Path, jobs: int, console: Console) -> Results:
    """Run or go on with a comparison, and return its results, written to `out` as well.

    Raises:
        ConfigError: `out` holds another comparison.
        EngineError: a server does not start, or dies; what was answered so far is kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    header = _header(plan)
    with AnswerStore(out / "answers.jsonl", header["fingerprint"]) as store, Bars(console) as progress:
        asyncio.run(ask(plan, out, store, progress))
        scores = _likelihoods(plan, out, progress)
        weights = _weigh(plan, out, jobs, progress) if plan.suite.weights else []
        results = _results(plan, store, scores, weights, header, progress)
    results.write(out / RESULTS)
    return results


def _header(plan: Plan) -> dict[str, Any]:
    """Provenance; its fingerprint is what must match for a stopped run to go on."""
    subjects = {
        one.subject.name: [model_digest(str(one.model)), one.policy and policy_mark(one.policy)]
        for one in plan.contestants
    }
    settings = {
        "suite": asdict(plan.suite),
        "seed": plan.seed,
        "subjects": subjects,
        "questions": hashlib.sha256(json.dumps(sorted(map(written, questions(plan)))).encode()).hexdigest()[:16],
        "revision": asdict(revision()),
    }
    asked = {split: len(items) for split, items in plan.splits.items()}
    every = {f"{task}, {split}": len(items) for task, splits in plan.further.items() for split, items in splits.items()}
    return {
        **provenance(),
        "fingerprint": json.loads(json.dumps(settings)),
        "suite": plan.suite.name,
        "seed": plan.seed,
        "world_seed": WORLD_SEED,
        "asked": {**asked, **every, "attacked": len(plan.attacked)},
        "asked_about": dict(Counter(item.cluster for item in plan.splits["forget"])),
    }


def _likelihoods(plan: Plan, out: Path, progress: Progress) -> dict[str, list[Likelihood]]:
    items = [*(item for split in plan.splits.values() for item in split), *plan.holdout]
    bar = progress.add_task("likelihoods", total=len(items) * len(plan.contestants))
    found = {}
    for one in plan.contestants:
        name = one.subject.name
        path = out / "likelihoods" / f"{name}.jsonl"
        progress.update(bar, description=f"likelihoods, {name}")
        if path.is_file():
            progress.advance(bar, len(items))
        else:
            model = LocalModel(str(one.model))
            guard = PromptGuard(one.policy, str(one.model)) if one.policy else None
            keep(path, likelihoods(model, guard, items, lambda count: progress.advance(bar, count)))
        found[name] = kept(path)
    return found


def _weigh(plan: Plan, out: Path, jobs: int, progress: Progress) -> list[Figure]:
    """Attack the weights of every checkpoint, some side by side; a guard's weights are the bare model's."""
    every = archive_items(world_seed=WORLD_SEED)
    material = Material(
        plan.splits["forget"], plan.splits["retain"], plan.splits["world"], every["retain"], every["forget"]
    )
    owners = [one for one in plan.contestants if one.policy is None]
    folder = out / "weights"
    folder.mkdir(exist_ok=True)
    works = {
        one.subject.name: partial(weigh, one.subject.name, str(one.model), material, plan.seed)
        for one in owners
        if not (folder / f"{one.subject.name}.json").is_file()
    }
    bar = progress.add_task("attacking weights", total=len(owners), completed=len(owners) - len(works))
    lost = []
    for name, found in side_by_side(works, jobs):
        if isinstance(found, Dead):
            lost.append(Figure(name, "archive", "forget", "unlearned", "weights", None, found.reason))
        else:
            write_atomically(folder / f"{name}.json", json.dumps([asdict(figure) for figure in found]).encode())
        progress.update(bar, advance=1, description=f"attacked weights of {name}")
    return [*lost, *(figure for one in owners for figure in _weighed(folder / f"{one.subject.name}.json"))]


def _weighed(path: Path) -> list[Figure]:
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Figure(**{**row, "estimate": row["estimate"] and Estimate(**row["estimate"])}) for row in rows]


def _results(
    plan: Plan,
    store: AnswerStore,
    scores: dict[str, list[Likelihood]],
    weights: list[Figure],
    header: dict[str, Any],
    progress: Progress,
) -> Results:
    judge = LocalModel(str(plan.of(BARE).model))
    nothing = judge.prompt(single(""))
    nats = cache(lambda text: judge.nats([nothing], [text])[0])
    able = tried(plan, store)
    figures: list[Figure] = [*seed_spread(scores), *weights]
    found: list[Leak] = []
    bar = progress.add_task("figures", total=len(plan.contestants))
    for one in plan.contestants:
        name = one.subject.name
        own = answer_figures(plan, store, name, nats)
        recall = {f.split: f.estimate.value for f in own if f.metric == RECALL and not f.versus and f.estimate}
        figures += [*own, *likely_figures(name, scores, recall.get, plan.seed)]
        found += leaks(plan, store, name, able)
        progress.update(bar, advance=1, description=f"figures, {name}")
    figures += flag_figures(plan, progress)
    subjects = [one.subject for one in plan.contestants]
    results = Results(header, subjects, figures, found, _examples(plan, store), [])
    results.verdict.extend(verdict(results))
    return results


def _examples(plan: Plan, store: AnswerStore) -> list[Example]:
    found = []
    for split, items in plan.splits.items():
        for item in items[:_SHOWN]:
            for one in plan.contestants:
                answer = store.get(one.subject.name, item.question)
                if answer is not None and answer.text is not None:
                    found.append(Example(split, item.question, item.answer, one.subject.name, answer.text))
    return found
