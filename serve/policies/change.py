"""Makes the next version of a policy out of the one in force."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from classifiers.artifact import encoder_of
from classifiers.fit import Progressed, default_folder, ensure_artifact, fit_policy
from guard.errors import ArtifactError, ConfigError
from guard.normalise import normalise
from guard.policy import Policy, Topic
from guard.secret import load_secret
from serve.policies.identity import policy_id
from serve.policies.store import Store
from serve.policies.version import ARTIFACT, Change, Version, copy_artifact, with_topics, write_policy

if TYPE_CHECKING:
    from classifiers.traffic import Prompt


class Changes:
    """Changes of one store's policy, made by `by`: each puts a new version in force or changes nothing.

    All methods raise ConfigError where the change cannot be made, ArtifactError where a classifier is damaged.
    """

    def __init__(self, store: Store, secret: bytes, by: str) -> None:
        self._store = store
        self._secret = secret
        self._by = by

    def begin(self, policy: Policy, artifact: Path | None) -> Version:
        """The version to serve at a start with a policy file: the file's, if it is new, else the one in force."""
        taken = ensure_artifact(policy, secret=self._secret, out=artifact)
        with self._store.locked("begin"):
            source = policy_id(policy, taken, self._secret)
            current = self._store.current()
            imported = [v.record.source for v in self._store.versions() if v.record.source is not None]
            if current is not None and imported[-1:] == [source]:
                return current
            if current is not None and current.record.own:
                raise ConfigError(
                    f"the policy file or its classifier was changed, and version {current.number}, which is in force, "
                    f"has changes that the file lacks ({current.record.what}); put the file in force with "
                    "`lethe topics import`, or undo what was changed in it"
                )
            return self._import(policy, taken, source)

    def import_file(self, policy: Policy, artifact: Path | None) -> Version:
        """Put a policy file in force as it is, whatever was changed since the last one."""
        taken = ensure_artifact(policy, secret=self._secret, out=artifact)
        return self._import(policy, taken, policy_id(policy, taken, self._secret))

    def add(self, topic: Topic, progress: Progressed) -> Version:
        """Enforce one more topic: fit a classifier for all topics that are enforced now, and it."""
        check_ahead(topic.expires)
        try:
            with self._store.locked("add", wait=False):
                return self._add(topic, progress)
        except BlockingIOError as error:
            raise ConfigError("a topic is being added to this policy already; wait until that is done") from error

    def revoke(self, name: str) -> Version:
        """Enforce a topic no more, from now on."""
        return self._dated(name, datetime.now(UTC), "revoke", f"revoked {name}")

    def expire(self, name: str, when: datetime | None) -> Version:
        """Enforce a topic until then, or without an end."""
        check_ahead(when)
        told = f"until {when.isoformat()}" if when else "without an end"
        return self._dated(name, when, "expire", f"{name} {told}")

    def rollback(self, number: int) -> Version:
        """Put what an earlier version says in force again, as a new version."""
        if not self._store.has(number):
            raise ConfigError(f"there is no version {number}; `lethe topics history` shows them")
        target = self._store.version(number)
        return self._derived(target, target.policy(), "rollback", f"as version {number}", own=target.record.own)

    def recalibrate(self, prompts: Sequence[Prompt]) -> Version:
        """Set the thresholds on clean traffic."""
        from classifiers.traffic import recalibrate

        base = self._store.in_force()
        with tempfile.TemporaryDirectory(prefix=".recalibrating-", dir=self._store.folder) as folder:
            copy_artifact(base.artifact, Path(folder))
            recalibrate(Path(folder) / ARTIFACT, prompts, policy=base.policy(), secret=self._secret)
            fill = _filling(base.policy(), Path(folder) / ARTIFACT)
            told = f"thresholds set on {len(prompts)} prompts"
            return self._store.publish(fill, by=self._by, change="recalibrate", what=told, own=True, base=base.number)

    def _import(self, policy: Policy, artifact: Path, source: str) -> Version:
        told = "policy file"
        return self._store.publish(
            _filling(policy, artifact), by=self._by, change="import", what=told, own=False, source=source
        )

    def _add(self, topic: Topic, progress: Progressed) -> Version:
        base = self._store.in_force()
        policy = base.policy()
        kept = policy.enforced(datetime.now(UTC)).topics
        check_untaken(topic.name, policy)
        grown = with_topics(policy, (*kept, topic))
        try:
            encoder = encoder_of(base.artifact, secret=self._secret)
        except ArtifactError as error:
            raise ConfigError(
                f"{error}; add the topic to the policy file, fit it and use `lethe topics import`"
            ) from error
        artifact = default_folder(grown, secret=self._secret, encoder=encoder)
        if not artifact.exists():
            fit_policy(grown, secret=self._secret, out=artifact, encoder=encoder, progress=progress)
        told = f"added {topic.name}"
        return self._store.publish(
            _filling(grown, artifact), by=self._by, change="add", what=told, own=True, base=base.number
        )

    def _dated(self, name: str, when: datetime | None, change: Change, what: str) -> Version:
        base = self._store.in_force()
        policy = base.policy()
        if policy.topic(name) is None:
            raise ConfigError(f"there is no topic {name!r}; `lethe topics list` shows them")
        if change == "revoke" and policy.enforced(datetime.now(UTC)).topic(name) is None:
            raise ConfigError(f"the topic {name!r} is not in force any more")
        dated = tuple(t.model_copy(update={"expires": when}) if t.name == name else t for t in policy.topics)
        return self._derived(base, with_topics(policy, dated), change, what, own=True, base=base.number)

    def _derived(
        self, of: Version, policy: Policy, change: Change, what: str, *, own: bool, base: int | None = None
    ) -> Version:
        fill = _filling(policy, of.artifact, link=True)
        return self._store.publish(fill, by=self._by, change=change, what=what, own=own, base=base)


def check_untaken(name: str, policy: Policy) -> None:
    """
    Raises:
        ConfigError: a topic is called so which is enforced now.
    """
    kept = policy.enforced(datetime.now(UTC)).topics
    if any(normalise(one.name).text == normalise(name).text for one in kept):
        raise ConfigError(f"a topic called {name!r} is in force already; revoke it, or take another name")


def check_ahead(when: datetime | None) -> None:
    """
    Raises:
        ConfigError: a topic would end at a time that has passed.
    """
    if when is not None and when <= datetime.now(UTC):
        raise ConfigError(f"{when.isoformat()} has passed; revoke the topic to end it at once")


def _filling(policy: Policy, artifact: Path, *, link: bool = False) -> Callable[[Path], None]:
    """Writes a version's files to a folder; `link` as in `write_policy`."""

    def fill(folder: Path) -> None:
        try:
            write_policy(folder, policy, link=link)
            copy_artifact(artifact, folder, link=link)
        except shutil.Error as error:
            raise ConfigError(f"cannot copy the classifier {artifact}: {error}") from error

    return fill


def begun(path: Path, policy: Policy, artifact: Path | None) -> Version:
    """The version to serve of a policy file, which is `policy`, as a server starts.

    Raises:
        LetheError: it cannot be served.
    """
    secret = load_secret()
    return Changes(Store.of(path, secret), secret, "lethe serve").begin(policy, artifact)
