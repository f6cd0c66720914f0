"""Flagged prompts: kept for their owner alone, bounded, labelled, and of use for calibration."""

from __future__ import annotations

import json
import logging
import stat
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from asking import CLEAN, ask
from streams import Sending, compact, whole
from stubs import PATH, Planned
from typer.testing import CliRunner

from guard.conversation import single
from guard.errors import ConfigError
from guard.types import Grounds, Pass, Refuse
from serve.asgi import Guard
from serve.audit.log import AuditLog
from serve.cli import app as cli
from serve.flagged.store import Flagged, FlaggedStore, flagged_file, messages_of
from serve.metrics import Metrics
from serve.prompts import read_log
from serve.recorded import Recorded

SECRET = b"0" * 32


def row(name, text="Where was Oren born?", age=0.0):
    when = (datetime.now(UTC) - timedelta(days=age)).isoformat(timespec="milliseconds")
    return Flagged(name, when, "v1", ["oren"], "refuse", messages_of(single(text)))


def test_what_is_kept_is_its_owners_alone_and_comes_back(tmp_path):
    store = FlaggedStore(tmp_path / "f.db")
    store.add(row("a", "half a pair: \ud800"))
    assert stat.S_IMODE((tmp_path / "f.db").stat().st_mode) == 0o600
    (found,) = FlaggedStore(tmp_path / "f.db").rows()
    assert (found.messages[0]["content"], found.topics, found.label) == ("half a pair: \ud800", ["oren"], None)
    assert store.label("a", False)
    assert not store.label("b", True)
    assert store.rows()[0].label == "no"
    (tmp_path / "f.db").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        store.rows()
    (tmp_path / "f.db").chmod(0o600)
    (tmp_path / "f.db").write_bytes(b"no database at all, and long enough to be read as one" * 40)
    with pytest.raises(ConfigError, match="cannot use"):
        store.rows()


def test_the_old_and_what_is_too_much_goes_and_leaves_nothing_in_the_file(tmp_path):
    path = tmp_path / "f.db"
    store = FlaggedStore(path, days=30, most=3000)
    store.add(row("old", "Wanda " * 20, age=29.9))
    for number in range(5):
        store.add(row(f"r{number}", f"{number}" * 900))
    assert [found.id for found in store.rows()] == ["r2", "r3", "r4"]
    store.add(row("older", "Selma " * 20, age=31))
    assert "older" not in [found.id for found in store.rows()]
    assert not [word for word in (b"Wanda", b"0000", b"Selma") if word in path.read_bytes()]


async def test_only_flagged_requests_are_kept_and_only_where_asked_for(tmp_path, dialect, caplog):
    async def ask_it(plan, flagged, text):
        server = Sending([compact(whole("Eight minutes.")).encode()], "application/json")
        guard = Guard(server, planner=Planned(plan), dialects=[dialect], max_body=2**20, plan_timeout=5, policy="v1")
        log = AuditLog(tmp_path / "audit", SECRET)
        app = Recorded(guard, log, Metrics(), SECRET, flagged=flagged)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            reply = await http.post(PATH, json=ask(text))
        log.close()
        return reply

    store, denied = FlaggedStore(tmp_path / "f.db"), Refuse("No.", grounds=Grounds(("oren",), "refuse"))
    await ask_it(denied, None, "unasked")
    await ask_it(Pass(), store, CLEAN)
    reply = await ask_it(denied, store, "Where was Oren born?")
    store.close()
    (found,) = store.rows()
    assert (found.id, found.policy, found.action) == (reply.json()["id"], "v1", "refuse")
    assert found.messages == [{"role": "user", "content": "Where was Oren born?"}]
    torn = FlaggedStore(tmp_path / "g.db")
    (tmp_path / "g.db").write_bytes(b"torn, and long enough to be read as a database, which it is not" * 40)
    with caplog.at_level(logging.ERROR):
        assert (await ask_it(denied, torn, "Where was Oren born?")).status_code == 200
        torn.close()
    assert "could not be kept" in caplog.text
    assert "Oren" not in caplog.text


def test_the_commands_list_label_and_export_what_calibration_reads(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    store = FlaggedStore(flagged_file())
    for name, text in (("a", "Who is Oren?"), ("b", "Who is Ada?"), ("c", "Who?")):
        store.add(row(name, text))

    def run(*given):
        done = CliRunner().invoke(cli, ["flagged", *given])
        return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    assert [one["id"] for one in run("list")[1]] == ["a", "b", "c"]
    assert run("label", "a", "yes")[0] == run("label", "b", "no")[0] == 0
    assert [one["id"] for one in run("list", "--unlabelled")[1]] == ["c"]
    code, _, told = run("label", "z", "no")
    assert (code, "no flagged request 'z'" in told) == (2, True)
    exported = tmp_path / "labels.jsonl"
    exported.write_text("".join(json.dumps(one) + "\n" for one in run("export")[1]))
    log = tmp_path / "log.txt"
    log.write_text("Who is Ada?\nWhat is the time?\nWho is Oren?\n")
    assert [prompt.flag for prompt in read_log(str(log), str(exported))] == [False, None, True]
    log.write_text("What is the time?\n")
    with pytest.raises(ConfigError, match=r"no prompt of .* has a label in"):
        read_log(str(log), str(exported))
