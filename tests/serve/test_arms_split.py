"""What becomes of an answer behind arms: what is kept of it, what the shadow does, and under which name it goes out."""

import asyncio
import json
import stat

import pytest

from guard.errors import ConfigError, EngineError
from serve.arms.build import _check_alike
from serve.arms.outcomes import Outcomes
from serve.arms.renamed import Renamed
from serve.arms.schema import Experiment, UpstreamArm
from serve.arms.split import SHADOWED, Split
from serve.caller import caller_id
from serve.dialects.chat_answer import ChatShape
from serve.inner import Replay
from serve.prove import Facts

SECRET = b"0" * 32
PATH = "/v1/chat/completions"


def experiment(weights, **more):
    arms = [{"name": arm, "weight": weight, "kind": "guard"} for arm, weight in weights.items()]
    return Experiment.model_validate({"version": 1, "experiment": "e", "arms": arms} | more)


def scope(path=PATH):
    return {"type": "http", "method": "POST", "path": path, "headers": [], "client": ("10.0.0.1", 5)}


def replying(text, *, wait=None, seen=None):
    async def app(scope, receive, send):
        body = await receive()
        if seen is not None:
            seen.append(json.loads(body["body"]))
        if wait is not None:
            await wait.wait()
        answer = {"id": "chatcmpl-1", "model": "hidden", "choices": [{"index": 0, "message": {"content": text}}]}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return app


async def failing(scope, receive, send):
    raise RuntimeError("Mira Tolvane")


async def asked(app, body=b"{}", **more):
    sent = []

    async def send(message):
        sent.append(message)

    async def gone():
        return {"type": "http.disconnect"}

    await app(scope(**more), Replay(body, gone), send)
    return sent


def kept(outcomes):
    return [json.loads(line) for line in outcomes.path.read_text().splitlines()]


def split(apps, weights, monkeypatch, tmp_path, **more):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path / "state"))
    outcomes = Outcomes("e")
    return Split(experiment(weights, **more), apps, {PATH, "/v1/responses"}, SECRET, outcomes), outcomes


async def settled(made):
    async with asyncio.timeout(5):
        while made._shadows:
            await asyncio.sleep(0.01)


