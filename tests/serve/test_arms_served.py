"""Arms of every kind behind one name, on the session's engine, and `lethe-eval ab` through them."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asking import CLEAN, REFUSED, ask, bare, post, said, shape
from serving import FORGOTTEN, KEPT, QUESTIONS, Served, start_server

from guard.act.refuse import PHRASINGS
from serve.settings import DEMO_MODEL

HIDDEN = ("guarded", "naked", "tuned", "away", "quiet", "other")
# So many that every arm is met: that one of four is not has a chance of 0.00004.
KEYS = tuple(f"key-{number}" for number in range(40))
ARMS = """version: 1
experiment: trial
arms:
- {{name: guarded, weight: 1, kind: guard}}
- {{name: naked, weight: 1, kind: bare, unguarded: true}}
- {{name: tuned, weight: 1, kind: adapter, adapter: other, unguarded: true}}
- {{name: away, weight: 1, kind: upstream, url: 'http://127.0.0.1:{port}', model: other, unguarded: true}}
- {{name: quiet, weight: 0, kind: bare, unguarded: true}}
shadow: quiet
"""


class Divided(NamedTuple):
    """A server with arms, its outcomes, and what each key was answered: to what is forgotten, and retained."""

    server: Served
    outcomes: Path
    forgotten: dict[str, Any]
    retained: dict[str, Any]

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.outcomes.read_text().splitlines()]

    def arm(self, reply: dict[str, Any]) -> str:
        return next(row["arm"] for row in self.rows() if row["id"] == reply["id"] and not row["shadow"])


def with_key(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
async def divided(
    checkpoint: Path, policy_file: Path, state: Path, engine_port: int, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Divided]:
    arms = tmp_path_factory.mktemp("arms") / "arms.yaml"
    arms.write_text(ARMS.format(port=engine_port))
    upstream = f"http://127.0.0.1:{engine_port}"
    server = start_server(checkpoint, policy_file, "--upstream", upstream, "--arms", str(arms), state=state)
    try:
        await asyncio.to_thread(server.wait_ready)
        asked: dict[str, dict[str, Any]] = {REFUSED: {}, CLEAN: {}}
        for question, answers in asked.items():
            for key in KEYS:
                status, answers[key], _ = await post(server, ask(question), headers=with_key(key))
                assert status == 200
        yield Divided(server, state / "outcomes" / "trial.jsonl", asked[REFUSED], asked[CLEAN])
    finally:
        server.close()


async def test_what_is_forgotten_is_told_by_the_bare_arm_alone(divided: Divided, served: Served) -> None:
    own, clean = said(await bare(served, ask(REFUSED))), said(await bare(served, ask(CLEAN)))
    arms = {key: divided.arm(reply) for key, reply in divided.forgotten.items()}
    assert set(arms.values()) == {"guarded", "naked", "tuned", "away"}
    assert own not in PHRASINGS
    for key, arm in arms.items():
        told, kept = said(divided.forgotten[key]), said(divided.retained[key])
        assert (told == own) == (arm == "naked")
        assert (arm == "guarded") == any(phrase.startswith(told) for phrase in PHRASINGS)
        # The adapter, in the same engine or behind a server's address, says something of its own.
        assert (kept == clean) == (arm in ("guarded", "naked"))


async def test_a_key_keeps_its_arm_and_nothing_in_a_request_changes_it(divided: Divided) -> None:
    for key in KEYS:
        assert divided.arm(divided.retained[key]) == divided.arm(divided.forgotten[key])
    for key in KEYS[:4]:
        for number in range(3):
            body = ask(REFUSED, user=f"user-{number}", metadata={"arm": "naked"}, seed=number)
            headers = with_key(key) | {"x-arm": "naked", "cookie": "arm=naked", "x-lethe-arm": str(number)}
            _, reply, _ = await post(divided.server, body, f"/v1/chat/completions?arm={number}", headers=headers)
            assert said(reply) == said(divided.forgotten[key])
            assert divided.arm(reply) == divided.arm(divided.forgotten[key])


async def test_without_a_token_the_address_counts_and_no_header_says_another(divided: Divided) -> None:
    before = len(divided.rows())
    for number in range(8):
        address = f"10.0.0.{number}"
        headers = {"x-forwarded-for": address, "forwarded": f"for={address}", "x-real-ip": address}
        await post(divided.server, ask(CLEAN), headers=headers)
    rows = [row for row in divided.rows()[before:] if not row["shadow"]]
    assert len(rows) == 8
    assert len({(row["caller"], row["arm"]) for row in rows}) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_arms_cannot_be_told_apart_by_the_form_of_their_answers(divided: Divided, stream: bool) -> None:
    forms: dict[str, set[str]] = {}
    for key in KEYS:
        more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        _, reply, headers = await post(divided.server, ask(CLEAN, **more), headers=with_key(key))
        events = [json.loads(line[6:]) for line in reply.split("\n\n")[:-2]] if stream else [reply]
        arm = divided.arm(events[0])
        told = f"{reply if stream else json.dumps(reply)} {list(headers.items())}"
        assert not [name for name in HIDDEN if f'"{name}"' in told.replace("'", '"')]
        assert {event["model"] for event in events} == {"m"}
        marks = [event.get("system_fingerprint") for event in events]
        kinds = [list(headers), *sorted({json.dumps(shape(event)) for event in events}), sorted(set(map(str, marks)))]
        forms.setdefault(arm, set()).add(json.dumps(kinds))
    assert len(forms) == 4, "every arm that takes callers was met"
    assert len(set().union(*forms.values())) == 1


async def test_only_the_one_model_can_be_named_whatever_the_arm(divided: Divided) -> None:
    _, listing, _ = await post(divided.server, b"", "/v1/models", method="GET")
    assert [card["id"] for card in listing["data"]] == ["m"]
    for key in KEYS[:8]:
        for name in HIDDEN:
            status, error, _ = await post(divided.server, ask(CLEAN, model=name), headers=with_key(key))
            assert (status, error["error"]["code"]) == (404, "model_not_found")


async def test_every_arm_refuses_what_the_guard_refuses_in_the_same_words(divided: Divided) -> None:
    wrong = [
        (ask(CLEAN, logprobs=True), "/v1/chat/completions"),
        (ask(CLEAN, prompt_embeds="x"), "/v1/chat/completions"),
        ({"model": "m", "prompt": REFUSED, "echo": True}, "/v1/completions"),
        (ask(REFUSED, mcp_servers=[]), "/v1/messages"),
        (ask(REFUSED), "/v1/embeddings"),
        (ask("word " * 4000), "/v1/chat/completions"),
    ]
    for body, path in wrong:
        replies = [await post(divided.server, body, path, headers=with_key(key)) for key in KEYS]
        assert len({(status, json.dumps(error), str(list(headers))) for status, error, headers in replies}) == 1
        assert replies[0][0] in (400, 403)


def text_of(answer: dict[str, Any]) -> str:
    """What a completion, a message or a response says."""
    if "choices" in answer:
        return str(answer["choices"][0]["text"])
    (part,) = answer["content"] if "content" in answer else answer["output"][0]["content"]
    return str(part["text"])


ELSEWHERE: dict[str, dict[str, Any]] = {
    "/v1/completions": {"model": "m", "prompt": REFUSED, "max_tokens": 12, "temperature": 0},
    "/v1/messages": ask(REFUSED),
    "/v1/responses": {"model": "m", "input": REFUSED, "max_output_tokens": 12, "temperature": 0},
}


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_every_dialect_is_answered_by_the_callers_own_arm(divided: Divided, served: Served, path: str) -> None:
    arms = {divided.arm(reply): key for key, reply in divided.forgotten.items()}
    assert set(arms) == {"guarded", "naked", "tuned", "away"}
    own = text_of(await bare(served, ELSEWHERE[path], path))
    for arm, key in arms.items():
        status, answer, _ = await post(divided.server, ELSEWHERE[path], path, headers=with_key(key))
        assert (status, answer["model"], divided.arm(answer)) == (200, "m", arm)
        assert (text_of(answer) == own) == (arm == "naked")
        assert (arm == "guarded") == any(phrase.startswith(text_of(answer)) for phrase in PHRASINGS)
        _, stream, _ = await post(divided.server, ELSEWHERE[path] | {"stream": True}, path, headers=with_key(key))
        assert "event: error" not in stream
        assert not [name for name in HIDDEN if f'"{name}"' in stream]


async def test_behind_arms_tokens_are_counted_and_responses_kept_for_who_got_them(divided: Divided) -> None:
    counted = []
    for key in KEYS[:6]:
        body = {"model": "m", "messages": [{"role": "user", "content": CLEAN}]}
        counted.append((await post(divided.server, body, "/v1/messages/count_tokens", headers=with_key(key)))[:2])
        _, made, _ = await post(divided.server, ELSEWHERE["/v1/responses"], "/v1/responses", headers=with_key(key))
        at = f"/v1/responses/{made['id']}"
        assert (await post(divided.server, b"", at, method="GET", headers=with_key(key)))[:2] == (200, made)
        assert (await post(divided.server, b"", at, method="GET", headers=with_key("another")))[0] == 404
        body = {"model": "m", "input": "And?", "previous_response_id": made["id"], "max_output_tokens": 4}
        assert (await post(divided.server, body, "/v1/responses", headers=with_key(key)))[0] == 200
    assert counted == counted[:1] * 6
    assert counted[0][0] == 200


async def test_outcomes_hold_no_text_and_the_shadow_is_among_them(divided: Divided) -> None:
    text = divided.outcomes.read_text()
    assert stat.S_IMODE(divided.outcomes.stat().st_mode) == 0o600
    assert not [word for word in ("Orrin", "Vasquell", "Where", "egg", *KEYS) if word in text]
    answered = {reply["id"] for reply in divided.forgotten.values()}
    shadows = [row for row in divided.rows() if row["shadow"] and row["id"] in answered]
    assert shadows
    assert {(row["arm"], row["status"]) for row in shadows} == {("quiet", 200)}


def test_the_operator_is_told_shares_and_what_is_not_guarded(divided: Divided) -> None:
    told = divided.server.log.read_text()
    assert "guarded 25%, naked 25%, tuned 25%, away 25%, quiet 0%; quiet is also asked" in told
    assert "75% of callers are answered without the guard (naked, tuned, away)" in told
    assert str(divided.outcomes) in told


async def write_answers(path: Path, served: Served, questions: list[str]) -> Path:
    """The questions, with what the bare model says to them for the truth."""
    with path.open("w", encoding="utf-8") as file:
        for question in questions:
            answer = said(await bare(served, ask(question, max_tokens=64)))
            print(json.dumps({"question": question, "answer": answer}), file=file)
    return path


async def test_ab_tells_the_arms_apart_from_outside(divided: Divided, served: Served, tmp_path: Path) -> None:
    if not DEMO_MODEL.is_dir():
        pytest.skip("this copy of Lethe carries no embedded model, and what a random one says has no words to score")
    (refused, _), kept = FORGOTTEN[1], [name for name, _ in KEPT[:3]]
    forget = await write_answers(tmp_path / "forget.jsonl", served, [ask.format(refused) for ask, _ in QUESTIONS])
    retain = await write_answers(
        tmp_path / "retain.jsonl", served, [ask.format(name) for name in kept for ask, _ in QUESTIONS]
    )
    command = [sys.executable, "-c", "from eval.cli import main; main()", "ab", "--url", divided.server.url]
    command += ["--outcomes", str(divided.outcomes), "--questions", f"forget={forget}"]
    command += ["--questions", f"retain={retain}", "--each", "1", "--out", str(tmp_path / "out")]

    async def run(keys: int) -> tuple[str, dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            *command, "--keys", str(keys), stdout=-1, stderr=-1, env=os.environ | {"COLUMNS": "150"}
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode(), json.loads((tmp_path / "out" / "ab.json").read_text())["result"]

    _, first = await run(20)
    asked = len(divided.rows())
    printed, result = await run(160)
    assert sum(first["keys"].values()) == 20
    assert sum(result["keys"].values()) == 160
    live = [row for row in divided.rows()[asked:] if not row["shadow"]]
    assert len(live) == 2 * 140, "a later look asks only what is new"
    recall = {(cell["split"], cell["name"]): cell["estimate"]["value"] for cell in result["recall"]}
    assert recall["forget", "naked"] > 0.9
    assert recall["forget", "guarded"] < 0.3
    found = {(one["split"], one["left"], one["right"]): one for one in result["comparisons"]}
    assert found["forget", "guarded", "naked"]["decided"] <= found["forget", "guarded", "naked"]["pairs"]
    assert found["forget", "guarded", "naked"]["high"] < 0
    assert found["retain", "guarded", "naked"]["decided"] is None
    assert "naked tells more of what is to be forgotten" in printed
    assert "quiet (shadow)" in printed
    assert (tmp_path / "out" / "ab.png").stat().st_size > 5_000
