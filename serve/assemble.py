"""Puts a server together: policy, classifier, corrupter, engine, and the app in front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp

from guard.act.corrupt import Corrupter
from guard.pipeline import Pipeline
from guard.secret import load_secret
from serve.admin.app import build_admin
from serve.admin.door import Door
from serve.admin.jobs import Jobs
from serve.app import ModelCard, build_app
from serve.arms.build import Arms
from serve.asgi import Guard, Planner
from serve.audit.log import AuditLog, audit_folder
from serve.counting import Counting
from serve.dialects.chat import ChatDialect
from serve.dialects.completions import CompletionsDialect
from serve.dialects.messages import MessagesDialect
from serve.dialects.responses import ResponsesDialect
from serve.flagged.store import FlaggedStore, flagged_file
from serve.judge import opened
from serve.keys.keyed import Keyed, Keyring
from serve.keys.limited import LimitedKeys
from serve.keys.store import keys_file, read_keys
from serve.limited import Limited
from serve.metrics import Metrics
from serve.model_server import ModelServer
from serve.monitor import Monitoring
from serve.parts import Parts, make_parts
from serve.policies.live import Live, Serving
from serve.policies.news import PolicyNews
from serve.policies.store import Store
from serve.policies.version import Version
from serve.profiles import Profiled, tell_absent
from serve.prove import Facts, examine, prove_divergence, prove_embeds, prove_steering
from serve.ready import Readiness
from serve.recorded import Recorded
from serve.responses.routes import Retrieving
from serve.responses.store import ResponseStore
from serve.settings import Settings
from serve.several import Several
from serve.traces import Traces

# What is asked here is answered by a model.
GENERATING = frozenset(one.path for one in (ChatDialect, MessagesDialect, CompletionsDialect, ResponsesDialect))


async def make_app(
    settings: Settings, parts: Mapping[Path, Parts], upstream: ModelServer, stack: AsyncExitStack, metrics: Metrics
) -> tuple[ASGIApp, Facts]:
    """Examine the model server and put the guard in front of it, or the arms, where there are some.

    `parts` are those of each policy of `settings`; `stack` closes what is opened for them.

    Raises:
        ConfigError: the environment lacks the key of a judge or an arm, or outcomes or the audit log cannot be kept.
        EngineError: the server, or an arm's, does not do what the policy needs.
    """
    facts = await examine(upstream, settings.served_name, settings.models_beside)
    names = (facts.name, *settings.adapter_models)
    secret = load_secret()
    audit = AuditLog(audit_folder(), secret)
    stack.callback(audit.close)
    news = PolicyNews(audit, metrics, monitor=settings.monitor)
    make = _Making(settings, facts, names, upstream, ResponseStore(secret))
    lives = await _lives(make, parts, news, stack)
    front: ASGIApp = next(iter(lives.values()))
    if settings.arms is not None:
        fronting = partial(make.fronted, _chat(next(iter(parts.values())), facts, names))
        front = await Arms(facts, upstream, GENERATING, fronting, stack).split(settings.arms, lives, settings.policy)
    profiles = {name: lives[path] for name, path in settings.profiles.items()}
    front = Limited(Profiled(front, profiles), most=settings.max_concurrent, seconds=settings.max_seconds)
    front = _recorded(settings, LimitedKeys(front), audit, metrics, stack)
    cards = [ModelCard(name, facts.created, facts.context) for name in names]
    ready = Readiness(upstream, list(lives.values()), audit)
    app: ASGIApp = build_app(front, upstream, cards, ready)
    if settings.keys:
        tell_absent(read_keys(keys_file()), profiles)
        app = Keyed(await _with_admin(settings, app, lives, audit, stack), Keyring(keys_file(), secret), metrics)
    return app, facts


def _recorded(settings: Settings, app: ASGIApp, audit: AuditLog, metrics: Metrics, stack: AsyncExitStack) -> Recorded:
    traces = Traces.from_environment()
    if traces is not None:
        stack.callback(traces.close)
    flagged = None
    if settings.keep_flagged:
        flagged = FlaggedStore(flagged_file())
        stack.callback(flagged.close)
    return Recorded(app, audit, metrics, load_secret(), traces=traces, flagged=flagged)


async def _with_admin(
    settings: Settings, app: ASGIApp, lives: Mapping[Path, Live], audit: AuditLog, stack: AsyncExitStack
) -> ASGIApp:
    """`app` with the admin routes, for the server's own policy (which may be that of no arm) and those of profiles."""
    named: tuple[tuple[str | None, Path], ...] = ((None, settings.policy), *settings.profiles.items())
    admin = build_admin(
        {name: lives[path] for name, path in named if path in lives}, await stack.enter_async_context(Jobs())
    )
    return Door(app, admin, audit, max_body=settings.max_body)


