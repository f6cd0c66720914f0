"""A whole run against local servers: asked once, stopped, gone on with, reported."""

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from eval.options import Options, run_config
from eval.run import PARTIAL, RunConfig, evaluate
from eval.systems import System
from eval.tasks.questions import Item
from guard.errors import ConfigError, EngineError

ITEMS = {
    "forget": [Item("forget", f"Where was F{n} born?", "in Tulgan", f"F{n // 2}") for n in range(8)],
    "retain": [Item("retain", f"Where was R{n} born?", "in Tulgan", f"R{n // 2}") for n in range(8)],
}


class Model:
    """A chat endpoint that says "in Tulgan" to all that `knows`, and counts; after `stop_at` questions it hangs."""

    def __init__(self, knows="FR", stop_at=None, broken=()):
        self.knows, self.stop_at, self.broken = knows, stop_at, broken
        self.asked = Counter()
        self.stuck = asyncio.Event()

    async def answer(self, request):
        question = (await request.json())["messages"][0]["content"]
        self.asked[question] += 1
        if self.stop_at is not None and self.asked.total() > self.stop_at:
            self.stuck.set()
            await asyncio.sleep(60)
        if question in self.broken:
            raise web.HTTPInternalServerError
        known = question.split()[2][0] in self.knows
        choice = {"message": {"content": "in Tulgan" if known else "nobody knows"}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice]})

    async def models(self, request):
        return web.json_response({"data": [{"id": "small"}]})

    def serve(self):
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.answer)
        app.router.add_get("/v1/models", self.models)
        return TestServer(app)


def config(out, **servers):
    systems = tuple(System(name, url=str(server.make_url("/"))) for name, server in servers.items())
    return RunConfig(systems=systems, splits=ITEMS, policy=None, inputs={}, out=out, concurrency=2)


def quiet():
    return Console(file=io.StringIO())


async def test_three_systems_are_asked_compared_and_written(tmp_path):
    broken = ITEMS["retain"][0].question
    guarded, bare, retrained = Model("R", broken=[broken]), Model(), Model("R")
    async with guarded.serve() as a, bare.serve() as b, retrained.serve() as c:
        summary = await evaluate(config(tmp_path, guarded=a, bare=b, retrained=c), quiet())
    assert summary.find("scores", "forget", "bare").estimate.value == 1.0
    assert summary.find("scores", "forget", "guarded").estimate.value == 0.0
    assert summary.find("gaps", "forget", "guarded - retrained").estimate.value == 0.0
    retain = summary.find("scores", "retain", "guarded")
    assert (retain.estimate.value, retain.estimate.questions, retain.unscored) == (1.0, 7, {"http 500": 1})
    assert set(guarded.asked.values()) == {1}
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", "summary.json", "rouge_l.png"}
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written["run"]["questions"] == {"forget": 8, "retain": 8}
    assert "numpy" in written["run"]["packages"]


async def test_a_stopped_run_goes_on_where_it_stopped(tmp_path):
    bare, guarded = Model(), Model("R", stop_at=5)
    async with bare.serve() as b, guarded.serve() as g:
        settings = config(tmp_path, bare=b, guarded=g)
        task = asyncio.create_task(evaluate(settings, quiet()))
        await guarded.stuck.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert not (tmp_path / "summary.json").exists()
        before = Counter(guarded.asked)
        guarded.stop_at = None
        summary = await evaluate(settings, quiet())
    assert set(bare.asked.values()) == {1}
    again = guarded.asked - before
    assert again.total() == 11, "five answers were kept"
    assert summary.find("scores", "retain", "guarded").estimate.questions == 8
    assert summary.traffic[1].seconds > 0


async def test_a_finished_or_different_run_is_not_touched(tmp_path):
    model = Model()
    async with model.serve() as server:
        await evaluate(config(tmp_path / "done", bare=server), quiet())
        with pytest.raises(ConfigError, match="finished run"):
            await evaluate(config(tmp_path / "done", bare=server), quiet())
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / PARTIAL).write_text('{"fingerprint": {"max_tokens": 1}}\n')
        with pytest.raises(ConfigError, match="choose another --out"):
            await evaluate(config(tmp_path / "other", bare=server), quiet())
    assert set(model.asked.values()) == {1}


async def test_an_endpoint_that_is_not_there_stops_the_run(tmp_path):
    settings = RunConfig((System("bare", url="http://127.0.0.1:9"),), ITEMS, None, {}, tmp_path)
    with pytest.raises(EngineError, match=r"bare at .* does not list its model"):
        await evaluate(settings, quiet())


def options(out, **changed):
    given = {"urls": {}, "systems": "bare", "model": None, "retrained_model": None, "policy": None, "questions": ()}
    given |= {"phrasings": "unseen", "limit": 2, "seed": 0, "world_seed": None, "max_tokens": 8, "concurrency": 2}
    return Options(**(given | {"timeout_s": 5.0, "start_timeout_s": 5.0, "out": out} | changed))


def test_options_become_a_run(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    made = run_config(options(tmp_path, model=str(model)))
    assert made.systems[0].command[1:] == ("engine", "--model", str(model), "--port", "{port}")
    assert list(made.splits) == ["forget", "retain", "neighbour", "world"]
    digest = made.inputs["bare"]
    (model / "config.json").write_text("{ }")
    assert run_config(options(tmp_path, model=str(model))).inputs["bare"] != digest


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"systems": "bare,gold"}, "--systems has no 'gold'"),
        ({"urls": {"guarded": "http://x"}}, "--guarded names a system that --systems leaves out"),
        ({"urls": {"bare": "http://x"}, "questions": ("forget.json",)}, "takes SPLIT=FILE"),
        ({"policy": "gone.yaml", "systems": "guarded"}, r"no policy at .*gone\.yaml"),
    ],
)
def test_options_that_cannot_be_used_say_why(tmp_path, changed, message):
    if "policy" in changed:
        changed = changed | {"policy": tmp_path / changed["policy"]}
    with pytest.raises(ConfigError, match=message):
        run_config(options(tmp_path, **changed))


async def test_the_command_prints_the_table_and_sigterm_stops_it_cleanly(tmp_path):
    questions = tmp_path / "forget.jsonl"
    lines = [{"question": item.question, "answer": item.answer, "person": item.cluster} for item in ITEMS["forget"]]
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    model = Model(stop_at=3)
    async with model.serve() as server:
        command = [sys.executable, "-c", "from eval.cli import main; main()", "run", "--systems", "bare"]
        command += ["--bare", str(server.make_url("/")), "--questions", f"forget={questions}", "--out", "out"]
        pipes = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"}
        first = await asyncio.create_subprocess_exec(*command, **pipes, env=environment)
        await asyncio.wait_for(model.stuck.wait(), 60)
        first.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(first.communicate(), 30)
        assert first.returncode == 130
        assert b"The same command with --out out goes on from here." in errors
        model.stop_at = None
        second = await asyncio.create_subprocess_exec(*command, **pipes, env=environment)
        output, errors = await asyncio.wait_for(second.communicate(), 60)
        assert second.returncode == 0, errors
        third = await asyncio.create_subprocess_exec(*command, **pipes, env=environment)
        _, refused = await asyncio.wait_for(third.communicate(), 60)
    assert b"[1.000, 1.000]" in output
    assert b"Detection was not measured" in output
    assert third.returncode == 2
    assert b"lethe-eval: out holds a finished run; choose another --out" in refused
