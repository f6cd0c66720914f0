"""What only watches lets everything pass, and says what it would have done."""

import httpx
import pytest
from asking import CLEAN, ask
from streams import Sending, compact, whole
from stubs import PATH, Planned

from guard.errors import DetectorError, EngineError, RequestError
from guard.types import Grounds, Pass, Refuse
from serve.asgi import Guard
from serve.monitor import Monitoring
from serve.record import Record, with_record


class Failing:
    def __init__(self, fault):
        self.fault = fault

    def plan(self, conversation):
        raise self.fault


@pytest.mark.parametrize(
    ("planner", "action", "topics"),
    [
        (Planned(Refuse("No.", grounds=Grounds(("oren",), "refuse", 0.1))), "monitor:refuse", ("oren",)),
        (Planned(Pass()), "monitor:pass", ()),
        (Failing(DetectorError("gone")), "monitor:failed", ()),
        (Failing(EngineError("no room")), "monitor:failed", ()),
    ],
)
async def test_all_passes_unchanged_and_the_record_says_what_would_have_been_done(dialect, planner, action, topics):
    server = Sending([compact(whole("Eight minutes.")).encode()], "application/json")
    guard = Guard(server, planner=Monitoring(planner), dialects=[dialect], max_body=2**20, plan_timeout=5)
    record = Record()

    async def app(scope, receive, send):
        await guard(with_record(scope, record), receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        reply = await http.post(PATH, json=ask(CLEAN))
    assert reply.json() == whole("Eight minutes.")
    assert (record.grounds.action, record.grounds.topics) == (action, topics)


def test_what_the_caller_must_change_is_told_as_ever():
    with pytest.raises(RequestError):
        Monitoring(Failing(RequestError(400, "no", code="x"))).plan(None)
