"""The table of actions: its policies, a whole run against local servers, its figures by hand."""

import asyncio
import contextlib
import io

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console
from rich.progress import Progress

from classifiers.artifact import policy_digest
from eval.answers import AnswerStore
from eval.bench.action_figures import ADDED, DISTINCT, FULL, KEPT, NATS, OVER_PLAIN, OVER_SAME, RECALL, figures
from eval.bench.action_rows import PLAIN, Row
from eval.bench.action_show import draw, show
from eval.bench.actions import Plan, make_plan, measure
from eval.policies import ACTIONS, write_policies
from eval.systems import System
from eval.tasks.questions import Item
from guard.errors import ConfigError, EngineError
from guard.policy import load_policy

SPLITS = ("forget", "retain", "neighbour", "world")


class Server:
    """Says "born in Tulgan" of those whose letter it `knows`, else something else; counts, and hangs at `stop_at`."""

    def __init__(self, knows, stop_at=None):
        self.knows, self.stop_at, self.asked = knows, stop_at, []
        self.stuck = asyncio.Event()

    async def answer(self, request):
        question = (await request.json())["messages"][0]["content"]
        self.asked.append(question)
        if self.stop_at is not None and len(self.asked) > self.stop_at:
            self.stuck.set()
            await asyncio.sleep(60)
        said = "born in Tulgan" if question.split()[2][0] in self.knows else "nobody knows that"
        return web.json_response({"choices": [{"message": {"content": said}, "finish_reason": "stop"}]})

    async def models(self, request):
        return web.json_response({"data": [{"id": "small"}]})

    def serve(self):
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self.answer)
        application.router.add_get("/v1/models", self.models)
        return TestServer(application)


