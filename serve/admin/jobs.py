"""Topics that are being added: each fit runs in a process of its own, one at a time."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Literal, Self

from guard.errors import ConfigError, RequestError
from guard.policy import Policy
from serve.policies.change import check_ahead, check_untaken
from serve.policies.worker import Order, ordered_topic, with_examples

# Of those that are done.
_KEPT = 100
_FAILED = "the process ended early; nothing was changed"
# Serves the version that a job made, or says why it cannot be.
Made = Callable[[int], Awaitable[str | None]]


@dataclass
class Job:
    """One fit: where it is, and what came of it."""

    id: str
    topic: str
    state: Literal["running", "done", "failed"] = "running"
    stage: str = "starting"
    done: int = 0
    total: int = 0
    version: int | None = None
    error: str | None = None

    def fields(self) -> dict[str, Any]:
        """As a reply tells it."""
        return {"object": "job", **asdict(self)}


class Jobs:
    """All jobs since the start, an async context manager; leaving it ends one that runs, which changes nothing then."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def start(self, order: Order, examples: Sequence[dict[str, str]], policy: Policy, made: Made) -> Job:
        """Begin to add a topic to a policy; `examples` are records as a file of them holds.

        Raises:
            ConfigError: the name is taken.
            RequestError: 400, naming what is wrong with the topic; 409, one is being added; 503, the disk is full.
        """
        with ExitStack() as stack:
            try:
                whole = stack.enter_context(with_examples(order, examples))
                topic = ordered_topic(whole, policy.retain)
                check_ahead(topic.expires)
            except ConfigError as error:
                raise RequestError(400, str(error), code="invalid_value") from error
            except OSError as error:
                raise RequestError(503, "the examples cannot be written", code="not_served") from error
            check_untaken(topic.name, policy)
            if self._running is not None and not self._running.done():
                raise RequestError(409, "a topic is being added already; wait until that is done", code="busy")
            files = stack.pop_all()
        job = Job(f"job-{secrets.token_hex(4)}", order.topic["name"])
        for old in list(self._jobs)[: max(0, len(self._jobs) - _KEPT + 1)]:
            del self._jobs[old]
        self._jobs[job.id] = job
        self._running = asyncio.create_task(self._run(job, whole, files, made))
        return job

    def find(self, job_id: str) -> Job:
        """A job by its id.

        Raises:
            RequestError: 404; there is none.
        """
        if (job := self._jobs.get(job_id)) is None:
            raise RequestError(404, f"there is no job {job_id!r}", code="job_not_found")
        return job

    async def _run(self, job: Job, order: Order, files: ExitStack, made: Made) -> None:
        try:
            with files:
                told = await self._worked(job, order)
            job.version, job.error = told.get("version"), told.get("error")
            if job.version is None and job.error is None:
                job.error = _FAILED
            if job.version is not None and (refused := await made(job.version)) is not None:
                job.error = f"this server cannot serve that, and nothing is changed: {refused}"
        except OSError as error:
            job.error = f"the process could not be started: {error.strerror}"
        finally:
            job.state = "done" if job.version is not None and job.error is None else "failed"

    async def _worked(self, job: Job, order: Order) -> dict[str, Any]:
        """Let a process do it; returns the last that it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "serve.policies.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        told: dict[str, Any] = {}
        try:
            process.stdin.write(order.model_dump_json().encode() + b"\n")
            async for line in process.stdout:
                told = json.loads(line)
                if "stage" in told:
                    job.stage, job.done, job.total = told["stage"], told["done"], told["total"]
            await process.wait()
            return told if process.returncode == 0 else {"error": _FAILED}
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
