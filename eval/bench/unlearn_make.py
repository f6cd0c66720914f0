"""Makes the benches' checkpoints by `eval.unlearn`, some side by side, each in a process of its own.

So that its peak memory is its own, and so that a model of 1.7 million parameters, which a second core hardly speeds up,
has one core and its neighbour the other.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers.utils import logging

from eval.bench.unlearn_data import Data
from eval.bench.unlearn_measure import measure
from eval.bench.unlearn_rows import Row
from eval.bench.unlearn_settings import Setting
from eval.tasks.questions import Item
from eval.unlearn.methods import METHODS
from eval.unlearn.run import Options, unlearn
from guard.errors import LetheError

T = TypeVar("T")


def make(setting: Setting, model: str, data: Data, out: Path, share: float = 1.0) -> str | None:
    """Make the checkpoint of a setting at `out`, or go on with it; `share` is that of the forget set used.

    Returns:
        Why there is none, or None where there is one.
    """
    options = Options(
        method=setting.method,
        model=model,
        forget=data.forget,
        retain=data.retain,
        out=out,
        settings=setting.given,
        recipe=setting.recipe,
        share=share,
        anchors=data.anchors if METHODS[setting.method].takes_anchors else None,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        unlearn(options, lambda stage, done, of: None)
    except LetheError as error:
        return str(error)
    return None


def measured(
    setting: Setting,
    model: str,
    data: Data,
    splits: Mapping[str, Sequence[Item]],
    out: Path,
    *,
    keep: bool,
    share: float = 1.0,
) -> Row:
    """Make the checkpoint of a setting under `out`, with `share` of the forget set, and measure it."""
    checkpoint = out / "checkpoints" / setting.name.replace(" ", ",")
    reason = None if checkpoint.is_dir() else make(setting, model, data, checkpoint, share)
    if reason is not None:
        return Row(setting.name, setting.method, None, reason, None)
    found = Row(setting.name, setting.method, measure(str(checkpoint), splits), None, cost(checkpoint))
    if not keep:
        shutil.rmtree(checkpoint)
    return found


def cost(checkpoint: Path) -> dict[str, Any]:
    """What its `unlearn.json` says of seconds, FLOPs and peak memory."""
    found: dict[str, Any] = json.loads((checkpoint / "unlearn.json").read_text(encoding="utf-8"))["cost"]
    return found


@dataclass(frozen=True)
class Dead:
    """A process that ended before its work was done."""

    reason: str


def side_by_side(works: Mapping[str, Callable[[], T]], jobs: int) -> Iterator[tuple[str, T | Dead]]:
    """Do every piece of work, `jobs` at once, in a process of its own, on its share of the cores.

    `works` must be importable functions with their arguments (`functools.partial`). Gives names and results as they
    come; whoever stops asking stops the processes too.
    """
    # Imports take longer than many a run: a server does them once, and its children have them.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting = deque(works.items())
    running: dict[Connection, tuple[str, ForkServerProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, work = waiting.popleft()
                result, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_do, args=(work, threads, theirs), daemon=True)
                process.start()
                theirs.close()
                running[result] = name, process
            ready = wait(list(running))
            for result in [one for one in running if one in ready]:
                name, process = running.pop(result)
                yield name, _received(result, process)
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()


def _do(work: Callable[[], Any], threads: int, result: Connection) -> None:
    torch.set_num_threads(threads)
    logging.set_verbosity_error()
    result.send(work())


def _received(result: Connection, process: ForkServerProcess) -> Any:
    try:
        return result.recv()
    except EOFError:
        process.join()
        return Dead(f"the process ended with status {process.exitcode}; a status of -9 may be want of memory")
    finally:
        result.close()