def splits(draw):
    def items(split):
        names = [f"{split[0].upper()}{draw}{n}" for n in range(6)]
        return [
            Item(split, f"Where was {name} born?", "born in Tulgan", name[:-1] + str(n // 2))
            for n, name in enumerate(names)
        ]

    return {split: items(split) for split in SPLITS}


def plan(out, urls, reference):
    """`urls` by model, and one for every guard."""
    engines = {name: System(f"engine {name}", url=url) for name, url in urls.items() if name != "guard"}
    draws = {"a": splits("a"), "b": splits("b")}
    return Plan(
        engines, lambda row, url: System(row.name, url=urls["guard"]), draws, ("refuse", "zero"), reference, out
    )


def address(server):
    return str(server.make_url("/"))


async def run(made, out):
    with (
        AnswerStore(out / "answers.jsonl", {"asked": 6}) as store,
        Progress(console=Console(file=io.StringIO())) as bar,
    ):
        await measure(made, store, bar)
        return figures(made.draws, made.actions, made.reference, store, lambda text: float(len(text)), seed=0)


def value(cells, split, name):
    [cell] = [cell for cell in cells if (cell.split, cell.name) == (split, name)]
    return None if cell.estimate is None else cell.estimate.value


async def test_every_row_is_asked_once_and_compared(tmp_path):
    full, never, guard = Server("FRNW"), Server("RNW"), Server("RN")
    async with full.serve() as a, never.serve() as b, guard.serve() as c:
        made = plan(tmp_path, {FULL: address(a), "never": address(b), "guard": address(c)}, {"a": "never"})
        cells = await run(made, tmp_path)
        asked = [len(server.asked) for server in (full, never, guard)]
        again = await run(made, tmp_path)
        assert [len(server.asked) for server in (full, never, guard)] == asked, "answers are kept"
    # Of the full model two draws: 24 questions, and 12 of them once more, one at a time. Of the reference draw a's 6.
    assert asked == [72, 6, 144 + 12]
    assert [cell for cell in again if cell.split != ADDED] == [cell for cell in cells if cell.split != ADDED]
    assert value(cells, RECALL, PLAIN) == 1.0
    assert value(cells, RECALL, "zero") == 0.0
    assert value(cells, OVER_PLAIN, PLAIN) == 1.0
    assert value(cells, OVER_PLAIN, "zero") == value(cells, OVER_SAME, "zero") == 0.0
    assert value(cells, KEPT["retain"], "zero") == 0.0
    assert value(cells, KEPT["world"], "zero") == -1.0
    assert value(cells, NATS, "zero") == len("nobody knows that")
    assert value(cells, DISTINCT, "zero") == 0.5
    assert value(cells, RECALL, "reference") == 0.0
    assert value(cells, ADDED, PLAIN) == 0.0
    [over] = [cell for cell in cells if (cell.split, cell.name) == (OVER_SAME, "zero")]
    assert (over.estimate.questions, over.unscored) == (6, {"not scored in both": 6}), "draw b has no reference"


async def test_without_a_reference_the_excess_is_missing_not_zero(tmp_path):
    full, guard = Server("FRNW"), Server("RN")
    async with full.serve() as a, guard.serve() as c:
        cells = await run(plan(tmp_path, {FULL: address(a), "guard": address(c)}, {}), tmp_path)
    assert value(cells, OVER_PLAIN, "zero") is None
    assert value(cells, OVER_SAME, "zero") is None
    shown = io.StringIO()
    show(cells, "draw a", Console(file=shown, width=200))
    assert "unscored" in shown.getvalue()
    assert "reference" not in shown.getvalue().split("\n")[-3]
    assert draw(cells, "draw a").startswith(b"\x89PNG")


async def test_a_stopped_run_goes_on(tmp_path):
    full, guard = Server("FRNW"), Server("RN", stop_at=30)
    async with full.serve() as a, guard.serve() as c:
        made = plan(tmp_path, {FULL: address(a), "guard": address(c)}, {})
        task = asyncio.create_task(run(made, tmp_path))
        await guard.stuck.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        guard.stop_at = None
        cells = await run(made, tmp_path)
    assert len(full.asked) == 72
    assert 144 <= len(guard.asked) <= 144 + 8, "only what was in flight is asked again"
    assert value(cells, RECALL, "zero") == 0.0


async def test_an_engine_that_does_not_start_ends_the_run(tmp_path):
    made = plan(tmp_path, {FULL: "http://127.0.0.1:9", "guard": "http://127.0.0.1:9"}, {})
    with pytest.raises(EngineError, match="does not list its model"):
        await run(made, tmp_path)


def test_every_action_makes_a_policy_and_all_share_one_classifier(tmp_path):
    with pytest.raises(ConfigError, match=r"first: lethe-eval aux .*retain.jsonl --out"):
        write_policies(tmp_path, "b", list(ACTIONS))
    (tmp_path / "auxiliary").mkdir()
    (tmp_path / "auxiliary" / "auxiliary.json").touch()
    paths = write_policies(tmp_path, "b", list(ACTIONS))
    policies = {name: load_policy(path) for name, path in paths.items()}
    assert len({policy_digest(policy, secret=bytes(32), encoder="x") for policy in policies.values()}) == 1
    for name, policy in policies.items():
        given = ACTIONS[name]["action"]
        told = [[action.model_dump(exclude_unset=True) for action in topic.actions] for topic in policy.topics]
        assert told == [given if isinstance(given, list) else [given]] * 15
        assert {topic.output.on_hit for topic in policy.topics} == {
            ACTIONS[name].get("output", {}).get("on_hit", "replace")
        }
    assert "&id" not in paths["shuffle"].read_text()


@pytest.mark.parametrize(
    ("draws", "actions", "never", "message"),
    [
        (["z"], ["zero"], "gone", "no 'z'; there are a, b"),
        (["b"], ["hide"], "gone", "no 'hide'; there are refuse"),
        (["b"], ["zero"], "gone", "no model at"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(tmp_path, draws, actions, never, message):
    with pytest.raises(ConfigError, match=message):
        make_plan(draws, actions, tmp_path / never, 4, tmp_path)


def test_rows_are_filed_apart():
    names = {Row(m, d, a).name for m in (FULL, "never") for d in "ab" for a in (PLAIN, *ACTIONS)}
    assert len(names) == 4 * (len(ACTIONS) + 1)
    assert not any("/" in name for name in names), "logs are named after them"
