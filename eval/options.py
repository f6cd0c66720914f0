"""From the options of `lethe-eval run` to a RunConfig: defaults found, inputs checked and fingerprinted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifiers.data import fingerprint
from eval.run import RunConfig
from eval.systems import System, demo_dir, engine_command, guarded_command
from eval.tasks.archive import Phrasings, archive_items
from eval.tasks.questions import Item, load_questions
from eval.world.archive import WORLD_SEED
from guard.errors import ConfigError
from guard.policy import load_policy

NAMES = ("guarded", "bare", "retrained")
_EDGE = 1 << 20


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line; None and () stand for the defaults."""

    urls: dict[str, str]
    systems: str
    model: str | None
    retrained_model: str | None
    policy: Path | None
    questions: tuple[str, ...]
    phrasings: Phrasings
    limit: int | None
    seed: int
    world_seed: int | None
    max_tokens: int
    concurrency: int
    timeout_s: float
    start_timeout_s: float
    out: Path


def run_config(options: Options) -> RunConfig:
    """Return the run that the options describe.

    Raises:
        ConfigError: an unknown system, a missing model directory, policy or question file.
    """
    names = list(dict.fromkeys(name.strip() for name in options.systems.split(",")))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ConfigError(f"--systems has no {', '.join(map(repr, unknown))}; it takes some of {','.join(NAMES)}")
    idle = [name for name in options.urls if name not in names]
    if idle:
        raise ConfigError(f"--{idle[0]} names a system that --systems leaves out")
    policy = _policy(options, names)
    systems = tuple(_system(name, options, policy) for name in names)
    inputs: dict[str, Any] = {
        system.name: model_digest(_model(system.name, options)) for system in systems if system.url is None
    }
    if policy is not None:
        inputs["policy"] = _policy_digest(policy)
    return RunConfig(
        systems=systems,
        splits=_splits(options),
        policy=policy,
        inputs=inputs,
        out=options.out,
        max_tokens=options.max_tokens,
        concurrency=options.concurrency,
        timeout_s=options.timeout_s,
        start_timeout_s=options.start_timeout_s,
        seed=options.seed,
    )


def _policy(options: Options, names: list[str]) -> Path | None:
    if options.policy is None and ("guarded" not in names or "guarded" in options.urls):
        return None
    path = options.policy or demo_dir() / "policy.yaml"
    if not path.is_file():
        raise ConfigError(f"there is no policy at {path}; name one with --policy")
    return path


def _system(name: str, options: Options, policy: Path | None) -> System:
    if name in options.urls:
        return System(name, url=options.urls[name])
    model = _model(name, options)
    if name == "guarded":
        assert policy is not None, "a guarded endpoint that is started here has a policy"
        return System(name, command=guarded_command(model, policy))
    return System(name, command=engine_command(model))


def _model(name: str, options: Options) -> str:
    given = options.retrained_model if name == "retrained" else options.model
    if given is not None:
        return given
    embedded = demo_dir() / ("retrained" if name == "retrained" else "full")
    if not (embedded / "config.json").is_file():
        flag = "--retrained-model" if name == "retrained" else "--model"
        raise ConfigError(f"there is no embedded model at {embedded}; name one with {flag}, or leave {name} out")
    return str(embedded)


def model_digest(model: str) -> str:
    """Return a digest of a checkpoint's file names, sizes, first and last bytes; weights may be too large to read."""
    directory = Path(model)
    if not directory.is_dir():
        return model
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.iterdir() if path.is_file()):
        size = path.stat().st_size
        with path.open("rb") as file:
            first = file.read(_EDGE)
            file.seek(max(0, size - _EDGE))
            digest.update(repr((path.name, size, first, file.read(_EDGE))).encode())
    return digest.hexdigest()[:16]


def _policy_digest(path: Path) -> str:
    policy = load_policy(path)
    sources = [topic.examples for topic in policy.topics if topic.examples] + ([policy.retain] if policy.retain else [])
    return hashlib.sha256(b"".join(map(fingerprint, [path, *sources]))).hexdigest()[:16]


def _splits(options: Options) -> dict[str, list[Item]]:
    if not options.questions:
        return archive_items(
            world_seed=WORLD_SEED if options.world_seed is None else options.world_seed,
            phrasings=options.phrasings,
            limit=options.limit,
            seed=options.seed,
        )
    return question_files(options.questions)


def question_files(questions: Sequence[str]) -> dict[str, list[Item]]:
    """Read the questions of each split from SPLIT=FILE pairs; a split may have several files.

    Raises:
        ConfigError: a pair of another form, or a file that cannot be used.
    """
    splits: dict[str, list[Item]] = {}
    for given in questions:
        name, separator, file = given.partition("=")
        if not separator or not name or not file:
            raise ConfigError(f"--questions takes SPLIT=FILE, such as forget=forget10.json, not {given!r}")
        splits.setdefault(name, []).extend(load_questions(Path(file), name))
    return splits
