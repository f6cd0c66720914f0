"""Reads an arms file so that every mistake is told with its line and what to write instead."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from guard.errors import ConfigError
from guard.policy_places import InFile, Loc
from guard.yaml_file import read_yaml
from serve.arms.schema import AdapterArm, BareArm, Experiment, GuardArm, UpstreamArm

_KINDS: dict[str, type[BaseModel]] = {
    "guard": GuardArm,
    "bare": BareArm,
    "adapter": AdapterArm,
    "upstream": UpstreamArm,
}


def load_arms(path: Path) -> Experiment:
    """Read and check an arms file; the paths of policies in it start at its own folder.

    Raises:
        ConfigError: names the file, the line and the fix of every mistake found.
    """
    least = "it needs at least `version: 1`, `experiment:` and `arms:`"
    root, data = read_yaml(path, "arms", "--arms", least)
    places = InFile(path, root, frozenset())
    try:
        read = Experiment.model_validate(data)
    except ValidationError as error:
        mistakes = [places.tell(_place(item["loc"]), _say(item)) for item in error.errors()]
        raise ConfigError("\n".join(mistakes)) from error
    base = path.absolute().parent
    arms = tuple(
        arm.model_copy(update={"policy": base / arm.policy}) if isinstance(arm, GuardArm) and arm.policy else arm
        for arm in read.arms
    )
    for number, arm in enumerate(arms):
        if isinstance(arm, GuardArm) and arm.policy and not arm.policy.is_file():
            told = f"there is no file {arm.policy}; paths start at the arms file's own folder"
            raise ConfigError(places.tell(("arms", number, "policy"), told))
    return read.model_copy(update={"arms": arms})


def _place(loc: Loc) -> Loc:
    """Without the arm's kind, which pydantic puts in and which is no key."""
    return loc[:2] + loc[3:] if len(loc) > 2 and loc[2] in _KINDS else loc


def _say(item: ErrorDetails) -> str:
    loc, kind = item["loc"], item["type"]
    if kind == "extra_forbidden":
        model = _KINDS[str(loc[2])] if len(loc) > 2 else Experiment
        return f"unknown key; the keys here are {', '.join(model.model_fields)}"
    if loc[-1:] == ("unguarded",):
        return "this arm answers its callers without the guard; say so with `unguarded: true`"
    if kind == "missing":
        return "the key is missing; add it"
    if kind in ("union_tag_not_found", "union_tag_invalid", "model_attributes_type"):
        return f"write one of {', '.join(f'{{kind: {name}}}' for name in _KINDS)}"
    if kind == "too_short":
        return "list at least two arms"
    if kind == "string_pattern_mismatch" and loc[-1] == "url":
        return "the url must begin with http:// or https://"
    if kind == "string_pattern_mismatch":
        return "a name is made of letters, digits and . _ -, and begins with none of the last two"
    if kind == "value_error":
        return str(item["ctx"]["error"])
    return item["msg"]
