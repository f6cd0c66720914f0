"""Makes the arms of an experiment from the guard's parts, and proves that nobody can tell them apart by their form."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Set
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from guard.errors import ConfigError, EngineError
from guard.secret import load_secret
from guard.types import Conversation, Grounds, Pass, Plan
from serve.arms.outcomes import Outcomes
from serve.arms.renamed import Renamed
from serve.arms.schema import AdapterArm, Arm, Experiment, GuardArm, UpstreamArm
from serve.arms.split import Split
from serve.asgi import Planner
from serve.model_server import ModelServer
from serve.prove import Facts, examine
from serve.upstream import Upstream

# Puts reading and planning of requests in front of what generates.
Fronting = Callable[[ASGIApp, Planner], ASGIApp]


class Unguarded:
    """A planner that lets everything pass; requests are still read, checked and written anew."""

    def plan(self, conversation: Conversation) -> Plan:
        """See `serve.asgi.Planner`."""
        return Pass(grounds=Grounds(action="unguarded"))


class Arms:
    """What the arms of one server have in common: its `facts`, and its way to the engine."""

    def __init__(
        self, facts: Facts, upstream: ModelServer, paths: Set[str], fronting: Fronting, stack: AsyncExitStack
    ) -> None:
        """Answers at `paths` are what arms are told apart by; `stack` closes what is opened for the arms."""
        self._facts = facts
        self._upstream = upstream
        self._paths = paths
        self._fronting = fronting
        self._stack = stack

    async def split(self, experiment: Experiment, guards: Mapping[Path, ASGIApp], own: Path) -> Split:
        """All arms behind one name; `guards` are those of the policies that they name, or of the server's `own`.

        Raises:
            ConfigError: an arm's key is not in the environment, or the outcomes cannot be kept.
            EngineError: an arm's server does not answer, or not in the form of the others.
        """
        apps = {}
        for arm in experiment.arms:
            apps[arm.name] = guards[arm.policy or own] if isinstance(arm, GuardArm) else await self._unguarded(arm)
        split = Split(experiment, apps, self._paths, load_secret(), Outcomes(experiment.experiment))
        return await self._stack.enter_async_context(split)

    async def _unguarded(self, arm: Arm) -> ASGIApp:
        if isinstance(arm, UpstreamArm):
            upstream = await self._stack.enter_async_context(Upstream(url=arm.url, key=_key(arm)))
            try:
                theirs = await examine(upstream, arm.model)
            except EngineError as error:
                raise EngineError(f"the arm {arm.name!r} at {arm.url}: {error}") from error
            _check_alike(arm, self._facts, theirs)
            return self._fronting(self._renamed(upstream, theirs.name), Unguarded())
        if isinstance(arm, AdapterArm):
            return self._fronting(self._renamed(self._upstream, arm.adapter), Unguarded())
        return self._fronting(self._upstream.app, Unguarded())

    def _renamed(self, upstream: ModelServer, there: str) -> Renamed:
        mark = "system_fingerprint"
        told = {"model": self._facts.name, mark: self._facts.shape.whole.get(mark)}
        return Renamed(upstream.app, there, told)


def _key(arm: UpstreamArm) -> str:
    key = os.environ.get(arm.key_env, "") if arm.key_env else ""
    if arm.key_env and not key:
        raise ConfigError(f"the key of the arm {arm.name!r} is to stand in {arm.key_env}, which is not set; set it")
    return key


def _check_alike(arm: UpstreamArm, ours: Facts, theirs: Facts) -> None:
    told = f"callers could tell the arm {arm.name!r} at {arm.url} from the others"
    # An adapter's card does not tell it.
    if theirs.context not in (None, ours.context):
        lengths = f"its context has {theirs.context} tokens, theirs {ours.context}"
        raise EngineError(f"{told}: {lengths}; start it with --max-model-len {ours.context}")
    for kind in ("whole", "first", "middle", "last", "end", "usage"):
        if _fields(getattr(theirs.shape, kind)) != _fields(getattr(ours.shape, kind)):
            raise EngineError(f"{told}: its answers have other fields; serve it with the same version of vLLM")
    if theirs.shape.whole["usage"]["prompt_tokens"] != ours.shape.whole["usage"]["prompt_tokens"]:
        raise EngineError(f"{told}: it makes another prompt of the same messages; it needs the same chat template")


def _fields(value: Any) -> Any:
    """The value with its leaves taken out, but for what is null: a sample may differ in what it says only."""
    if isinstance(value, dict):
        return {name: _fields(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_fields(item) for item in value[:1]]
    return value is None
