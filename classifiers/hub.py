"""Examples from a Hugging Face data set: `hf:ID[:CONFIGURATION][@SPLIT]`, the split being train unless told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guard.errors import ConfigError
from guard.policy_schema import DATA_SET

_REFERENCE = re.compile(rf"{DATA_SET}(?P<id>[^:@]+)(?::(?P<config>[^:@]+))?(?:@(?P<split>[^:@]+))?")


def is_data_set(path: Path) -> bool:
    """Whether an `examples` or `retain` entry names a data set, not a file."""
    return str(path).startswith(DATA_SET)


def rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of the data set that `path` names, each with where it stands; cached by the hub's client.

    Raises:
        ConfigError: the name is malformed, or nothing can be loaded under it.
    """
    named = _REFERENCE.fullmatch(str(path))
    if named is None:
        raise ConfigError(f"{path}: write a data set as hf:ID, hf:ID:CONFIGURATION or hf:ID:CONFIGURATION@SPLIT")
    # Imported when needed: it takes a second, which policies of files should not wait for.
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    if Path(named["id"]).is_dir() and not Path(named["id"]).is_absolute():
        raise ConfigError(f"{path}: write a folder's whole path, or without hf: a path from the policy's own folder")
    try:
        loaded = load_dataset(named["id"], named["config"], split=named["split"] or "train")
    except (OSError, ValueError, DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"cannot load the data set {path} ({reason}); check its id, configuration and split, and the network"
        ) from error
    for number, record in enumerate(loaded, 1):
        yield f"{path}, record {number}", record
