"""Versions of a policy: what makes one, and that only a whole one is ever in force."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from serving import FORGOTTEN, Served, make_auxiliary
from typer.testing import CliRunner

from guard.errors import ArtifactError, ConfigError
from guard.policy import load_policy, one_topic
from guard.secret import load_secret
from serve.cli import app as cli
from serve.policies.change import Changes
from serve.policies.store import Store
from serve.policies.version import POLICY
from serve.policies.worker import Order


@pytest.fixture
def own(served: Served, policy_file: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy file of our own, whose classifier `served` has fitted."""
    monkeypatch.setenv("LETHE_STATE", str(state))
    shutil.copytree(policy_file.parent, tmp_path / "policy")
    return tmp_path / "policy" / policy_file.name


@pytest.fixture
def store(own: Path) -> Iterator[Store]:
    made = Store.of(own, load_secret())
    yield made
    assert not [path for path in made.folder.iterdir() if path.name.startswith((".draft", ".pointer", ".adding"))]
    shutil.rmtree(made.folder)


@pytest.fixture
def changes(store: Store, own: Path) -> Changes:
    made = Changes(store, load_secret(), "tests")
    made.begin(load_policy(own), None)
    return made


def topics(store: Store) -> list[str]:
    return [topic.name for topic in store.in_force().policy().enforced(datetime.now(UTC)).topics]


ALL = [f"topic-{number}" for number in range(5)]


def test_a_file_is_a_version_once_and_its_owners_alone(store: Store, changes: Changes, own: Path) -> None:
    assert changes.begin(load_policy(own), None).number == 1
    version = store.in_force()
    assert (version.number, version.record.change, topics(store)) == (1, "import", ALL)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in version.folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE(version.folder.stat().st_mode) == stat.S_IMODE(version.artifact.stat().st_mode) == 0o700
    own.write_text(own.read_text().replace("{kind: prefix}", "{kind: refuse}"))
    assert changes.begin(load_policy(own), None).number == 2
    assert store.in_force().policy().topics[2].actions[0].kind == "refuse"


def test_a_file_that_was_edited_takes_no_other_change_away_unasked(store: Store, changes: Changes, own: Path) -> None:
    changes.revoke("topic-1")
    assert changes.begin(load_policy(own), None).number == 2, "the file is as it was"
    own.write_text(own.read_text().replace("{kind: prefix}", "{kind: refuse}"))
    with pytest.raises(ConfigError, match=r"version 2, .* \(revoked topic-1\).* `lethe topics import`"):
        changes.begin(load_policy(own), None)
    assert topics(store) == [name for name in ALL if name != "topic-1"]
    assert changes.import_file(load_policy(own), None).number == 3
    assert topics(store) == ALL


def test_auxiliary_models_stay_where_they_are_and_others_make_another_version(
    store: Store, changes: Changes, own: Path, checkpoint: Path
) -> None:
    folder = make_auxiliary(checkpoint, own.parent / "auxiliary")
    own.write_text(own.read_text().replace("topics:", "auxiliary: auxiliary\ntopics:", 1))
    assert changes.begin(load_policy(own), None).number == 2
    assert changes.begin(load_policy(own), None).number == 2
    assert store.in_force().policy().auxiliary == folder
    make_auxiliary(checkpoint, folder, seed=6)
    assert changes.begin(load_policy(own), None).number == 3


def test_a_topic_ends_and_comes_back_without_a_fit(store: Store, changes: Changes) -> None:
    changes.revoke("topic-1")
    for again in (lambda: changes.revoke("topic-1"), lambda: changes.revoke("topic-9")):
        with pytest.raises(ConfigError, match=r"no topic|not in force any more"):
            again()
    with pytest.raises(ConfigError, match="has passed"):
        changes.expire("topic-1", datetime.now(UTC) - timedelta(seconds=1))
    changes.expire("topic-1", datetime.now(UTC) + timedelta(days=1))
    assert topics(store) == ALL
    changes.revoke("topic-2")
    assert changes.rollback(1).number == 5
    assert (topics(store), store.in_force().record.own) == (ALL, False)
    assert [version.record.change for version in store.versions()] == [
        *("import", "revoke", "expire", "revoke", "rollback")
    ]
    with pytest.raises(ConfigError, match="there is no version 9"):
        changes.rollback(9)
    assert store.pointer() == 5
    for before in (4, 1):
        store.put_back(5, before)
        assert store.pointer() == 4


