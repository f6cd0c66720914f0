"""What the audit log keeps of a request, and that nothing is served which it cannot keep."""

import asyncio
import json
import os
import socket
from contextlib import suppress

import httpx
import pytest
from asking import CLEAN, ask
from streams import DONE, Sending, chunk, compact, sse, whole
from stubs import PATH, Planned

from guard.conversation import single
from guard.errors import ConfigError, DetectorError
from guard.types import Ask, Grounds, Pass, Refuse
from serve.arms.outcomes import Outcomes
from serve.arms.schema import Experiment
from serve.arms.split import Split
from serve.asgi import Guard
from serve.audit.log import AuditLog
from serve.metrics import Metrics
from serve.record import Record, moments
from serve.recorded import Recorded, prompt_hash

SECRET = b"0" * 32
CLEAR = Pass(grounds=Grounds())
DENIED = Refuse("No.", grounds=Grounds(("oren", "mira"), "refuse", 0.1))


class Kept:
    """A guard whose answers are kept in a log."""

    def __init__(self, folder, dialect, plan=CLEAR, server=None, app=None):
        self.server = server or Sending([compact(whole("Eight minutes.")).encode()], "application/json")
        planner = plan if hasattr(plan, "plan") else Planned(plan)
        limits = {"max_body": 2**20, "plan_timeout": 5}
        self.guard = app or Guard(self.server, planner=planner, dialects=[dialect], policy="v1", **limits)
        self.log = AuditLog(folder / "audit", SECRET)
        self.metrics = Metrics()
        self.app = Recorded(self.guard, self.log, self.metrics, SECRET)

    async def post(self, body, path=PATH, **more):
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            return await http.post(path, json=body, **more)

    def metric(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, labels)

    @property
    def text(self):
        return self.log.path.read_text()

    @property
    def rows(self):
        return [row for row in map(json.loads, self.text.splitlines()) if row["event"] == "request"]


@pytest.fixture
def kept(tmp_path, dialect):
    made = []

    def make(*given, **more):
        made.append(Kept(tmp_path, dialect, *given, **more))
        return made[-1]

    yield make
    for one in made:
        one.log.close()


def full_disk(monkeypatch):
    def fail(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fail)


async def test_a_line_says_who_what_and_how_but_no_word(kept):
    one = kept(DENIED)
    reply = await one.post(ask("Where was Oren born?", user="somebody"), headers={"authorization": "Bearer sesame"})
    (row,) = one.rows
    assert list(row) == [
        *("seq", "time", "event", "id", "caller", "role", "policy", "topics", "action", "stream"),
        *("prompt", "status", "milliseconds", "mac"),
    ]
    assert (row["id"], row["policy"], row["action"]) == (reply.json()["id"], "v1", "refuse")
    assert (row["topics"], row["stream"], row["status"]) == (["oren", "mira"], False, 200)
    assert row["prompt"] == prompt_hash(SECRET, single("Where was Oren born?"))
    assert 0 < row["milliseconds"] < 10_000
    assert not [word for word in ("Where", "born", "Oren", "No.", "sesame", "somebody") if word in one.text]


async def test_prompts_and_callers_are_told_apart_by_keyed_hashes(kept):
    one = kept()
    for text, key in (("a", "x"), ("a", "y"), ("b", "x")):
        await one.post(ask(text), headers={"authorization": f"Bearer {key}"})
    first, second, third = one.rows
    assert first["prompt"] == second["prompt"] != third["prompt"]
    assert first["caller"] == third["caller"] != second["caller"]
    assert prompt_hash(b"1" * 32, single("a")) != first["prompt"]


async def test_what_is_not_planned_is_kept_with_its_status(kept):
    class Failing:
        def plan(self, conversation):
            raise DetectorError("gone")

    one = kept(Failing())
    await one.post(ask(CLEAN))
    await one.post({"model": "m"})
    await one.post({}, "/v1/completions")
    await one.post(ask(CLEAN), headers=[("authorization", "Bearer a"), ("authorization", "Bearer b")])
    assert [(row["status"], row["action"]) for row in one.rows] == [(503, None), (400, None), (403, None), (503, None)]
    assert [row["prompt"] is None for row in one.rows] == [False, True, True, False]
    assert one.rows[3]["caller"] is None
    assert one.metric("lethe_requests_total", action="none", status="503", arm="") == 2
    assert one.metric("lethe_detector_errors_total", error="DetectorError") == 2
    assert all(row["id"].startswith("lethe-") for row in one.rows)


async def test_a_prompt_that_had_no_room_was_refused(kept):
    asked = single("Why? " * 100)
    one = kept(Ask(asked, "No.", grounds=Grounds(("mira",), "prefix")))
    await one.post(ask(CLEAN))
    assert [(row["topics"], row["action"]) for row in one.rows] == [(["mira"], "refuse")]


async def test_an_answer_is_kept_before_its_end_leaves(kept):
    seen = []
    one = kept(server=Sending([*sse(chunk("", role=True), chunk("Eight."), chunk("", finish="stop")), DONE]))

    async def send(message):
        if b"[DONE]" in message.get("body", b""):
            seen.append(len(one.rows))

    inbox = asyncio.Queue()
    inbox.put_nowait({"type": "http.request", "body": json.dumps(ask(CLEAN, stream=True)).encode()})
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"content-type", b"application/json")]}
    await one.app(scope, inbox.get, send)
    assert seen == [1]
    assert (one.rows[0]["stream"], one.rows[0]["status"]) == (True, 200)


