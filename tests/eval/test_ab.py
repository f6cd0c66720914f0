"""The A/B test: an interval that holds under peeking, whose arm a key met, and what is said of it."""

import io
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from eval.ab.outcomes import arms_of, read_outcomes, recorded
from eval.ab.probes import callers
from eval.ab.run import Probing, ab
from eval.ab.sequence import difference
from eval.ab.show import show
from eval.ab.words import verdict
from eval.tasks.questions import Item
from guard.errors import ConfigError, EngineError

ITEMS = [Item("forget", f"Where was {name} born?", "Tulgan, by the sea", name) for name in "ABCDEFGHIJ"]
SPLITS = {"forget": ITEMS, "retain": [Item("retain", f"Who is {n}?", "A clockmaker", n) for n in "KLMNOPQRST"]}


def test_seven_pairs_that_differ_wholly_decide_as_worked_by_hand():
    known = difference(np.ones(9), np.zeros(9), alpha=0.05)
    # All bets are at the most that may be staked, 0.75 / m: half of (1 + 1.5 * 0.5)^n reaches 20 at n = 7.
    assert known.decided == 7
    # There half of (1 + 0.75 (1 - m) / m)^7 = 20 gives m = 0.5194, and 2 m - 1 = 0.0388.
    assert known.low[5] < 0 < known.low[6]
    assert known.low[6] == pytest.approx(0.0388, abs=0.0015)
    assert (known.high == 1).all()
    mirrored = difference(np.zeros(9), np.ones(9), alpha=0.05)
    assert mirrored.decided == 7
    assert mirrored.high == pytest.approx(-known.low)


def test_scores_must_be_as_many_and_lie_between_0_and_1():
    for left, right in ((np.ones(2), np.ones(3)), (np.ones(0), np.ones(0)), (np.ones(1), np.full(1, 1.1))):
        with pytest.raises(ValueError, match=r"as many|lie in"):
            difference(left, right, alpha=0.05)


def drawn(rng, mean, size):
    """Means of two graded answers each, skewed as recalls are."""
    return rng.binomial(2, mean, size) / 2


def test_looking_after_every_pair_raises_no_more_false_alarms_than_alpha():
    rng, alarms, missed = np.random.default_rng(4), 0, 0
    for mean in (0.9, 0.5):
        for _ in range(200):
            known = difference(drawn(rng, mean, 40), drawn(rng, mean, 40), alpha=0.1)
            alarms += known.decided is not None
            missed += bool((known.low > 0).any() or (known.high < 0).any())
    assert alarms <= 0.1 * 400
    assert missed <= alarms, "an interval that leaves 0 out is a decision"


def test_all_intervals_of_a_stream_hold_the_true_difference_at_once():
    rng, outside = np.random.default_rng(5), 0
    for _ in range(200):
        known = difference(drawn(rng, 0.9, 40), drawn(rng, 0.6, 40), alpha=0.1)
        outside += bool((known.low > 0.3).any() or (known.high < 0.3).any())
    assert outside <= 0.1 * 200


def test_a_real_difference_is_found_and_sooner_the_greater_it_is():
    rng = np.random.default_rng(6)
    found = {
        mean: [difference(drawn(rng, 0.95, 100), drawn(rng, mean, 100), alpha=0.05).decided for _ in range(50)]
        for mean in (0.3, 0.6)
    }
    assert all(found[0.3])
    assert sum(decided is not None for decided in found[0.6]) >= 48
    assert np.median(found[0.3]) < np.median([one for one in found[0.6] if one])


def test_a_caller_hangs_on_the_seed_and_its_number_alone():
    few, more = (callers(SPLITS, keys=keys, each=3, seed=0) for keys in (5, 9))
    assert few == more[:5]
    assert len({caller.key for caller in more}) == 9
    assert all([item.split for item in caller.probes] == ["forget"] * 3 + ["retain"] * 3 for caller in more)
    assert len({item.question for item in more[0].probes}) == 6
    assert callers(SPLITS, keys=1, each=3, seed=1) != few[:1]


def line(**more):
    row = {"time": 1.0, "id": "r1", "caller": "c", "arm": "a", "shadow": False, "status": 200}
    return json.dumps(row | {"milliseconds": 5.0, "characters": 9} | more)


def test_outcomes_are_read_and_summed_up(tmp_path):
    path = tmp_path / "o.jsonl"
    rows = [
        line(),
        line(id="r2", milliseconds=15.0),
        line(id=None, status=400, characters=0),
        line(arm="s", shadow=True),
    ]
    path.write_text("\n".join(rows))
    read = read_outcomes(path)
    live, shadow = recorded(read)
    assert (live.arm, live.requests, live.failed, live.median_ms, live.median_characters) == ("a", 3, 1, 10.0, 9.0)
    assert (shadow.arm, shadow.shadow, shadow.requests) == ("s", True, 1)
    # The shadow's line bears the identity of the caller's reply, and is not what the caller got.
    assert arms_of({"k": ["r1", "r2"], "idle": []}, read, path) == {"k": "a"}
    with pytest.raises(ConfigError, match="lacks 1 of 2 replies of one key, such as r9"):
        arms_of({"k": ["r1", "r9"]}, read, path)
    path.write_text("\n".join([*rows, line(id="r3", arm="b")]))
    with pytest.raises(ConfigError, match="one key met the arms a and b"):
        arms_of({"k": ["r1", "r3"]}, read_outcomes(path), path)


