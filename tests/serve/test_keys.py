"""Keys: made, listed and revoked at the command line, asked for at the door."""

import json
import stat

import httpx
import pytest
from asking import CLEAN, ask
from streams import Sending, compact, whole
from stubs import PATH, Planned
from typer.testing import CliRunner

from guard.errors import ConfigError
from guard.types import Pass
from serve.app import ModelCard, build_app
from serve.asgi import Guard
from serve.audit.log import AuditLog
from serve.caller import Caller, caller_key, with_caller
from serve.cli import app as cli
from serve.keys.keyed import Keyed, Keyring
from serve.keys.store import add_key, check_keys, find_key, read_keys, revoke_key
from serve.metrics import Metrics
from serve.recorded import Recorded
from serve.upstream import Upstream

SECRET = b"0" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def test_the_file_holds_no_key_and_is_its_owners_alone(path):
    key, text = add_key(path, SECRET, role="caller", name="Ada")
    assert text not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_key(read_keys(path), SECRET, text.encode()) == key
    assert find_key(read_keys(path), b"1" * 32, text.encode()) is None
    assert find_key(read_keys(path), SECRET, text[:-1].encode()) is None
    assert find_key(read_keys(path), SECRET, b"") is None


def test_a_revoked_key_stays_listed_and_is_none(path):
    (first, text), (second, other) = (add_key(path, SECRET, role=role, name="") for role in ("caller", "admin"))
    revoke_key(path, first.id)
    keys = read_keys(path)
    assert [(key.id, key.revoked is None) for key in keys] == [(first.id, False), (second.id, True)]
    assert find_key(keys, SECRET, text.encode()) is None
    assert find_key(keys, SECRET, other.encode()) == second
    with pytest.raises(ConfigError, match="no valid key"):
        revoke_key(path, first.id)
    check_keys(path)
    revoke_key(path, second.id)
    with pytest.raises(ConfigError, match="lethe keys add"):
        check_keys(path)


@pytest.mark.parametrize(("damage", "told"), [("{", "damaged"), ('{"version":2}', "damaged")])
def test_a_file_that_is_damaged_or_open_to_others_is_not_used(path, damage, told):
    add_key(path, SECRET, role="caller", name="")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_keys(path)
    path.chmod(0o600)
    path.write_text(damage)
    with pytest.raises(ConfigError, match=told):
        read_keys(path)


def test_the_commands_make_list_and_revoke(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    run = CliRunner().invoke
    made = run(cli, ["keys", "add", "--role", "evaluator", "--name", "ci"])
    assert made.exit_code == 0
    assert made.stdout.startswith("lethe-")
    assert len(made.stdout.strip()) == 6 + 43
    key = made.stderr.split(",")[0]
    assert made.stderr == f"{key}, for an evaluator; it is not shown again\n"
    listed = run(cli, ["keys", "list"]).stdout.strip().split("\t")
    assert (listed[0], listed[1], listed[3], listed[4]) == (key, "evaluator", "valid", "ci")
    assert run(cli, ["keys", "revoke", key]).exit_code == 0
    assert "revoked 20" in run(cli, ["keys", "list"]).stdout
    again = run(cli, ["keys", "revoke", key])
    assert (again.exit_code, "no valid key" in again.stderr) == (2, True)
    assert run(cli, ["keys", "add", "--role", "king"]).exit_code == 2
    none = run(cli, ["serve", "--keys"])
    assert (none.exit_code, "lethe keys add" in none.stderr) == (2, True)


async def well():
    return True


class Door:
    """A whole app behind keys."""

    def __init__(self, folder, path, dialect):
        server = Sending([compact(whole("Eight minutes.")).encode()], "application/json")
        guard = Guard(server, planner=Planned(Pass()), dialects=[dialect], max_body=2**20, plan_timeout=5)
        self.metrics = Metrics()
        self.log = AuditLog(folder / "audit", SECRET)
        front, cards = Recorded(guard, self.log, self.metrics, SECRET), [ModelCard("m", 0, 128)]
        inner = build_app(front, Upstream(), cards, well)
        self.app = Keyed(inner, Keyring(path, SECRET), self.metrics)

    async def ask(self, key=None, method="POST", path=PATH, headers=()):
        headers = [*headers, *([("authorization", f"Bearer {key}")] if key else [])]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://t") as http:
            return await http.request(method, path, json=ask(CLEAN), headers=headers)

    @property
    def rows(self):
        return [row for row in map(json.loads, self.log.path.read_text().splitlines()) if row["event"] == "request"]


@pytest.fixture
def door(tmp_path, path, dialect):
    made = Door(tmp_path, path, dialect)
    yield made
    made.log.close()


async def test_only_who_has_a_key_is_served(door, path):
    key, text = add_key(path, SECRET, role="evaluator", name="")
    for wrong in (None, "x", text[:-1], f"{text}x", text.upper()):
        reply = await door.ask(wrong)
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert reply.json()["error"]["type"] == "authentication_error"
    for method, route in (("GET", "/v1/models"), ("GET", "/v1/models/m"), ("GET", "/"), ("POST", "/health")):
        assert (await door.ask(None, method, route)).status_code == 401
    assert not door.rows, "who has no key cannot fill the log"
    assert door.metrics.registry.get_sample_value("lethe_unauthorised_total") == 9
    assert (await door.ask(None, "GET", "/ready")).status_code == 200
    assert (await door.ask(text)).status_code == 200
    assert (await door.ask(text, "GET", "/v1/models")).status_code == 200
    twice = await door.ask(text, headers=[("authorization", f"Bearer {text}")])
    assert twice.status_code == 400
    assert [(row["caller"], row["role"]) for row in door.rows] == [(key.id, "evaluator")]


async def test_a_key_may_come_as_anthropics_clients_send_it(door, path):
    key, text = add_key(path, SECRET, role="caller", name="")
    assert (await door.ask(headers=[("x-api-key", text)])).status_code == 200
    assert (await door.ask(headers=[("x-api-key", "x")])).status_code == 401
    assert (await door.ask(text, headers=[("x-api-key", text)])).status_code == 200
    # Which of two counts must not be a matter of who reads them.
    assert (await door.ask(text, headers=[("x-api-key", "x")])).status_code == 400
    assert {row["caller"] for row in door.rows} == {key.id}


async def test_a_key_that_is_added_or_revoked_counts_at_once(door, path):
    first, text = add_key(path, SECRET, role="caller", name="")
    assert (await door.ask(text)).status_code == 200
    _, other = add_key(path, SECRET, role="caller", name="")
    assert (await door.ask(other)).status_code == 200
    revoke_key(path, first.id)
    assert [(await door.ask(key)).status_code for key in (text, other)] == [401, 200]
    path.write_text("{")
    assert (await door.ask(other)).status_code == 503
    path.unlink()
    assert (await door.ask(other)).status_code == 401


def test_a_checked_key_tells_callers_apart_whatever_the_token():
    scope = {"headers": [(b"authorization", b"Bearer a")], "client": ("10.0.0.1", 5)}
    ada, bob = (with_caller(scope, Caller(name, "caller")) for name in ("key-1", "key-2"))
    assert caller_key(ada) != caller_key(bob)
    assert caller_key(ada) == caller_key({**ada, "headers": [(b"authorization", b"Bearer b")]})