async def _lives(
    make: _Making, parts: Mapping[Path, Parts], news: PolicyNews, stack: AsyncExitStack
) -> dict[Path, Live]:
    """What serves each policy, whose versions are watched until `stack` closes."""
    lives: dict[Path, Live] = {}
    proven: Corrupter | None = None
    for path, made in parts.items():
        live = Live(Store.of(path, load_secret()), await make.serving(made, proven=proven), make, news)
        proven = made.corrupter or proven
        lives[path] = await stack.enter_async_context(_watched(live))
    return lives


class _Making:
    """Makes what serves a version of a policy."""

    def __init__(
        self, settings: Settings, facts: Facts, names: Sequence[str], upstream: ModelServer, store: ResponseStore
    ) -> None:
        self._store = store
        self._settings = settings
        self._facts = facts
        self._names = names
        self._upstream = upstream

    async def __call__(self, version: Version, before: Parts) -> Serving:
        """What serves a version that came in force while the server runs, beside the parts that serve now.

        Raises:
            LetheError: it cannot be served.
        """
        parts = await asyncio.to_thread(make_parts, self._settings, version, before)
        return await self.serving(parts, proven=before.corrupter)

    async def serving(self, parts: Parts, *, proven: Corrupter | None = None) -> Serving:
        """What serves these parts; with what is `proven` the server does what it should.

        Raises:
            ConfigError: the environment lacks the judge's key.
            EngineError: the server does not do what the policy needs.
        """
        if parts.corrupter is not None and parts.corrupter is not proven:
            for name in self._names:
                await prove_embeds(self._upstream, self._facts, parts.corrupter, name)
        if parts.policy.decodes:
            await prove_steering(self._upstream, self._facts)
        if parts.auxiliary is not None:
            await prove_divergence(self._upstream, self._facts, parts.auxiliary)
        async with AsyncExitStack() as stack:
            judge = await stack.enter_async_context(opened(parts.policy))
            planner: Planner = Pipeline(
                parts.policy,
                parts.detector,
                parts.corrupter,
                parts.protected,
                exemplars=parts.exemplars,
                auxiliary=parts.auxiliary,
                readers=(*parts.readers, *([judge] if judge else ())),
            )
            if self._settings.monitor:
                planner = Monitoring(planner)
            chat = _chat(parts, self._facts, self._names)
            return Serving(parts, self.fronted(chat, self._upstream.app, planner, parts.version), stack.pop_all())

    def fronted(self, chat: ChatDialect, app: ASGIApp, planner: Planner, version: str | None = None) -> ASGIApp:
        """All that callers may ask of `app`, in whatever dialect, under one `version` of a policy."""
        most, messages = self._settings.max_body, MessagesDialect(chat)
        guard = Guard(
            app,
            planner=planner,
            dialects=[chat, messages, CompletionsDialect(chat), ResponsesDialect(chat, self._store, version)],
            max_body=most,
            plan_timeout=self._settings.plan_timeout,
            policy=version,
        )
        return Several(Counting(Retrieving(guard, self._store, version), messages, max_body=most), max_body=most)


@asynccontextmanager
async def _watched(live: Live) -> AsyncIterator[Live]:
    watch = asyncio.create_task(live.watch())
    try:
        yield live
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await live.close()


def _chat(parts: Parts, facts: Facts, names: Sequence[str]) -> ChatDialect:
    passes = parts.policy.unreadable == "pass"
    return ChatDialect(
        tuple(names), facts.context, parts.text, facts.shape, untooled=facts.untooled, passes_unread=passes
    )
