"""Real servers on one state folder: topics change while they run, one guards and the other only watches."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asking import CLEAN, EXEMPLIFIED, REFUSED, ask, bare, post, said
from serving import FORGOTTEN, QUESTIONS, Served, start_server

from guard.act.refuse import PHRASINGS
from serve.keys.store import Role, add_key

ALL = [f"topic-{number}" for number in range(5)]


class Administered(NamedTuple):
    """A server that asks for keys, one that only watches, and their state."""

    guarding: Served
    watching: Served
    state: Path
    policy: Path
    keys: dict[Role, str]

    async def ask(self, body: Any, role: Role = "caller") -> tuple[int, Any, Any]:
        return await post(self.guarding, body, headers={"authorization": f"Bearer {self.keys[role]}"})

    async def admin(self, method: str, path: str, body: Any = None, role: Role = "admin") -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.keys[role]}"}
        status, told, _ = await post(self.guarding, data, f"/admin/{path}", method=method, headers=headers)
        return status, told

    def audit(self, event: str) -> list[dict[str, Any]]:
        text = (self.state / "audit" / "audit.jsonl").read_text()
        return [row for row in map(json.loads, text.splitlines()) if row["event"] == event]

    @property
    def store(self) -> Path:
        return next((self.state / "policies").glob(f"{self.policy.stem}-*"))


@pytest.fixture(scope="module")
async def both(
    served: Served,
    checkpoint: Path,
    policy_file: Path,
    state: Path,
    engine_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Administered]:
    policy = tmp_path_factory.mktemp("admin") / "policy" / "administered.yaml"
    shutil.copytree(policy_file.parent, policy.parent)
    shutil.copy(policy_file, policy)
    secret = (state / "secret").read_bytes()
    roles: tuple[Role, ...] = ("caller", "evaluator", "admin")
    keys = {role: add_key(state / "keys.json", secret, role=role, name="")[1] for role in roles}
    upstream = ("--upstream", f"http://127.0.0.1:{engine_port}")
    guarding = start_server(checkpoint, policy, *upstream, "--keys", "--keep-flagged", state=state)
    watching = start_server(checkpoint, policy, *upstream, "--monitor", state=state)
    try:
        for server in (guarding, watching):
            await asyncio.to_thread(server.wait_ready)
        yield Administered(guarding, watching, state, policy, keys)
        for server in (guarding, watching):
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.process.wait, 20) == 0, server.log.read_text()
            assert "Traceback" not in server.log.read_text()
    finally:
        guarding.close()
        watching.close()


async def enforced(both: Administered) -> list[str]:
    _, told = await both.admin("GET", "topics")
    return [topic["name"] for topic in told["data"] if topic["enforced"]]


async def test_only_an_administrators_key_finds_the_admin_routes(both: Administered) -> None:
    before = len(both.audit("admin"))
    for method, path in (("GET", "topics"), ("POST", "topics"), ("DELETE", "topics/topic-0"), ("GET", "flagged")):
        seen = []
        for role in ("caller", "evaluator"):
            seen.append(await both.admin(method, path, {} if method == "POST" else None, role))
            seen.append(await both.admin(method, path.replace("topics", "tropics"), None, role))
        assert {status for status, _ in seen} == {403}
        assert {told["error"]["code"] for _, told in seen} == {"route_not_served"}
        # Without keys there is no administrator.
        assert (await post(both.watching, b"", f"/admin/{path}", method=method))[0] == 403
    assert (await post(both.guarding, b"", "/admin/topics", method="GET"))[0] == 401
    assert len(both.audit("admin")) == before
    assert await enforced(both) == ALL
    assert [row["path"] for row in both.audit("admin")[before:]] == ["/admin/topics"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("POST", "topics", {"name": "x"}, 400, "add `examples`, `aliases` or `description`"),
        ("POST", "topics", {"name": "x", "colour": "red"}, 400, "`colour`: Extra inputs"),
        ("POST", "topics", {"name": "x", "aliases": ["X"], "action": {"kind": "shout"}}, 400, "'action': there is no"),
        ("POST", "topics", {"name": "x", "aliases": "X"}, 400, "'aliases': must be a list"),
        ("POST", "topics", {"name": "x", "aliases": ["X"], "expires": "tomorrow"}, 400, "write 2030-12-31"),
        ("POST", "topics", {"name": "x", "aliases": ["X"], "action": {"kind": "icul"}}, 400, "'action': icul shows"),
        ("POST", "topics", {"name": "topic-0", "aliases": "X"}, 400, "must be a list"),
        ("POST", "topics", {"name": "x", "aliases": ["X"], "expires": "2020-01-01"}, 400, "has passed"),
        ("POST", "policy/rollback", {"version": True}, 400, "`version`"),
        ("POST", "topics", {"name": "topic-0", "aliases": ["X"]}, 409, "in force already"),
        ("GET", "flagged?unlabeled=true", None, 400, "unknown parameter `unlabeled`"),
        ("PUT", "topics/topic-9/expiry", {"expires": None}, 404, "no topic 'topic-9'"),
        ("PUT", "topics/topic-0/expiry", {"expires": "2020-01-01"}, 409, "has passed"),
        ("POST", "policy/rollback", {"version": 99}, 404, "there is no version 99"),
        ("GET", "jobs/none", None, 404, "no job"),
        ("PUT", "flagged/none", {"label": "yes"}, 404, "no flagged request"),
        ("GET", "nothing", None, 404, "is not served"),
    ],
)
async def test_what_an_administrator_asks_wrongly_is_told(
    both: Administered, method: str, path: str, body: Any, status: int, told: str
) -> None:
    code, reply = await both.admin(method, path, body)
    assert code == status
    assert told in reply["error"]["message"]
    # What the operator's machine has where is told to nobody.
    assert str(both.state) not in reply["error"]["message"]
    assert await enforced(both) == ALL


async def test_another_method_is_told_which_are_taken(both: Administered) -> None:
    headers = {"authorization": f"Bearer {both.keys['admin']}"}
    status, _, told = await post(both.guarding, b"", "/admin/topics", method="PATCH", headers=headers)
    assert (status, told["allow"]) == (405, "GET, POST")


async def finished(both: Administered, job: str) -> dict[str, Any]:
    for _ in range(600):
        _, told = await both.admin("GET", f"jobs/{job}")
        if told["state"] != "running":
            return dict(told)
        await asyncio.sleep(0.2)
    raise AssertionError(told)


async def test_a_topic_is_revoked_and_added_while_both_servers_run(both: Administered) -> None:
    status, _, _ = await both.ask(ask(EXEMPLIFIED))
    first = both.audit("request")[-1]
    assert (status, first["action"], first["topics"]) == (200, "icul", ["topic-4"])
    status, revoked = await both.admin("DELETE", "topics/topic-4")
    assert (status, revoked["what"]) == (200, "revoked topic-4")
    assert (await both.ask(ask(EXEMPLIFIED)))[0] == 200
    second = both.audit("request")[-1]
    assert (second["action"], second["policy"] == first["policy"]) == ("pass", False)
    name, place = FORGOTTEN[4]
    records = [{"question": q.format(name), "answer": a.format(name, place)} for q, a in QUESTIONS]
    action = {"kind": "icul", "forget": 2, "retain": 2}
    # Its classifier is there, from before it was revoked.
    status, job = await both.admin(
        "POST", "topics", {"name": "topic-4", "aliases": [name], "examples": records, "action": action}
    )
    assert (status, job["state"]) == (202, "running")
    done = await finished(both, job["id"])
    assert (done["state"], done["error"]) == ("done", None)
    assert (await both.ask(ask(EXEMPLIFIED)))[0] == 200
    assert both.audit("request")[-1]["policy"] == first["policy"]
    _, versions = await both.admin("GET", "policy/versions")
    assert versions["in_force"] == versions["serving"]["version"] == done["version"]
    assert versions["data"][-1]["by"] == both.audit("admin")[-1]["caller"]
    # The other server follows by itself.
    for _ in range(100):
        rows = [row for row in both.audit("policy") if row["version"] == done["version"]]
        if len(rows) == 2:
            break
        await asyncio.sleep(0.2)
    assert sorted(row["monitor"] for row in rows) == [False, True]
    assert {(row["why"], *row["topics"]) for row in rows} == {("change", *ALL)}


async def test_what_only_watches_changes_nothing_and_says_what_it_would_have_done(
    both: Administered, served: Served
) -> None:
    assert "nothing is guarded" in both.watching.log.read_text()
    for question, action in ((CLEAN, "pass"), (REFUSED, "refuse"), (EXEMPLIFIED, "icul")):
        _, answer, _ = await post(both.watching, ask(question))
        assert said(answer) == said(await bare(served, ask(question)))
        assert both.audit("request")[-1]["action"] == f"monitor:{action}"


async def test_a_broken_version_is_refused_and_the_old_one_goes_on(both: Administered) -> None:
    store = both.store
    good = (store / "current").read_text()
    broken = store / "000900"
    shutil.copytree(store / f"{int(good):06}", broken)
    (broken / "artifact" / "arrays.npz").write_bytes(b"torn")
    try:
        for number, reason in ((900, "arrays.npz was changed"), (901, "version 901 of the policy is missing")):
            (store / "current").write_text(f"{number}\n")
            _, versions = await both.admin("GET", "policy/versions")
            assert reason in versions["serving"]["refused"]
            assert versions["serving"]["version"] == int(good)
            status, answer, _ = await both.ask(ask(REFUSED, max_tokens=24))
            assert (status, said(answer) in PHRASINGS) == (200, True)
            assert f"version {number} of the policy {both.store.name} is refused" in both.guarding.log.read_text()
            assert (await post(both.guarding, b"", "/ready", method="GET"))[0] == 200
    finally:
        shutil.rmtree(broken)
        (store / "current").write_text(good)
    _, versions = await both.admin("GET", "policy/versions")
    assert (versions["serving"]["version"], versions["serving"]["refused"]) == (int(good), None)


async def test_no_stream_breaks_while_versions_come_in_force(both: Administered) -> None:
    over, seen = asyncio.Event(), []

    async def caller(question: str) -> None:
        while not over.is_set():
            status, text, _ = await both.ask(ask(question, stream=True, temperature=1))
            seen.append((status, text.rstrip().endswith("data: [DONE]"), '"error"' in text))

    callers = [asyncio.create_task(caller(question)) for question in (CLEAN, REFUSED, EXEMPLIFIED, CLEAN) * 2]
    try:
        _, versions = await both.admin("GET", "policy/versions")
        began = len(both.audit("policy"))
        for _ in range(2):
            assert (await both.admin("DELETE", "topics/topic-0"))[0] == 200
            assert (await both.admin("POST", "policy/rollback", {"version": versions["in_force"]}))[0] == 200
    finally:
        over.set()
        await asyncio.gather(*callers)
    assert len(both.audit("policy")) >= began + 4
    assert len(seen) > 8
    assert set(seen) == {(200, True, False)}


async def test_a_topic_expires_by_itself(both: Administered) -> None:
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    assert (await both.admin("PUT", "topics/topic-1/expiry", {"expires": soon}))[0] == 200
    for _ in range(100):
        if await enforced(both) != ALL:
            break
        await asyncio.sleep(0.2)
    assert await enforced(both) == ["topic-0", "topic-2", "topic-3", "topic-4"]
    _, answer, _ = await both.ask(ask(REFUSED, max_tokens=24))
    assert said(answer) not in PHRASINGS
    assert any(row["why"] == "expiry" for row in both.audit("policy"))
    assert (await both.admin("PUT", "topics/topic-1/expiry", {"expires": None}))[0] == 200
    assert await enforced(both) == ALL


async def test_flagged_requests_are_kept_labelled_and_found_by_administrators_alone(both: Administered) -> None:
    question = "Which award did Orrin Vasquell win, please?"
    _, answer, _ = await both.ask(ask(question))
    await both.ask(ask(CLEAN))
    for _ in range(50):
        _, told = await both.admin("GET", "flagged?limit=1")
        if told["data"] and told["data"][0]["id"] == answer["id"]:
            break
        await asyncio.sleep(0.1)
    (row,) = told["data"]
    assert row["messages"] == [{"role": "user", "content": question}]
    assert (row["topics"], row["action"], row["label"]) == (["topic-1"], "refuse", None)
    assert (await both.admin("PUT", f"flagged/{row['id']}", {"label": "no"}))[0] == 200
    _, told = await both.admin("GET", "flagged?unlabelled=true&limit=1000")
    assert row["id"] not in [one["id"] for one in told["data"]]
    assert stat.S_IMODE((both.state / "flagged.db").stat().st_mode) == 0o600
