"""Profiles: which policy files they are, who gets which, and who gets none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from guard.errors import ConfigError
from serve.caller import Caller, with_caller
from serve.cli import app as cli
from serve.keys.store import Grant, Key, add_key, read_keys, revoke_key
from serve.profiles import Profiled, read_profiles, tell_absent
from serve.replies import send_body
from serve.settings import resolve

SECRET = b"0" * 32


def test_profiles_are_names_of_policy_files(tmp_path: Path) -> None:
    file = tmp_path / "a=b.yaml"
    file.write_text("")
    assert read_profiles([f"strict={file}", f"r-1.x={file}"]) == {"strict": file, "r-1.x": file}
    for given, told in (
        (["strict"], "takes NAME=FILE"),
        (["=x"], "takes NAME=FILE"),
        (["a b=x"], "takes NAME=FILE"),
        (["strict="], "takes NAME=FILE"),
        (["strict=none.yaml"], r"no policy file none.yaml, which the profile 'strict' names"),
        ([f"strict={file}"] * 2, "two profiles are called 'strict'"),
    ):
        with pytest.raises(ConfigError, match=told):
            read_profiles(given)


def test_options_must_fit_profiles(tmp_path: Path, checkpoint: Path, policy_file: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    options: dict[str, Any] = {"policy": policy_file, "host": "", "port": 1, "engine_flags": (), "served_name": "m"}
    options |= {"model": str(checkpoint), "upstream": None, "artifact": None, "profiles": (f"strict={policy_file}",)}
    with pytest.raises(ConfigError, match="add --keys"):
        resolve(**options)
    add_key(tmp_path / "keys.json", SECRET, role="caller", name="")
    with pytest.raises(ConfigError, match="--artifact is made for one policy"):
        resolve(**options | {"keys": True, "artifact": tmp_path})
    assert resolve(**options, keys=True).policies == (policy_file,), "a file that has two names is served once"


def test_the_command_makes_and_lists_what_a_key_is_granted(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    run = CliRunner().invoke
    assert run(cli, ["keys", "add", "--role", "caller", "--name", "plain"]).exit_code == 0
    given = ["--profile", "strict", "--max-concurrent", "2", "--per-minute", "60"]
    assert run(cli, ["keys", "add", "--role", "caller", "--name", "team", *given]).exit_code == 0
    limited = Grant(profile="strict", max_concurrent=2, per_minute=60)
    assert [key.grant for key in read_keys(tmp_path / "keys.json")] == [Grant(), limited]
    lines = [line.split("\t")[4:] for line in run(cli, ["keys", "list"]).stdout.splitlines()]
    assert lines == [["plain", ""], ["team", "profile strict, 2 at once, 60 a minute"]]
    assert run(cli, ["keys", "add", "--role", "caller", "--per-minute", "0"]).exit_code == 2


def test_keys_of_an_older_file_are_granted_the_servers_own_policy_without_limits(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key, _ = add_key(path, SECRET, role="caller", name="")
    old = key.model_dump(exclude={"grant"})
    assert Key.model_validate(old).grant == Grant()


def saying(text: str) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send_body(send, 200, text.encode())

    return app


async def ask(grant: Grant | None, path: str) -> httpx.Response:
    profiled = Profiled(saying("own"), {"strict": saying("strict")})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await profiled(scope if grant is None else with_caller(scope, Caller("key-1", "caller", grant)), receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        return await http.post(path)


async def test_a_key_is_never_served_under_a_policy_that_it_does_not_name(caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses/resp_1", "/"):
        assert (await ask(None, path)).text == "own"
        assert (await ask(Grant(), path)).text == "own"
        assert (await ask(Grant(profile="strict"), path)).text == "strict"
        for absent in ("Strict", "strict ", "own", ""):
            reply = await ask(Grant(profile=absent), path)
            assert reply.status_code == 403
            assert "this server has no policy for this key" in reply.text
            assert "strict" not in reply.text.lower()
    assert "there is no --profile Strict" in caplog.text


def test_the_operator_is_told_which_keys_will_be_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keys.json"
    grants = (Grant(), Grant(profile="strict"), Grant(profile="gone"), Grant(profile="gone"))
    made = [add_key(path, SECRET, role="caller", name="", grant=grant)[0] for grant in grants]
    revoke_key(path, made[3].id)
    tell_absent(read_keys(path), {"strict": saying("")})
    assert [record.getMessage() for record in caplog.records] == [
        f"{made[2].id} is refused: there is no --profile gone"
    ]
