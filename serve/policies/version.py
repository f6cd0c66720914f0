"""One version of a policy: a folder with the policy, its example files and its classifier, never changed once made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from guard.errors import ConfigError
from guard.policy import Policy, Topic, load_policy
from guard.policy_schema import DATA_SET

POLICY, ARTIFACT = "policy.yaml", "artifact"
_EXAMPLES, _RECORD = "examples", "version.json"
Change = Literal["import", "add", "revoke", "expire", "recalibrate", "rollback"]


class Record(BaseModel):
    """Who made a version, when (ISO 8601, UTC) and how: `what` says it in words.

    `source` stands for the policy file and classifier that an import took; `own` says whether the version holds changes
    that no policy file has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    made: str
    by: str
    change: Change
    what: str
    own: bool
    source: str | None = None


class Version:
    """Version `number`, in its folder."""

    def __init__(self, folder: Path, number: int) -> None:
        """Raises ConfigError: it is missing or damaged."""
        self.folder = folder
        self.number = number
        path = folder / _RECORD
        try:
            self.record = Record.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise ConfigError(f"version {number} of the policy is missing: there is no {path}") from error
        except (OSError, ValidationError) as error:
            raise ConfigError(f"version {number} of the policy is damaged: {path} cannot be read") from error

    @property
    def artifact(self) -> Path:
        """The classifier's folder."""
        return self.folder / ARTIFACT

    def policy(self) -> Policy:
        """Read and check the policy.

        Raises:
            ConfigError: it is missing or damaged.
        """
        return load_policy(self.folder / POLICY)


def write_record(folder: Path, record: Record) -> None:
    """Keep who made the version that is being written to `folder`."""
    (folder / _RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def write_policy(folder: Path, policy: Policy, *, link: bool = False) -> None:
    """Write a policy with copies of its example files to a folder; data sets of a hub stay where they are.

    With `link` all of these are another version's, which nobody ever changes, so that they take no room a second time.

    Raises:
        ConfigError: a file cannot be read.
    """
    (folder / _EXAMPLES).mkdir(mode=0o700, exist_ok=True)
    told = policy.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if policy.retain is not None:
        told["retain"] = _copied(policy.retain, folder, "retain", link)
    for number, (topic, written) in enumerate(zip(policy.topics, told["topics"], strict=True)):
        if topic.examples is not None:
            written["examples"] = _copied(topic.examples, folder, f"topic-{number}", link)
    text: str = yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=120)
    (folder / POLICY).write_text(text, encoding="utf-8")


def with_topics(policy: Policy, topics: tuple[Topic, ...]) -> Policy:
    """The policy with other topics."""
    return policy.model_copy(update={"topics": topics})


def copy_artifact(source: Path, folder: Path, *, link: bool = False) -> None:
    """Copy a classifier into a version's folder; `link` as in `write_policy`."""
    shutil.copytree(source, folder / ARTIFACT, copy_function=_put(link))


def _copied(path: Path, folder: Path, name: str, link: bool) -> str:
    """The policy's own name for a copy of an example file or folder."""
    if str(path).startswith(DATA_SET):
        return str(path)
    place = f"{_EXAMPLES}/{name}{'' if path.is_dir() else path.suffix}"
    try:
        if path.is_dir():
            shutil.copytree(path, folder / place, copy_function=_put(link), ignore=_not_examples)
        else:
            _put(link)(path, folder / place)
    except (OSError, shutil.Error) as error:
        raise ConfigError(f"cannot copy the examples {path}: {error}") from error
    return place


def _put(link: bool) -> Callable[..., Any]:
    return os.link if link else shutil.copyfile


def _not_examples(folder: str, names: list[str]) -> list[str]:
    """Hidden files and folders, which are not read."""
    return [name for name in names if name.startswith(".") or not (Path(folder) / name).is_file()]
