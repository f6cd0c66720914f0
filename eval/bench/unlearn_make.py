"""Makes the benches' checkpoints by `eval.unlearn`, some side by side, each in a process of its own.

So that its peak memory is its own, and so that a model of 1.7 million parameters, which a second core hardly speeds up,
has one core and its neighbour the other.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from eval.bench.unlearn_data import Data
from eval.bench.unlearn_measure import measure
from eval.bench.unlearn_rows import Row
from eval.bench.unlearn_settings import Setting
from eval.tasks.questions import Item
from eval.unlearn.errors import UnlearnError
from eval.unlearn.methods import METHODS
from eval.unlearn.run import Options, unlearn
from guard.errors import LetheError


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
    setting: Setting, model: str, data: Data, splits: Mapping[str, Sequence[Item]], out: Path, *, keep: bool
) -> Row:
    """Make the checkpoint of a setting under `out` and measure it."""
    checkpoint = out / "checkpoints" / setting.name.replace(" ", ",")
    reason = None if checkpoint.is_dir() else make(setting, model, data, checkpoint)
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


@contextmanager
def side_by_side(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of which `jobs` work at once, each on its share of the cores, and each for one piece of work.

    Raises:
        UnlearnError: one was killed.
    """
    # Imports take longer than many a run: a server does them once, and its children have them.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    threads = max(1, (os.cpu_count() or 1) // jobs)
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(threads,), max_tasks_per_child=1)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise UnlearnError(
            "a process was killed, maybe for want of memory; the same command goes on, with fewer --jobs if need be"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)
    logging.set_verbosity_error()