def test_a_topic_is_added_to_those_in_force(store: Store, changes: Changes, own: Path) -> None:
    """As the fifth again, whose classifier is there already."""
    changes.revoke("topic-4")
    given = {"examples": own.parent / "4.jsonl", "aliases": (FORGOTTEN[4][0],), "retain": own.parent / "retain.jsonl"}
    topic = one_topic("topic-4", **given).topics[0]
    added = changes.add(topic, lambda *_: None)
    assert (added.record.what, topics(store)) == ("added topic-4", ALL)
    assert added.policy().topics[4].expires is None, "the one that ended is gone"
    with pytest.raises(ConfigError, match="in force already"):
        changes.add(topic, lambda *_: None)
    with store.locked("add"), pytest.raises(ConfigError, match="being added to this policy already"):
        changes.add(topic, lambda *_: None)


def test_a_change_of_what_is_not_in_force_any_more_is_none(store: Store, changes: Changes) -> None:
    def late(folder: Path) -> None:
        raise AssertionError("never asked for")

    changes.revoke("topic-1")
    with pytest.raises(ConfigError, match="meanwhile"):
        store.publish(late, by="tests", change="add", what="", own=True, base=1)
    assert store.pointer() == 2


@pytest.mark.parametrize("fault", ["policy", "classifier", "nothing"])
def test_what_cannot_be_used_never_comes_in_force(store: Store, changes: Changes, fault: str) -> None:
    good = store.in_force().folder

    def broken(folder: Path) -> None:
        if fault == "nothing":
            raise OSError(28, "No space left on device")
        shutil.copytree(good, folder, dirs_exist_ok=True)
        path = folder / POLICY if fault == "policy" else folder / "artifact" / "arrays.npz"
        path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises((ConfigError, ArtifactError)):
        store.publish(broken, by="tests", change="import", what="", own=False)
    assert (store.pointer(), len(store.versions())) == (1, 1)


def test_a_fit_that_is_killed_changes_nothing_and_the_next_may_begin(store: Store, changes: Changes) -> None:
    order = Order(store=store.folder, by="tests", topic={"name": "new", "aliases": ["Zarnwick Oble"]})
    command = [sys.executable, "-m", "serve.policies.worker"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdin is not None
    assert worker.stdout is not None
    with worker:
        worker.stdin.write(order.model_dump_json() + "\n")
        worker.stdin.flush()
        assert json.loads(worker.stdout.readline())["stage"] == "reading examples"
        with pytest.raises(ConfigError, match="being added"):
            changes.add(one_topic("x", examples=None, retain=None, aliases=("X",)).topics[0], lambda *_: None)
        worker.kill()
    assert (store.pointer(), topics(store)) == (1, ALL)
    with store.locked("add", wait=False):
        pass


def test_the_commands_tell_what_is_in_force(store: Store, changes: Changes, own: Path) -> None:
    def run(*given: str) -> tuple[int, list[list[str]], str]:
        done = CliRunner().invoke(cli, ["topics", *given, "--policy", str(own)])
        return done.exit_code, [line.split("\t") for line in done.stdout.splitlines()], done.stderr

    assert run("expire", "topic-0", "2130-12-31")[0] == 0
    assert run("revoke", "topic-1")[1] == [["version 3 is in force: revoked topic-1"]]
    _, listed, where = run("list")
    assert [row[0] for row in listed] == ALL
    assert listed[0][1:] == ["until 2131-01-01T00:00:00+00:00", "corrupt", FORGOTTEN[0][0]]
    assert listed[1][1].startswith("ended 20")
    assert str(store.folder) in where
    assert run("rollback", "1")[0] == 0
    assert [(row[0], row[2], row[3], row[4]) for row in run("history")[1]] == [
        ("1", "tests", "policy file", ""),
        ("2", "command line", "topic-0 until 2131-01-01T00:00:00+00:00", ""),
        ("3", "command line", "revoked topic-1", ""),
        ("4", "command line", "as version 1", "in force"),
    ]
    for wrong, told in (
        (("expire", "topic-0", "tomorrow"), "write 2030-12-31"),
        (("add", "x"), "nothing says how to recognise the topic"),
        (("add", "x", "--alias", "X", "--action", "shout"), "there is no kind 'shout'"),
        (("add", "topic-0", "--alias", "X"), "in force already"),
    ):
        code, _, error = run(*wrong)
        assert (code, told in error) == (2, True), error
    assert store.pointer() == 4


def test_a_pointer_that_is_gone_or_points_nowhere_is_no_reason_to_begin_anew(store: Store, changes: Changes) -> None:
    pointer = store.folder / "current"
    pointer.write_text("7\n")
    with pytest.raises(ConfigError, match="version 7 of the policy is missing"):
        store.current()
    pointer.write_text("seven")
    with pytest.raises(ConfigError, match="does not say which version"):
        store.current()
    pointer.unlink()
    with pytest.raises(ConfigError, match="is gone"):
        store.current()
