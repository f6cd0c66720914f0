"""One search from its options to its points: models loaded, target measured, functions and strengths tried."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.engines.local import LocalModel
from eval.options import model_digest
from eval.provenance import revision
from eval.systems import demo_dir
from eval.tune.asked import Asked, from_archive, from_file, strangers
from eval.tune.figures import Measured, Point, Target, as_point, as_target, measure
from eval.tune.record import Record, told_strength
from eval.tune.search import GRID, STEPS, search
from guard.conversation import single
from guard.errors import ConfigError
from guard.policy import CorruptAction

_KEYED = ("gaussian", "set_noise", "shuffle")


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line; None stands for the embedded model and the archive."""

    model: str | None
    examples: Path | None
    aliases: tuple[str, ...]
    draw: str
    target: str | None
    unknown: Path | None
    asked: int
    keys: int
    seed: int
    out: Path


@dataclass(frozen=True)
class Found:
    """A finished search."""

    target: Target
    points: list[Point]


def tune(options: Options, tick: Callable[[str], None]) -> Found:
    """Search, or go on with a search; `tick` is told of each evaluation that ended.

    Raises:
        ConfigError: options or files that cannot be used, or an `out` that holds another search.
        EngineError: a model cannot be loaded.
    """
    if options.target is not None and options.unknown is not None:
        raise ConfigError("--target and --unknown are two targets; give one of them")
    if (options.model is None) != (options.examples is None):
        raise ConfigError("a model of your own and --examples of what it is to forget belong together; give both")
    _check_folder("--model", options.model, "leave both it and --examples out to tune the embedded model")
    _check_folder(
        "--target",
        options.target,
        "serve/demo/trunk is the embedded model's; without --target the bare model is asked the same about invented "
        "names",
    )
    asked = _asked(options)
    record = Record(options.out, _settings(options, asked))
    model = LocalModel(options.model or str(demo_dir() / "full"))
    target = _target(options, model, asked)

    def evaluate(action: CorruptAction) -> Point:
        keys = range(options.keys if action.function in _KEYED else 1)
        by_key = [_measured(model, asked, action, key) for key in keys]
        return as_point(action.function, told_strength(action), by_key, asked, target, seed=options.seed)

    def told(action: CorruptAction) -> Point:
        point = remembering(action)
        tick(action.function)
        return point

    remembering = record.remembering(evaluate)
    return Found(target, search(told, target))


def _check_folder(option: str, model: str | None, otherwise: str) -> None:
    """Tell a folder that is not there before the hub is asked for it; org/name may be a hub id."""
    if model is None or Path(model).expanduser().is_dir():
        return
    if model.startswith((".", "~", "/")) or model.count("/") > 1:
        raise ConfigError(f"there is no folder {model}; {option} takes a directory or a hub id, or {otherwise}")


def _asked(options: Options) -> list[Asked]:
    if options.examples is None:
        return from_archive(options.draw, options.asked, seed=options.seed)
    return from_file(options.examples, options.aliases, options.asked, seed=options.seed)


def _measured(model: LocalModel, asked: Sequence[Asked], action: CorruptAction, key: int) -> Measured:
    # Keys of the search's own: the installation's secret is not to be fitted to.
    secret = f"lethe-eval tune, key {key}".encode().ljust(32)
    prompts = [model.corrupted(single(one.question), one.targets(action), secret=secret) for one in asked]
    return measure(model, model, asked, prompts)


def _target(options: Options, model: LocalModel, asked: Sequence[Asked]) -> Target:
    if options.target is not None:
        never = LocalModel(options.target)
        prompts = [never.prompt(single(one.question)) for one in asked]
        return as_target(measure(never, model, asked, prompts), f"the model {Path(options.target).name}")
    if options.unknown is not None:
        others = from_file(options.unknown, (), options.asked, seed=options.seed, named=False)
        source = f"the bare model, asked what stands in {options.unknown.name}"
    else:
        others = strangers(asked, seed=options.seed)
        source = "the bare model, asked the same about people who do not exist"
    prompts = [model.prompt(single(one.question)) for one in others]
    return as_target(measure(model, model, others, prompts), source)


def _settings(options: Options, asked: Sequence[Asked]) -> dict[str, Any]:
    """All that decides a figure; a search goes on only under the same."""
    unknown = None if options.unknown is None else hashlib.sha256(_read(options.unknown)).hexdigest()
    return {
        "model": model_digest(options.model or str(demo_dir() / "full")),
        "target": None if options.target is None else model_digest(options.target),
        "unknown": unknown,
        "questions": hashlib.sha256(repr(asked).encode()).hexdigest(),
        "asked": len(asked),
        "keys": options.keys,
        "seed": options.seed,
        "grid": [*GRID, STEPS],
        "revision": asdict(revision()),
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
