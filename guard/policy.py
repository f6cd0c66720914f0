"""Reads a policy's YAML so that every mistake is told with its line and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from guard.errors import ConfigError
from guard.normalise import normalise
from guard.policy_schema import Action, CorruptAction, Policy, PrefixAction, RefuseAction, Topic

__all__ = ["Action", "CorruptAction", "Policy", "PrefixAction", "RefuseAction", "Topic", "load_policy", "one_topic"]

Loc = tuple[int | str, ...]
_ACTIONS: dict[str, type[BaseModel]] = {"corrupt": CorruptAction, "prefix": PrefixAction, "refuse": RefuseAction}


def load_policy(path: Path) -> Policy:
    """Read and check a policy file; relative paths in it start at its own folder.

    Raises:
        ConfigError: names the file, the line and the fix of every mistake found.
    """
    root, data = _parse(path)
    duplicates = [f"{path}:{line}: the key {key!r} stands here a second time; remove one" for key, line in _twice(root)]
    if duplicates:
        raise ConfigError("\n".join(duplicates))
    try:
        policy = Policy.model_validate(data, context={"base": path.absolute().parent})
    except ValidationError as error:
        mistakes = [f"{path}:{_line(root, item['loc'])}: {_say(item)}" for item in _told(error)]
        raise ConfigError("\n".join(mistakes)) from error
    mistakes = [f"{path}:{_line(root, loc)}: {text}" for loc, text in _clashes(policy)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return policy


def one_topic(
    name: str,
    *,
    examples: Path | None,
    retain: Path | None,
    aliases: tuple[str, ...] = (),
    description: str | None = None,
    false_flag_rate: float = 0.01,
) -> Policy:
    """A policy of one topic, which is refused, without a policy file; paths start at the working directory.

    Raises:
        ConfigError: names every option that cannot be used.
    """
    topic = {"name": name, "examples": examples, "aliases": aliases, "description": description}
    data = {
        "version": 1,
        "false_flag_rate": false_flag_rate,
        "retain": retain,
        "topics": [{**topic, "action": {"kind": "refuse"}}],
    }
    try:
        return Policy.model_validate(data, context={"base": Path()})
    except ValidationError as error:
        raise ConfigError("\n".join(_as_option(item) for item in _told(error))) from error


def _as_option(item: ErrorDetails) -> str:
    """A mistake in the words of the command line, which knows no file and no list of topics."""
    if item["loc"] == ("topics", 0):
        return "--topic: nothing says how to recognise it; add --examples, --alias or --description"
    if item["loc"][:3] == ("topics", 0, "aliases"):
        return "--alias is empty; give a name"
    text = _say(item).replace("topics[0].", "--").replace("; paths start at the policy's own folder", "")
    return text.replace("'false_flag_rate'", "'--false-flag-rate'").replace("'retain'", "'--retain'")


def _parse(path: Path) -> tuple[yaml.Node, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no policy file {path}; give its path with --policy") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the policy {path} as UTF-8 text: {error}") from error
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise ConfigError(f"{path}:1: the policy is empty; it needs at least `version: 1` and `topics:`")
        return root, loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    finally:
        loader.dispose()


def _twice(node: yaml.Node) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key.value, key.start_mark.line + 1
                seen.add(key.value)
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item)


def _line(node: yaml.Node, loc: Loc) -> int:
    """The line of the deepest part of `loc` that the file holds (a missing key is told at its parent)."""
    line = node.start_mark.line
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            # A discriminated union puts its tag into the loc; no key is called so, and it is passed over.
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                continue
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return int(line) + 1


def _told(error: ValidationError) -> list[ErrorDetails]:
    """The mistakes, without "too few" where those that are there are themselves at fault."""
    items = error.errors()

    def echo(loc: Loc) -> bool:
        return any(item["loc"][: len(loc)] == loc and len(item["loc"]) > len(loc) for item in items)

    return [item for item in items if not (item["type"] == "too_short" and echo(item["loc"]))]


def _say(item: ErrorDetails) -> str:
    loc, kind = item["loc"], item["type"]
    where = _name(loc)
    if kind == "extra_forbidden":
        return f"unknown key {where!r}; the keys here are {', '.join(_known(loc))}"
    if kind == "missing":
        return f"the key {where!r} is missing; add it"
    if kind in ("union_tag_not_found", "union_tag_invalid", "model_attributes_type"):
        wrong = f"knows no kind {item['ctx']['tag']!r}" if kind == "union_tag_invalid" else "needs a kind"
        return f"{where!r} {wrong}: write {{kind: corrupt}}, {{kind: prefix}} or {{kind: refuse}}"
    if kind in ("tuple_type", "list_type"):
        return f"{where!r} must be a list: write [one, another], or one a line behind dashes"
    if kind == "string_type":
        return f"{where!r} must be text; put it in quotes"
    if kind == "model_type":
        return "a policy is a mapping; start with `version: 1` and `topics:`"
    if kind == "too_short":
        return f"{where!r} is empty; list at least one"
    if kind == "value_error":
        return f"{where!r}: {item['ctx']['error']}"
    return f"{where!r}: {item['msg']}"


def _name(loc: Loc) -> str:
    text = ""
    for index, part in enumerate(loc):
        # One action alone counts as a list of one, and each carries its kind: neither stands in the file.
        if "action" in loc[:index] and (part in _ACTIONS or loc[index - 1] == "action"):
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the policy"


def _known(loc: Loc) -> list[str]:
    tag = next((part for part in loc if part in _ACTIONS), None)
    if "action" in loc and isinstance(tag, str):
        model: type[BaseModel] = _ACTIONS[tag]
    else:
        model = Topic if loc[0] == "topics" else Policy
    return [field.alias or name for name, field in model.model_fields.items()]


def _clashes(policy: Policy) -> Iterator[tuple[Loc, str]]:
    seen: set[str] = set()
    for index, topic in enumerate(policy.topics):
        key = normalise(topic.name).text
        if key in seen:
            yield ("topics", index, "name"), f"a topic called {topic.name!r} is already listed; rename or remove one"
        seen.add(key)
        for place, alias in enumerate(topic.aliases):
            if not normalise(alias).text:
                yield ("topics", index, "aliases", place), f"the alias {alias!r} has no visible character"
