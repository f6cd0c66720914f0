"""Pieces of work side by side, each in a process of its own.

So that its peak memory is its own, and so that a model of 1.7 million parameters, which a second core hardly speeds up,
has one core and its neighbour the other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any, TypeVar

import torch
from transformers.utils import logging

T = TypeVar("T")


@dataclass(frozen=True)
class Dead:
    """A process that ended before its work was done."""

    reason: str


def side_by_side(works: Mapping[str, partial[T]], jobs: int) -> Iterator[tuple[str, T | Dead]]:
    """Do every piece of work, `jobs` at once, in a process of its own, on its share of the cores.

    `works` are importable functions with their arguments. Gives names and results as they
    come; whoever stops asking stops the processes too.
    """
    # Imports take longer than many a run: a server does them once, and its children have them.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *{work.func.__module__ for work in works.values()}])
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
        process.join()  # its status is known only then
        return Dead(f"the process ended with status {process.exitcode}; a status of -9 may be want of memory")
    finally:
        result.close()
        process.join()
