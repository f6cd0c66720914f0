"""What a place in a policy is called: a key and a line where there is a file, an option on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import yaml

Loc = tuple[int | str, ...]

_OPTIONS = {
    "name": "--topic",
    "examples": "--examples",
    "aliases": "--alias",
    "description": "--description",
    "retain": "--retain",
    "false_flag_rate": "--false-flag-rate",
    "action": "--action",
    "expires": "--expires",
}


class Places(Protocol):
    """Names places for the reader of a mistake; `start` is where relative paths begin."""

    @property
    def start(self) -> str:
        """Where relative paths begin, in words."""
        ...

    def key(self, name: str) -> str:
        """What the reader writes for the policy's key `name`."""
        ...

    def tell(self, loc: Loc, text: str) -> str:
        """A mistake, with where it stands."""
        ...


class InFile:
    """Places of a policy file, whose YAML is `root`; `kinds` are the tags that stand for an action's kind."""

    start = "the policy's own folder"

    def __init__(self, path: Path, root: yaml.Node, kinds: frozenset[str]) -> None:
        self._path, self._root, self._kinds = path, root, kinds

    def key(self, name: str) -> str:
        """See `Places`."""
        return f"`{name}`"

    def tell(self, loc: Loc, text: str) -> str:
        """See `Places`."""
        return f"{self._path}:{self._line(loc)}: {_named(loc, self._kinds) or 'the policy'}: {text}"

    def _line(self, loc: Loc) -> int:
        """The line of the deepest part of `loc` that the file holds (a missing key is told at its parent)."""
        node = self._root
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


class OnCommandLine:
    """Places of a policy of one topic that options of a command describe."""

    start = "the working directory"

    def key(self, name: str) -> str:
        """See `Places`."""
        return _OPTIONS[name]

    def tell(self, loc: Loc, text: str) -> str:
        """See `Places`; what is wrong with the topic as a whole is told at its name."""
        return f"{next((_OPTIONS[part] for part in loc if part in _OPTIONS), '--topic')}: {text}"


class InBody:
    """Places of a policy of one topic that the body of a request describes; `kinds` as for `InFile`."""

    start = "the server's working directory"

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds

    def key(self, name: str) -> str:
        """See `Places`."""
        return f"`{name}`"

    def tell(self, loc: Loc, text: str) -> str:
        """See `Places`; the body is the topic."""
        name = _named(loc[2:], self._kinds)
        return f"{name}: {text}" if name else text


def _named(loc: Loc, kinds: frozenset[str]) -> str:
    """The key at `loc`, in quotes; nothing for the whole."""
    text = ""
    for index, part in enumerate(loc):
        # One action alone counts as a list of one, and each carries its kind: neither stands in what was written.
        if "action" in loc[:index] and (part in kinds or loc[index - 1] == "action"):
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return repr(text) if text else ""
