"""Reads a YAML file of the operator's, so that what is no YAML, or stands twice, is told with its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from guard.errors import ConfigError


def read_yaml(path: Path, what: str, option: str, least: str) -> tuple[yaml.Node, Any]:
    """The file's nodes, which know their lines, and its value.

    `what` the file is, the `option` that names it and the `least` it must hold are for the messages.

    Raises:
        ConfigError: names the file, the line and the fix.
    """
    root, data = _parse(path, what, option, least)
    duplicates = [f"{path}:{line}: the key {key!r} stands here a second time; remove one" for key, line in _twice(root)]
    if duplicates:
        raise ConfigError("\n".join(duplicates))
    return root, data


def _parse(path: Path, what: str, option: str, least: str) -> tuple[yaml.Node, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {what} file {path}; give its path with {option}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the {what} {path} as UTF-8 text: {error}") from error
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise ConfigError(f"{path}:1: the {what} is empty; {least}")
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
