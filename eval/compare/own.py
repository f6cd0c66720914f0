"""A comparison of a model of one's own: its policy, a model that never learned the topics, and question files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.attacks.attack import Knowledge
from eval.compare.plan import Contestant, Plan, Suite, by_cluster, changed, some
from eval.compare.results import BARE, GUARD, RETRAINED, Subject
from eval.options import question_files
from guard.errors import ConfigError


@dataclass(frozen=True)
class Own:
    """Checkpoints are folders or hub ids; `questions` are SPLIT=FILE pairs, as `lethe-eval run` takes them."""

    model: str
    retrained: tuple[str, ...]
    policy: Path
    questions: tuple[str, ...]


def own_plan(suite: Suite, own: Own, checkpoints: Path | None, *, seed: int) -> Plan:
    """Choose the questions, and put the systems in order.

    The archive's further tasks, actions and weight attacks are left out: they need data that only the archive has. What
    the files lack (other answers, strangers, splits) leaves its metrics unscored.

    Raises:
        ConfigError: no retrained model, no split called forget, or a file or the policy that cannot be used.
    """
    if not own.retrained:
        raise ConfigError(
            "name a model that never learned the topics with --retrained-model; it is what forgetting means"
        )
    if not own.policy.is_file():
        raise ConfigError(f"there is no policy at {own.policy}; name one with --policy")
    every = question_files(own.questions)
    if "forget" not in every:
        raise ConfigError("no questions on what is to be forgotten; name some with --questions forget=FILE")
    splits = {name: some(items, suite.asked, seed) for name, items in every.items()}
    model = Path(own.model)
    return Plan(
        suite=replace(suite, tasks=(), actions=(), weights=False),
        contestants=(
            Contestant(Subject(BARE, "bare", "the model as it is"), model),
            *_retrained(own.retrained),
            Contestant(Subject(GUARD, "guard", f"the policy {own.policy.name}"), model, own.policy),
            *changed(checkpoints),
        ),
        splits=splits,
        further={},
        holdout=[],
        attacked=splits["forget"][: suite.attacked],
        knowledge=Knowledge(shots=every.get("retain", [])[:200], siblings=by_cluster(every["forget"])),
        seed=seed,
    )


def _retrained(models: Sequence[str]) -> list[Contestant]:
    what = "trained without the forget set, the gold standard"
    names = [RETRAINED, *(f"{RETRAINED}-{number}" for number in range(2, len(models) + 1))]
    return [
        Contestant(Subject(name, "retrained", what), Path(model)) for name, model in zip(names, models, strict=True)
    ]
