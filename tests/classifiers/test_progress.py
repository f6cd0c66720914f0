import io

from rich.console import Console

from classifiers.progress import Bars


def told(terminal):
    """What stands in the file after two stages of half a minute, and the clock's own steps."""
    out, now = io.StringIO(), [0.0]
    with Bars(Console(file=out, force_terminal=terminal, width=80), get_time=lambda: now[0]) as bars:
        task = bars.add_task("reading", total=10)
        for _ in range(10):
            now[0] += 3
            bars.advance(task)
        bars.update(task, description="fitting [all]")
        bars.update(task, total=20)
        now[0] += 12
        bars.update(task, completed=15)
    return out.getvalue()


def test_a_log_has_a_plain_line_a_stage_and_now_and_then():
    assert told(terminal=False).splitlines() == [
        "reading: 0 of 10, 0 s",
        "reading: 4 of 10, 12 s, about 18 s left",
        "reading: 8 of 10, 24 s, about 6 s left",
        "fitting [all]: 10 of 10, 30 s",
        "fitting [all]: 15 of 20, 42 s",
    ]


def test_seconds_of_waiting_are_no_new_stage():
    out, now = io.StringIO(), [0.0]
    with Bars(Console(file=out, force_terminal=False, width=80), get_time=lambda: now[0]) as bars:
        task = bars.add_task("starting", total=None)
        for second in range(12):
            now[0] += 1
            bars.update(task, description=f"starting bare ({second} s)")
    assert out.getvalue().splitlines() == ["starting, 0 s", "starting bare (0 s), 1 s", "starting bare (10 s), 11 s"]


def test_a_terminal_has_a_bar():
    assert "\x1b[" in told(terminal=True)
    assert "reading: 4 of 10" not in told(terminal=True)


def test_a_log_tells_of_what_is_tracked():
    out, now = io.StringIO(), [0.0]
    with Bars(Console(file=out, force_terminal=False, width=80), get_time=lambda: now[0]) as bars:
        for _ in bars.track(range(3), description="asking"):
            now[0] += 12
    assert out.getvalue().splitlines()[:2] == ["asking: 0 of 3, 0 s", "asking: 1 of 3, 12 s"]