@pytest.mark.parametrize(
    ("text", "message"), [("", "holds no outcomes yet"), ("{}", "o.jsonl:1: this is no line"), ("{", "no line")]
)
def test_a_file_that_holds_no_outcomes_is_refused(tmp_path, text, message):
    path = tmp_path / "o.jsonl"
    with pytest.raises(ConfigError, match="cannot read"):
        read_outcomes(path)
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_outcomes(path)


@asynccontextmanager
async def split_server(outcomes, *, fails=lambda key, question: False):
    """Deals keys to two arms by their first digit; one of them does not know what is to be forgotten."""
    answers = {item.question: item.answer for items in SPLITS.values() for item in items}
    numbers = iter(range(10_000))

    async def chat(request):
        key = request.headers["authorization"].removeprefix("Bearer ")
        question = (await request.json())["messages"][0]["content"]
        if fails(key, question):
            return web.Response(status=500)
        arm = "shy" if key[0] in "01234567" else "bold"
        name = f"r{next(numbers)}"
        with outcomes.open("a") as file:
            print(line(id=name, arm=arm), file=file)
            print(line(id=name, arm="idle", shadow=True), file=file)
        text = "I cannot say." if arm == "shy" and "born" in question else answers[question]
        return web.json_response({"id": name, "choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    async def models(request):
        return web.json_response({"data": [{"id": "m"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


def probing(url, tmp_path, keys=60, **more):
    return Probing(url, tmp_path / "o.jsonl", SPLITS, keys, 1, tmp_path / "out", **more)


async def test_a_test_finds_what_differs_and_goes_on_with_more_keys(tmp_path):
    told = []
    async with split_server(tmp_path / "o.jsonl") as url:
        first = await ab(probing(url, tmp_path, 4), lambda done, total: told.append((done, total)))
        asked = len(read_outcomes(tmp_path / "o.jsonl"))
        result = await ab(probing(url, tmp_path), lambda done, total: told.append((done, total)))
        with pytest.raises(ConfigError, match="different: alpha"):
            await ab(probing(url, tmp_path, alpha=0.2), lambda done, total: None)
    assert told[:8][-1] == (8, 8)
    assert told[8:][-1] == (120, 120)
    assert len(read_outcomes(tmp_path / "o.jsonl")) - asked == 2 * (120 - 8), "a later look asks only what is new"
    assert sum(first.keys.values()) == 4
    forget, retain = result.comparisons
    assert (forget.left, forget.right) == ("bold", "shy")
    assert forget.value == 1.0
    # Two comparisons share alpha: half of 1.75^n reaches 40 at n = 8.
    assert forget.known.decided == 8
    assert (retain.value, retain.known.decided) == (0.0, None)
    assert min(result.keys.values()) == forget.pairs == retain.pairs
    assert {(cell.split, cell.name, cell.estimate.value) for cell in result.cells} == {
        *(("forget", "bold", 1.0), ("forget", "shy", 0.0), ("retain", "bold", 1.0), ("retain", "shy", 1.0))
    }
    written = json.loads((tmp_path / "out" / "ab.json").read_text())
    assert written["verdict"] == verdict(result)
    assert (tmp_path / "out" / "ab.png").stat().st_size > 5_000


async def test_the_verdict_is_in_words_and_says_what_stays_open(tmp_path):
    async with split_server(tmp_path / "o.jsonl") as url:
        result = await ab(probing(url, tmp_path), lambda done, total: None)
    forget, retain, promise = verdict(result)
    pairs = result.comparisons[0].pairs
    assert forget.startswith("On forget bold recalls 1.000 more than shy: bold tells more of what is to be forgotten.")
    assert f"Known after 8 of {pairs} pairs of keys; the true difference lies between +" in forget
    assert forget.endswith(" and +1.000.")
    # Told the same way round whichever arm comes first.
    mirrored = replace(result.comparisons[0], left="shy", right="bold", value=-1.0)
    turned = replace(mirrored, known=difference(np.zeros(pairs), np.ones(pairs), alpha=0.025))
    assert verdict(replace(result, comparisons=(turned,)))[0] == forget
    assert retain.startswith(f"On retain no difference between bold and shy is shown by {pairs} pairs of keys (+0.000;")
    assert "at most 0.05; to go on, ask for more --keys" in promise
    console = Console(file=io.StringIO(), width=120)
    show(result, console)
    assert "idle (shadow)" in console.file.getvalue()
    assert forget in console.file.getvalue()


async def test_what_is_not_answered_is_unscored_and_never_0(tmp_path):
    async with split_server(tmp_path / "o.jsonl", fails=lambda key, question: "born" in question) as url:
        result = await ab(probing(url, tmp_path, 20), lambda done, total: None)
    forget, retain = result.comparisons
    assert (forget.value, forget.pairs) == (None, 0)
    assert retain.pairs > 0
    said = verdict(result)
    assert said[0] == "On forget bold and shy cannot be compared: no scored key in one of them."
    count = result.keys["bold"]
    assert f"Unscored on forget, bold: {count} x http 500; they count neither as 0 nor as right." in said


async def test_nothing_answered_or_one_arm_alone_is_told(tmp_path):
    (tmp_path / "o.jsonl").write_text(line(id="before"))
    async with split_server(tmp_path / "o.jsonl", fails=lambda key, question: True) as url:
        with pytest.raises(EngineError, match="no question was answered"):
            await ab(probing(url, tmp_path, 2), lambda done, total: None)
    (tmp_path / "o.jsonl").unlink()
    async with split_server(tmp_path / "o.jsonl", fails=lambda key, question: key[0] in "01234567") as url:
        result = await ab(probing(url, tmp_path, 20), lambda done, total: None)
    assert verdict(result)[0] == "All keys met the arm bold: there is nothing to compare; ask with more --keys."
