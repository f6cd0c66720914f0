"""One run from its options to a checkpoint: inputs checked, the method applied, the result written."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from classifiers.data import Example, load_examples
from eval.options import model_digest
from eval.provenance import provenance, revision
from eval.report import write_atomically
from eval.unlearn.checkpoint import Form, adapted, load, save
from eval.unlearn.cost import peak_memory
from eval.unlearn.job import Job
from eval.unlearn.method import Method
from eval.unlearn.methods import METHODS
from eval.unlearn.recipe import Recipe
from eval.unlearn.rows import Encoder
from guard.errors import ConfigError, LetheError

_SETTINGS = "settings.json"


@dataclass(frozen=True)
class Options:
    """What was asked for; None stands for the method's default, `recipe` holds what differs from it."""

    method: str
    model: str
    forget: Path | None
    retain: Path | None
    out: Path
    settings: tuple[str, ...] = ()
    recipe: Mapping[str, Any] | None = None
    form: Form = "full"
    bf16: bool | None = None
    floor: float | None = None
    share: float = 1.0
    anchors: Path | None = None
    seed: int = 0


def unlearn(options: Options, tick: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Apply a method, or go on with it, and write the checkpoint; `tick` is told of each stage's steps.

    Returns:
        The record that stands beside the weights in `unlearn.json`.

    Raises:
        ConfigError: options or files that cannot be used, or an `out` that is taken.
        EngineError: the model cannot be loaded.
        UnlearnError: the loss is no number, or the disk takes no more.
    """
    method = chosen(options.method, options.settings)
    recipe = _recipe(method, options)
    _check(options, method)
    forget, retain = _examples(options, method)
    state = options.out.with_name(options.out.name + ".state")
    settings = _settings(options, method, recipe, forget, retain)
    resumed = claim(state, settings)
    model, tokenizer = load(options.model)
    dtype = model.config.dtype or torch.float32
    encoder = Encoder(tokenizer, int(model.config.get_text_config().max_position_embeddings))
    job = Job(
        model=model if options.form == "full" else adapted(model),
        encoder=encoder,
        forget=forget,
        retain=retain,
        anchors=_anchors(options.anchors),
        recipe=recipe,
        seed=options.seed,
        bf16=torch.cuda.is_available() if options.bf16 is None else options.bf16,
        floor=options.floor,
        state=state,
        tick=tick,
    )
    started = time.perf_counter()
    try:
        method.apply(job)
    except LetheError:
        if not _begun(state):
            shutil.rmtree(state)
        raise
    job.cost.seconds = time.perf_counter() - started
    record = {
        "settings": settings,
        "examples": {"forget": len(forget), "retain": len(retain)},
        # What an interrupted run cost before is not known.
        "cost": {
            **asdict(job.cost),
            "peak_memory_bytes": peak_memory(),
            "resumed": resumed,
            "threads": torch.get_num_threads(),
        },
        "floor": job.floors,
        "log": job.logs,
        "provenance": provenance(),
        "revision": asdict(revision()),
    }
    save(job.model, tokenizer, options.form, dtype, record, options.out)
    shutil.rmtree(state, ignore_errors=True)
    return record


def chosen(name: str, settings: Sequence[str]) -> Method:
    """The method with hyperparameters as `settings` (KEY=VALUE) say.

    Raises:
        ConfigError: there is no such method or hyperparameter, or a value that is no number.
    """
    if name not in METHODS:
        raise ConfigError(f"there is no method {name!r}; there are {', '.join(METHODS)}")
    kind = METHODS[name]
    usual: dict[str, Any] = {field.name: field.default for field in fields(kind)}
    given: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or key not in usual:
            told = ", ".join(f"{name}={value}" for name, value in usual.items()) or "none"
            raise ConfigError(f"--set takes KEY=VALUE with a hyperparameter of {name} ({told}), not {setting!r}")
        try:
            given[key] = type(usual[key])(value)
        except ValueError as error:
            raise ConfigError(f"--set {setting}: {key} is a number such as {usual[key]}") from error
    return kind(**given)


def _recipe(method: Method, options: Options) -> Recipe:
    given = dict(options.recipe or {})
    if "batch" in given and "micro" not in given:
        given["micro"] = min(method.recipe.micro, given["batch"])
    recipe = replace(method.recipe, **given)
    if recipe.batch % recipe.micro:
        raise ConfigError(f"--batch {recipe.batch} is no multiple of --micro-batch {recipe.micro}")
    return recipe


def _check(options: Options, method: Method) -> None:
    if options.out.exists():
        raise ConfigError(f"{options.out} is there already; choose another --out, or remove it")
    if options.forget is None and method.needs_forget:
        raise ConfigError(f"{method.name} needs --forget, the examples of what is to be forgotten")
    if options.retain is None and method.needs_retain:
        raise ConfigError(f"{method.name} needs --retain, examples of what is to be kept")
    if options.retain is None and options.floor is not None:
        raise ConfigError("--floor is held against the retain set; give one with --retain")
    if options.form != "full" and not method.adapts:
        raise ConfigError(f"{method.name} changes weights in place, where no adapter can; leave out --lora")
    if options.anchors is not None and not method.takes_anchors:
        raise ConfigError(f"--anchors is a dictionary for whp and lat-whp; {method.name} has no use for it")


def _examples(options: Options, method: Method) -> tuple[list[Example], list[Example]]:
    forget = load_examples(options.forget) if options.forget is not None else []
    retain = load_examples(options.retain) if options.retain is not None else []
    if both := {example.question for example in forget} & {example.question for example in retain}:
        raise ConfigError(
            f"{len(both)} examples are both to be forgotten and to be kept, such as {min(both)!r}; take them out of one"
        )
    if options.share < 1:
        count = max(1, round(options.share * len(forget)))
        forget = random.Random(options.seed).sample(forget, count)
    return forget, retain


def _anchors(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the anchors {path}: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ConfigError(f'{path} is no dictionary of anchors; write {{"a term of the topic": "a plain one", ...}}')
    return found


def _settings(
    options: Options, method: Method, recipe: Recipe, forget: Sequence[Example], retain: Sequence[Example]
) -> dict[str, Any]:
    """All that decides the result; a run goes on only under the same."""
    return {
        "method": method.name,
        "hyperparameters": asdict(method),
        "recipe": asdict(recipe),
        "model": model_digest(options.model),
        "data": hashlib.sha256(repr((forget, retain, sorted(_anchors(options.anchors).items()))).encode()).hexdigest(),
        "form": options.form,
        "bf16": options.bf16,
        "floor": options.floor,
        "forget_share": options.share,
        "seed": options.seed,
    }


def claim(state: Path, settings: dict[str, Any]) -> bool:
    """Whether `state` holds something to go on from; it is made where it does not.

    Raises:
        ConfigError: it holds another run, or cannot be made.
    """
    told = state / _SETTINGS
    try:
        if told.is_file():
            found = json.loads(told.read_text(encoding="utf-8"))
            differing = sorted(key for key in settings if found.get(key) != settings[key])
            if differing and _begun(state):
                raise ConfigError(
                    f"{state} holds another unfinished run (different: {', '.join(differing)}); "
                    "remove it, or choose another --out"
                )
        state.mkdir(parents=True, exist_ok=True)
        write_atomically(told, (json.dumps(settings) + "\n").encode())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot use {state}: {error}; choose another --out") from error
    return _begun(state)


def _begun(state: Path) -> bool:
    """Whether anything but the settings is there."""
    return any(path.name != _SETTINGS for path in state.iterdir())