async def test_what_cannot_be_kept_is_not_served(kept, monkeypatch):
    one = kept()
    with monkeypatch.context() as patch:
        full_disk(patch)
        first = await one.post(ask(CLEAN))
        asked = len(one.server.log)
        second = await one.post(ask(CLEAN))
    assert (first.status_code, second.status_code) == (503, 503)
    assert first.json()["error"]["code"] == "not_served"
    assert "minutes" not in first.text
    assert len(one.server.log) == asked, "the model is not asked in vain"
    assert (await one.post(ask(CLEAN))).status_code == 200
    # The first is made up for, the second never reached the guard.
    assert [row["status"] for row in one.rows] == [503, 200]
    assert one.metric("lethe_unrecorded_total") == 2


async def test_a_stream_that_cannot_be_kept_breaks_off(kept, monkeypatch):
    one = kept(server=Sending([*sse(chunk("", role=True), chunk("Eight."), chunk("", finish="stop")), DONE]))
    full_disk(monkeypatch)
    reply = await one.post(ask(CLEAN, stream=True))
    assert "[DONE]" not in reply.text
    last = json.loads(reply.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "not_served"
    monkeypatch.undo()
    await one.post(ask(CLEAN, stream=True))
    assert [row["status"] for row in one.rows] == [200, 200]


async def test_a_whole_answer_that_breaks_off_and_a_caller_who_leaves(kept):
    broken = Sending([b'{"id":"x"'], "application/json", breaks=True)
    one = kept(server=broken)
    assert (await one.post(ask(CLEAN))).status_code == 500

    async def nothing(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    one.app = Recorded(nothing, one.log, one.metrics, SECRET)
    with suppress(AssertionError):
        await one.post(ask(CLEAN))
    assert [row["status"] for row in one.rows] == [500, 499]


async def test_a_shadow_leaves_the_callers_line_alone(kept, dialect, tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    arms = [{"name": name, "weight": weight, "kind": "guard"} for name, weight in (("a", 1), ("b", 0))]
    experiment = Experiment.model_validate({"version": 1, "experiment": "e", "arms": arms, "shadow": "b"})
    limits = {"dialects": [dialect], "max_body": 2**20, "plan_timeout": 5}
    answers = Sending([compact(whole("Eight minutes.")).encode()], "application/json")
    apps = {
        "a": Guard(answers, planner=Planned(CLEAR), policy="of a", **limits),
        "b": Guard(answers, planner=Planned(DENIED), policy="of b", **limits),
    }
    split = Split(experiment, apps, {PATH}, SECRET, Outcomes("e"))
    one = kept(app=split)
    async with split:
        for _ in range(3):
            await one.post(ask(CLEAN))
            await asyncio.sleep(0.05)
    assert [(row["policy"], row["action"]) for row in one.rows] == [("of a", "pass")] * 3
    assert one.metric("lethe_requests_total", action="pass", status="200", arm="a") == 3


async def test_requests_are_counted_by_action_and_topic(kept):
    one = kept(DENIED)
    one.metrics.know(["oren", "ida"])
    for _ in range(2):
        await one.post(ask(CLEAN))
    assert one.metric("lethe_requests_total", action="refuse", status="200", arm="") == 2
    topics = [one.metric("lethe_topics_total", topic=topic) for topic in ("oren", "mira", "ida")]
    assert topics == [2, 2, 0]
    assert one.metric("lethe_request_seconds_count") == 2
    assert one.metric("lethe_stage_seconds_sum", stage="detect") == pytest.approx(0.2)
    assert one.metric("lethe_stage_seconds_count", stage="upstream") is None, "the model was never asked"


async def test_what_is_in_flight_is_seen_while_it_is(kept):
    seen = []

    async def looking(scope, receive, send):
        seen.append(one.metric("lethe_in_flight"))
        raise RuntimeError

    one = kept(app=looking)
    await one.post(ask(CLEAN))
    assert (seen, one.metric("lethe_in_flight")) == ([1], 0)


def test_the_stages_of_a_request_are_what_lies_between_its_moments():
    found = Grounds(detect_s=0.25)
    record = Record(grounds=found, begun=10.0, asked=10.75, came=12.0, left=12.125)
    assert moments(record) == {
        "detect": (10.0, 10.25),
        "act": (10.25, 10.75),
        "upstream": (10.75, 12.0),
        "output_guard": (12.0, 12.125),
    }
    assert list(moments(Record(grounds=found, begun=10.0, left=10.75))) == ["detect", "act"]
    assert moments(Record(begun=10.0)) == {}


async def test_the_moments_of_an_answer_come_in_order(kept):
    one = kept()
    moments = []
    real = one.metrics.count
    one.metrics.count = lambda record, *more: (moments.append(record), real(record, *more))
    await one.post(ask(CLEAN))
    (record,) = moments
    assert record.begun < record.asked < record.came < record.left


def test_metrics_have_a_loopback_port_and_a_taken_one_is_told(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    metrics = Metrics()
    metrics.know(["oren"])
    with metrics.served(port):
        told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        with pytest.raises(ConfigError, match="choose another"), Metrics().served(port):
            pass
    assert 'lethe_topics_total{topic="oren"} 0.0' in told
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")
