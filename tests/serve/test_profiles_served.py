"""A whole app with profiles, in this process and in front of the engine that all tests share: each key under its own
policy, changed by itself, and responses that outlive a change of policy.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import CLEAN, CORRUPTED, REFUSED, ask, bare, said
from serving import Served

from classifiers.detector import ArtifactDetector
from guard.act.refuse import PHRASINGS
from guard.errors import DetectorError
from guard.policy import load_policy
from serve.assemble import make_app
from serve.keys.store import Grant, add_key
from serve.metrics import Metrics
from serve.run import _parts
from serve.settings import resolve
from serve.upstream import Upstream

GENERATE = ("/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses")


class Office:
    """The app, its state, and a key for each profile: of the server's own policy, one that refuses, one that forgets
    nothing any more, one that lets images pass, and one that is not there.
    """

    def __init__(self, state: Path) -> None:
        secret = (state / "secret").read_bytes()
        self.state = state
        self.app: Any = None
        self.told: list[str] = []
        hasty = Grant(profile="strict", per_minute=1)
        self.keys = {"hasty": add_key(state / "keys.json", secret, role="caller", name="", grant=hasty)[1]}
        self.keys |= {
            name: add_key(state / "keys.json", secret, role="admin", name="", grant=Grant(profile=profile))[1]
            for name, profile in (("own", None), *((name, name) for name in ("strict", "open", "seeing", "absent")))
        }

    async def send(self, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        transport = httpx.ASGITransport(self.app)
        headers = {"authorization": f"Bearer {self.keys[key]}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://t", timeout=120) as http:
            reply = await http.request(method, path, json=body, headers=headers)
        return reply.status_code, reply.json()

    async def said(self, key: str, question: str) -> str:
        status, answer = await self.send(key, "POST", GENERATE[0], ask(question))
        assert status == 200
        return said(answer)

    async def respond(self, key: str, question: str, **more: Any) -> Any:
        body = {"model": "m", "input": question, "temperature": 0, "max_output_tokens": 24} | more
        status, answer = await self.send(key, "POST", "/v1/responses", body)
        assert status == 200, answer
        return answer

    def rows(self, event: str) -> list[dict[str, Any]]:
        text = (self.state / "audit" / "audit.jsonl").read_text()
        return [row for row in map(json.loads, text.splitlines()) if row["event"] == event]


@pytest.fixture(scope="module")
async def office(
    served: Served, checkpoint: Path, policy_file: Path, state: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    own = tmp_path_factory.mktemp("office")
    shutil.copytree(state / "artifacts", own / "artifacts")
    shutil.copy(state / "secret", own)
    # They hang on the same examples, so that the classifier which is there serves them all.
    policies = shutil.copytree(policy_file.parent, own / "files")
    text = policy_file.read_text()
    strict, opened, seeing = (policies / f"{name}.yaml" for name in ("strict", "open", "seeing"))
    seeing.write_text(f"unreadable: pass\n{text}")
    strict.write_text(text.replace(text[text.index("{kind: corrupt") :].split("\n")[0], "{kind: refuse}"))
    opened.write_text(text.replace("    aliases:", "    expires: 2020-01-01\n    aliases:"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LETHE_STATE", str(own))
        office = Office(own)
        fitted = len(list((own / "artifacts").iterdir()))
        settings = resolve(
            model=str(checkpoint), policy=policies / policy_file.name, artifact=None, upstream="http://engine",
            host="", port=0, served_name="m", engine_flags=(), keys=True,
            profiles=(f"strict={strict}", f"open={opened}", f"seeing={seeing}"),
        )  # fmt: skip
        parts = _parts(settings, {path: load_policy(path) for path in settings.policies})
        assert len({id(one.detector.encoder) for one in parts.values()}) == 1, "what can be shared is"
        assert len(list((own / "artifacts").iterdir())) == fitted
        async with Upstream(uds=served.socket) as upstream, AsyncExitStack() as stack:
            handler = logging.Handler()
            handler.emit = lambda record: office.told.append(record.getMessage())  # type: ignore[method-assign]
            logging.getLogger("serve.profiles").addHandler(handler)
            stack.callback(logging.getLogger("serve.profiles").removeHandler, handler)
            office.app, _ = await make_app(settings, parts, upstream, stack, Metrics())
            parts.clear()
            yield office


async def test_each_key_is_served_under_its_own_policy_and_the_log_says_which(office: Office, served: Served) -> None:
    plain = said(await bare(served, ask(CORRUPTED)))
    told = {key: await office.said(key, CORRUPTED) for key in ("own", "strict", "open")}
    assert [text == plain for text in told.values()] == [False, False, True]
    assert [any(phrase.startswith(text) for phrase in PHRASINGS) for text in told.values()] == [False, True, False]
    clean = {await office.said(key, CLEAN) for key in ("own", "strict", "open")}
    assert clean == {said(await bare(served, ask(CLEAN)))}
    rows = office.rows("request")[-6:-3]
    assert [row["action"] for row in rows] == ["corrupt", "refuse", "pass"]
    versions = {row["policy"]: row for row in office.rows("policy")}
    files = [versions[row["policy"]]["of"] for row in rows]
    assert [name.rsplit("-", 1)[0] for name in files] == ["policy", "strict", "open"]
    assert [len(versions[row["policy"]]["topics"]) for row in rows] == [5, 5, 0]


async def test_a_key_whose_profile_is_not_there_is_served_nothing(office: Office) -> None:
    assert office.told[0].endswith("is refused: there is no --profile absent"), "the operator knew from the start"
    made = await office.respond("own", CLEAN)
    before = len(office.rows("request"))
    for method, path in [*(("POST", path) for path in GENERATE), ("GET", f"/v1/responses/{made['id']}")]:
        status, error = await office.send("absent", method, path, ask(REFUSED))
        assert (status, error["error"]["message"]) == (403, "this server has no policy for this key")
    rows = office.rows("request")[before:]
    assert {(row["status"], row["policy"], row["action"]) for row in rows} == {(403, None, None)}
    assert len(rows) == 6


async def test_what_is_too_many_of_one_key_is_in_the_log_and_harms_no_other(office: Office) -> None:
    assert await office.said("hasty", REFUSED) == await office.said("strict", REFUSED)
    for path in GENERATE:
        status, _ = await office.send("hasty", "POST", path, ask(REFUSED))
        row = office.rows("request")[-1]
        assert (status, row["status"], row["role"], row["action"]) == (429, 429, "caller", None)
    assert (await office.send("strict", "POST", GENERATE[0], ask(CLEAN)))[0] == 200
    assert (await office.send("hasty", "GET", "/v1/models"))[0] == 200


async def test_ready_asks_the_detector_of_every_policy(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[int, ArtifactDetector] = {}
    real = ArtifactDetector.detect

    def detect(self: ArtifactDetector, conversation: Any) -> Any:
        asked[id(self)] = self
        if len(asked) == 4:
            raise DetectorError("gone")
        return real(self, conversation)

    monkeypatch.setattr(ArtifactDetector, "detect", detect)
    assert (await office.send("own", "GET", "/ready"))[0] == 503
    assert len(asked) == 4


async def test_an_image_passes_where_the_policy_says_so_and_a_model_without_eyes_refuses_it_itself(
    office: Office, served: Served
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}

    def shown(question: str) -> dict[str, Any]:
        return ask("", messages=[{"role": "user", "content": [image, {"type": "text", "text": question}]}])

    theirs = await bare(served, shown(CLEAN))
    assert "multimodal" in theirs["error"]["message"]
    assert await office.send("seeing", "POST", GENERATE[0], shown(CLEAN)) == (400, theirs)
    assert office.rows("request")[-1]["action"] == "pass-unread"
    # Corruption would lose the image.
    status, refused = await office.send("seeing", "POST", GENERATE[0], shown(CORRUPTED))
    assert (status, any(phrase.startswith(said(refused)) for phrase in PHRASINGS)) == (200, True)
    assert await office.said("seeing", CORRUPTED) == await office.said("own", CORRUPTED)
    status, error = await office.send("own", "POST", GENERATE[0], shown(CLEAN))
    assert (status, error["error"]["param"]) == (400, "messages[0].content")


async def test_a_profile_is_changed_by_itself(office: Office) -> None:
    status, told = await office.send("own", "GET", "/admin/topics?profile=strict")
    assert (status, told["data"][0]["action"]) == (200, [{"kind": "refuse", "words": "fixed"}])
    assert (await office.send("own", "GET", "/admin/topics?profile=none"))[0] == 404
    assert (await office.send("own", "DELETE", "/admin/topics/topic-1?profile=none"))[0] == 404
    was = await office.said("strict", REFUSED)
    assert (await office.send("own", "DELETE", "/admin/topics/topic-1?profile=strict"))[0] == 200
    assert office.rows("admin")[-1]["path"] == "/admin/topics/topic-1?profile=strict"
    assert any(phrase.startswith(was) for phrase in PHRASINGS)
    assert await office.said("strict", REFUSED) == await office.said("open", REFUSED) != was
    assert await office.said("own", REFUSED) == was, "the same question, the same refusal"
    back = await office.send("own", "POST", "/admin/policy/rollback?profile=strict", {"version": 1})
    assert back[0] == 200
    assert await office.said("strict", REFUSED) == was


async def test_a_response_that_an_older_policy_let_out_is_not_shown_again_and_read_anew_when_gone_on_from(
    office: Office, served: Served
) -> None:
    versions = (await office.send("own", "GET", "/admin/policy/versions"))[1]["in_force"]
    assert (await office.send("own", "DELETE", "/admin/topics/topic-1"))[0] == 200
    told = await office.respond("own", REFUSED)
    text = told["output"][0]["content"][0]["text"]
    assert text == said(await bare(served, ask(REFUSED, max_tokens=24))), "nothing is forgotten of it now"
    assert (await office.send("own", "GET", f"/v1/responses/{told['id']}")) == (200, told)
    assert (await office.send("own", "POST", "/admin/policy/rollback", {"version": versions}))[0] == 200
    status, error = await office.send("own", "GET", f"/v1/responses/{told['id']}")
    missing = await office.send("own", "GET", "/v1/responses/resp_0")
    assert (status, json.dumps(error).replace(told["id"], "resp_0")) == (404, json.dumps(missing[1]))
    # What goes on from it is refused as the whole chat would be.
    turns = [("user", REFUSED), ("assistant", text), ("user", "And who taught him?")]
    chat = ask("", messages=[{"role": role, "content": said} for role, said in turns], max_tokens=24)
    guarded = (await office.send("own", "POST", GENERATE[0], chat))[1]
    assert (action := office.rows("request")[-1]["action"]) != "pass"
    then = await office.respond("own", turns[-1][1], previous_response_id=told["id"])
    assert then["output"][0]["content"][0]["text"] == said(guarded) != said(await bare(served, chat))
    assert office.rows("request")[-1]["action"] == action
    assert (await office.send("own", "DELETE", f"/v1/responses/{told['id']}"))[0] == 200
