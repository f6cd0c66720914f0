"""Who is let in to the admin routes, and that what an administrator asks is recorded first."""

import json

import httpx
import pytest

from guard.errors import AuditError
from guard.policy import one_topic
from serve.admin.door import Door
from serve.admin.jobs import Jobs
from serve.audit.log import AuditLog
from serve.caller import Caller, with_caller
from serve.keys.roles import may
from serve.policies.worker import Order
from serve.replies import send_body

SECRET = b"0" * 32
NONE = one_topic("y", examples=None, retain=None, aliases=("Y",))


def test_administrators_alone_may_administer_and_all_may_ask():
    assert [role for role in ("caller", "evaluator", "admin") if may(role, "administer")] == ["admin"]
    assert all(may(role, "ask") for role in ("caller", "evaluator", "admin"))


def saying(text):
    async def app(scope, receive, send):
        body = (await receive()).get("body", b"") if text == "admin" else b""
        await send_body(send, 200, json.dumps([text, len(body)]).encode())

    return app


@pytest.fixture
def log(tmp_path):
    made = AuditLog(tmp_path / "audit", SECRET)
    yield made
    made.close()


async def ask(log, role, path="/admin/topics", body=b""):
    door = Door(saying("others"), saying("admin"), log, max_body=1000)

    async def app(scope, receive, send):
        await door(with_caller(scope, Caller("key-1", role)) if role else scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        reply = await http.post(path, content=body)
    return reply.status_code, reply.json()


async def test_who_is_no_administrator_goes_past_the_door(log):
    for role in ("caller", "evaluator", None):
        assert await ask(log, role) == (200, ["others", 0])
    for path in ("/administrators", "/admin", "/v1/models", "//admin/topics"):
        assert await ask(log, "admin", path) == (200, ["others", 0])
    assert "admin" not in log.path.read_text()


async def test_an_administrators_request_is_recorded_and_bounded(log, monkeypatch):
    assert await ask(log, "admin", body=b"x" * 1000) == (200, ["admin", 1000])
    row = json.loads(log.path.read_text().splitlines()[-1])
    assert (row["event"], row["caller"], row["role"]) == ("admin", "key-1", "admin")
    assert (row["method"], row["path"]) == ("POST", "/admin/topics")
    status, told = await ask(log, "admin", body=b"x" * 1001)
    assert (status, told["error"]["code"]) == (413, "body_too_large")

    def failing(fields):
        raise AuditError("disk full")

    monkeypatch.setattr(log, "append", failing)
    status, told = await ask(log, "admin")
    assert (status, told["error"]["code"]) == (503, "not_served")


async def test_a_job_whose_process_dies_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("serve.admin.jobs.sys.executable", "/bin/false")
    refreshed = []

    async def made(number):
        refreshed.append(number)

    jobs = Jobs()
    job = jobs.start(
        Order(store=tmp_path, by="tests", topic={"name": "x", "aliases": ["X"]}), [{"question": "X?"}], NONE, made
    )
    await jobs._running
    assert (job.state, job.version, "nothing was changed" in job.error) == ("failed", None, True)
    assert not refreshed
    assert not list(tmp_path.iterdir()), "the examples are gone"
