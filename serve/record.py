"""What becomes known of one request on its way, for the operator's records: the guard notes it, no caller sees it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.types import Conversation, Grounds

_KEY = "lethe.record"


@dataclass
class Record:
    """One request. `grounds` is None until it was planned; `failed` names the error where it could not be checked.

    The others are moments of `time.perf_counter`, None while they have not come: planning begins, the model server is
    asked, the first of its answer comes in, the first of an answer leaves. `traceparent` is what the model server is
    told of the request's trace, where there is one.
    """

    conversation: Conversation | None = None
    stream: bool = False
    policy: str | None = None
    arm: str = ""
    grounds: Grounds | None = None
    failed: str | None = None
    begun: float | None = None
    asked: float | None = None
    came: float | None = None
    left: float | None = None
    traceparent: str | None = None


def moments(record: Record) -> dict[str, tuple[float, float]]:
    """When each stage that a request came to began and ended, as moments of `time.perf_counter`.

    `detect`: finding topics. `act`: the rest of making what is sent, to the model server or, in a refusal, back.
    `upstream`: until the first byte of the model server's answer. `output_guard`: from there until the first byte left.
    """
    if record.grounds is None or record.begun is None:
        return {}
    detected = record.begun + record.grounds.detect_s
    found = {"detect": (record.begun, detected)}
    made = record.asked or record.left
    if made is not None:
        found["act"] = (detected, max(detected, made))
    if record.asked is not None and record.came is not None:
        found["upstream"] = (record.asked, record.came)
        if record.left is not None:
            found["output_guard"] = (record.came, record.left)
    return found


def with_record(scope: Scope, record: Record) -> Scope:
    """The same request, of which `record` is kept."""
    return {**scope, _KEY: record}


def record_of(scope: Scope) -> Record:
    """The record of a request; one that nobody keeps, where nobody asked for any."""
    record: Record = scope.get(_KEY) or Record()
    return record


class Asked:
    """`app`, the model server, whose times `record` notes."""

    def __init__(self, app: ASGIApp, record: Record) -> None:
        self._app = app
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        record = self._record
        record.asked = perf_counter()

        async def note(message: Message) -> None:
            if record.came is None and message.get("body"):
                record.came = perf_counter()
            await send(message)

        await self._app(scope, receive, note)