async def test_outcomes_tell_what_came_of_an_answer_and_nothing_of_its_text(monkeypatch, tmp_path):
    made, outcomes = split({"a": replying("Tulgan."), "b": failing}, {"a": 1, "b": 0}, monkeypatch, tmp_path)
    async with made:
        sent = await asked(made, b'{"q": "Where?"}')
        await asked(made, path="/v1/other")
    (row,) = kept(outcomes)
    assert row.pop("time") > 0
    assert row.pop("milliseconds") >= 0
    identity = caller_id(SECRET, b"address:10.0.0.1")
    expected = {"id": "chatcmpl-1", "caller": identity, "arm": "a", "shadow": False, "status": 200, "characters": 7}
    assert row == expected
    assert json.loads(sent[1]["body"])["choices"][0]["message"]["content"] == "Tulgan."
    assert stat.S_IMODE(outcomes.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(outcomes.path.parent.stat().st_mode) == 0o700


def test_outcomes_that_others_may_read_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    first = Outcomes("e")
    first.close()
    first.path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        Outcomes("e")


async def test_a_shadow_is_asked_after_the_answer_is_given_and_never_waited_for(monkeypatch, tmp_path):
    wait, seen = asyncio.Event(), []
    apps = {"a": replying("Yes."), "s": replying("Maybe so.", wait=wait, seen=seen)}
    made, outcomes = split(apps, {"a": 1, "s": 0}, monkeypatch, tmp_path, shadow="s")
    async with made:
        for _ in range(SHADOWED + 3):
            async with asyncio.timeout(1):
                sent = await asked(made, b'{"model": "m"}')
            assert b"Yes." in sent[1]["body"]
        assert len(made._shadows) == SHADOWED
        assert not [row for row in kept(outcomes) if row["shadow"]]
        wait.set()
        await settled(made)
    shadows = [row for row in kept(outcomes) if row["shadow"]]
    assert len(shadows) == SHADOWED
    assert {(row["arm"], row["status"], row["characters"], row["id"]) for row in shadows} == {
        ("s", 200, 9, "chatcmpl-1")
    }
    assert seen == [{"model": "m"}] * SHADOWED


async def test_what_the_shadow_responds_is_not_kept(monkeypatch, tmp_path):
    theirs, seen = [], []
    apps = {"a": replying("Yes.", seen=theirs), "s": replying("Maybe so.", seen=seen)}
    made, _ = split(apps, {"a": 1, "s": 0}, monkeypatch, tmp_path, shadow="s")
    async with made:
        await asked(made, b'{"model":"m","store":true}', path="/v1/responses")
        await settled(made)
    assert (theirs, seen) == ([{"model": "m", "store": True}], [{"model": "m", "store": False}])


async def test_a_shadow_that_fails_harms_nobody_and_its_error_is_not_told(monkeypatch, tmp_path, caplog):
    apps = {"a": replying("Yes."), "s": failing}
    made, outcomes = split(apps, {"a": 1, "s": 0}, monkeypatch, tmp_path, shadow="s")
    async with made:
        assert b"Yes." in (await asked(made))[1]["body"]
        await settled(made)
    assert [(row["arm"], row["status"]) for row in kept(outcomes)] == [("a", 200), ("s", 500)]
    assert "RuntimeError" in caplog.text
    assert "Mira" not in caplog.text


async def test_leaving_the_split_ends_what_the_shadow_has_in_hand(monkeypatch, tmp_path):
    apps = {"a": replying("Yes."), "s": replying("No.", wait=asyncio.Event())}
    made, outcomes = split(apps, {"a": 1, "s": 0}, monkeypatch, tmp_path, shadow="s")
    async with made, asyncio.timeout(5):
        await asked(made)
    assert len(kept(outcomes)) == 1


async def test_a_renamed_model_is_asked_by_its_own_name_and_answers_by_the_callers():
    seen = []
    renamed = Renamed(replying("Yes.", seen=seen), "hidden", {"model": "m", "system_fingerprint": "f"})
    start, body = await asked(renamed, b'{"model":"m","n":1}')
    assert seen == [{"model": "hidden", "n": 1}]
    answer = json.loads(body["body"])
    # What an answer does not have is not put into it.
    assert (answer["model"], "system_fingerprint" in answer) == ("m", False)
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


async def test_a_renamed_stream_keeps_its_events_however_they_are_cut():
    events = [
        {"id": "1", "model": "hidden", "system_fingerprint": None},
        {"model": "hidden", "system_fingerprint": "x"},
    ]
    text = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for at in range(0, len(text), 7):
            await send({"type": "http.response.body", "body": text[at : at + 7], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    sent = await asked(Renamed(app, "hidden", {"model": "m", "system_fingerprint": "f"}))
    lines = b"".join(message.get("body", b"") for message in sent).decode().split("\n\n")
    assert [json.loads(line[6:]) for line in lines[:-2]] == [
        {"id": "1", "model": "m", "system_fingerprint": None},
        {"model": "m", "system_fingerprint": "f"},
    ]
    assert lines[-2:] == ["data: [DONE]", ""]
    assert not sent[-1].get("more_body", False)


async def test_a_model_that_is_not_served_any_more_is_not_named():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b'{"error": {"message": "no model hidden"}}'})

    start, body = await asked(Renamed(app, "hidden", {"model": "m"}))
    assert start["status"] == 502
    assert b"hidden" not in body["body"]


def facts(context=128, **usage):
    event = {"choices": [{"index": 0, "finish_reason": None}]}
    whole = event | {"usage": {"prompt_tokens": 9, "total_tokens": 17} | usage}
    return Facts("m", context, ChatShape(whole, event, event, event, event, whole), 0)


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (facts(context=256), "256 tokens, theirs 128; start it with --max-model-len 128"),
        (facts(more=None), "other fields"),
        (facts(prompt_tokens=10), "another prompt"),
    ],
)
def test_an_arm_that_callers_could_tell_from_the_others_is_refused(theirs, message):
    arm = UpstreamArm(name="away", weight=1, kind="upstream", url="http://h:1", unguarded=True)
    _check_alike(arm, facts(), facts())
    with pytest.raises(EngineError, match=message):
        _check_alike(arm, facts(), theirs)
