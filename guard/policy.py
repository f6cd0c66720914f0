"""Reads a policy's YAML so that every mistake is told with its line and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from guard.errors import ConfigError
from guard.normalise import normalise
from guard.output.letters import key_of
from guard.policy_actions import (
    Action,
    CorruptAction,
    DecodeAction,
    DivergeAction,
    IculAction,
    PrefixAction,
    RefuseAction,
)
from guard.policy_places import InBody, InFile, Loc, OnCommandLine, Places
from guard.policy_schema import JudgeRule, OnHit, OutputRule, Policy, Topic, expiry
from guard.yaml_file import read_yaml

__all__ = [
    "Action",
    "CorruptAction",
    "DecodeAction",
    "DivergeAction",
    "IculAction",
    "JudgeRule",
    "OnHit",
    "OutputRule",
    "Policy",
    "PrefixAction",
    "RefuseAction",
    "Topic",
    "expiry",
    "load_policy",
    "one_topic",
]

_ACTIONS: dict[str, type[BaseModel]] = {
    "corrupt": CorruptAction,
    "decode": DecodeAction,
    "diverge": DivergeAction,
    "icul": IculAction,
    "prefix": PrefixAction,
    "refuse": RefuseAction,
}


def load_policy(path: Path) -> Policy:
    """Read and check a policy file; relative paths in it start at its own folder.

    Raises:
        ConfigError: names the file, the line and the fix of every mistake found.
    """
    root, data = read_yaml(path, "policy", "--policy", "it needs at least `version: 1` and `topics:`")
    return _checked(data, path.absolute().parent, InFile(path, root, frozenset(_ACTIONS)))


def one_topic(
    name: str,
    *,
    examples: Path | None,
    retain: Path | None,
    aliases: tuple[str, ...] = (),
    description: str | None = None,
    false_flag_rate: float = 0.01,
    in_body: bool = False,
    **more: Any,
) -> Policy:
    """A policy of one topic, which is refused unless `more` of its keys say otherwise, without a policy file.

    Paths start at the working directory. It was given by options of a command, or else in the body of a request.

    Raises:
        ConfigError: names every option, or key of the body, that cannot be used.
    """
    topic = {"name": name, "examples": examples, "aliases": aliases, "description": description}
    data = {
        "version": 1,
        "false_flag_rate": false_flag_rate,
        "retain": retain,
        "topics": [{**topic, "action": {"kind": "refuse"}, **more}],
    }
    return _checked(data, Path(), InBody(frozenset(_ACTIONS)) if in_body else OnCommandLine())


def _checked(data: Any, base: Path, places: Places) -> Policy:
    try:
        policy = Policy.model_validate(data, context={"base": base})
    except ValidationError as error:
        mistakes = [places.tell(item["loc"], _say(item, places)) for item in _told(error)]
        raise ConfigError("\n".join(mistakes)) from error
    mistakes = [places.tell(loc, text) for loc, text in _clashes(policy)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return policy


def _told(error: ValidationError) -> list[ErrorDetails]:
    """The mistakes, without "too few" where those that are there are themselves at fault."""
    items = error.errors()

    def echo(loc: Loc) -> bool:
        return any(item["loc"][: len(loc)] == loc and len(item["loc"]) > len(loc) for item in items)

    return [item for item in items if not (item["type"] == "too_short" and echo(item["loc"]))]


def _say(item: ErrorDetails, places: Places) -> str:
    """What is wrong and what to write instead, without the place."""
    loc, kind = item["loc"], item["type"]
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; the keys here are {', '.join(_known(loc))}"
    if kind == "missing":
        return "the key is missing; add it"
    if kind in ("union_tag_not_found", "union_tag_invalid", "model_attributes_type"):
        wrong = f"there is no kind {context['tag']!r}" if kind == "union_tag_invalid" else "the kind is missing"
        *kinds, last = (f"{{kind: {name}}}" for name in _ACTIONS)
        return f"{wrong}: write {', '.join(kinds)} or {last}"
    if kind in ("tuple_type", "list_type"):
        return "must be a list: write [one, another], or one a line behind dashes"
    if kind == "string_type":
        return "must be text; put it in quotes"
    if kind == "string_too_short":
        return "is empty; write at least one character"
    if kind == "model_type" and loc[-1:] == ("output",):
        return "must be a mapping: write {on_hit: replace}, again, cut, redact, or none to leave answers alone"
    if kind == "model_type" and loc == ("judge",):
        return "must be a mapping: write {url: URL, model: NAME}"
    if kind == "model_type":
        return "must be a mapping; start with `version: 1` and `topics:`"
    if kind == "too_short":
        return "is empty; list at least one"
    if kind == "no_file":
        return f"there is no file {context['path']}; paths start at {places.start}"
    if kind == "unrecognisable":
        *ways, last = (places.key(name) for name in context["keys"])
        return f"nothing says how to recognise the topic; add {', '.join(ways)} or {last}"
    if kind == "value_error":
        return str(context["error"])
    return item["msg"]


def _known(loc: Loc) -> list[str]:
    tag = next((part for part in loc if part in _ACTIONS), None)
    if "action" in loc and isinstance(tag, str):
        model: type[BaseModel] = _ACTIONS[tag]
    elif "output" in loc[:-1]:
        model = OutputRule
    elif loc[0] == "judge":
        model = JudgeRule
    else:
        model = Topic if loc[0] == "topics" else Policy
    return [field.alias or name for name, field in model.model_fields.items()]


def _clashes(policy: Policy) -> Iterator[tuple[Loc, str]]:
    if policy.diverges and policy.auxiliary is None:
        told = "add `auxiliary: FOLDER` to the policy, as made by `lethe-eval aux`"
        yield ("topics",), f"diverge compares two small models; {told}"
    seen: set[str] = set()
    for index, topic in enumerate(policy.topics):
        key = normalise(topic.name).text
        if key in seen:
            yield ("topics", index, "name"), f"a topic called {topic.name!r} is already listed; rename or remove one"
        seen.add(key)
        for place, alias in enumerate(topic.aliases):
            if not normalise(alias).text:
                yield ("topics", index, "aliases", place), f"the alias {alias!r} has no visible character"
        for place, span in enumerate(topic.output.protect):
            if not key_of(span):
                yield ("topics", index, "output", "protect", place), f"{span!r} has no word that could be protected"
        for action in topic.actions:
            if isinstance(action, IculAction):
                yield from ((("topics", index, "action"), lack) for lack in _lacks(topic, action, policy))


def _lacks(topic: Topic, action: IculAction, policy: Policy) -> Iterator[str]:
    if topic.examples is None:
        yield "icul shows the model examples of the topic, with answers; add `examples`, or take another action"
    if action.needs_retained and policy.retain is None:
        yield (
            "icul takes exemplars and wrong answers from what is retained; add `retain: FILE` to the policy, "
            "or write {kind: icul, retain: 0, answers: refusals}"
        )
