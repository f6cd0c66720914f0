"""Puts a server together: policy, classifier, corrupter, engine, and the app in front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
from serve.dialects.base import Dialect
from serve.dialects.chat import ChatDialect
from serve.dialects.completions import CompletionsDialect
from serve.dialects.messages import MessagesDialect
from serve.dialects.responses import ResponsesDialect
from serve.flagged.store import FlaggedStore, flagged_file
from serve.judge import opened
from serve.keys.keyed import Keyed, Keyring
from serve.keys.store import keys_file
from serve.limited import Limited
from serve.metrics import Metrics
from serve.model_server import ModelServer
from serve.monitor import Monitoring
from serve.parts import Parts, make_parts
from serve.policies.live import Live, Serving
from serve.policies.news import PolicyNews
from serve.policies.store import Store
from serve.policies.version import Version
from serve.prove import Facts, examine, prove_divergence, prove_embeds, prove_steering
from serve.ready import Readiness
from serve.recorded import Recorded
from serve.responses.routes import Retrieving
from serve.responses.store import ResponseStore
from serve.settings import Settings
from serve.several import Several
from serve.traces import Traces


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
    chat = _chat(next(iter(parts.values())), facts, names)
    news = PolicyNews(audit, metrics, monitor=settings.monitor)
    store = ResponseStore(secret)
    lives: dict[Path, Live] = {}
    for path, made in parts.items():
        make = _Making(settings, facts, names, upstream, store)
        live = Live(Store.of(path, secret), await make.serving(made), make, news)
        lives[path] = await stack.enter_async_context(_watched(live))
    front: ASGIApp = next(iter(lives.values()))
    if settings.arms is not None:

        def fronting(app: ASGIApp, planner: Planner) -> Guard:
            return _fronted(settings, app, planner, [chat])

        by_arm = lives | ({None: lives[settings.policy]} if settings.policy in lives else {})
        front = await Arms(facts, upstream, chat.path, fronting, stack).split(settings.arms, by_arm)
    else:
        front = Counting(Retrieving(front, store), MessagesDialect(chat), max_body=settings.max_body)
        front = Several(front, max_body=settings.max_body)
    front = Limited(front, most=settings.max_concurrent, seconds=settings.max_seconds)
    traces = Traces.from_environment()
    if traces is not None:
        stack.callback(traces.close)
    flagged = None
    if settings.keep_flagged:
        flagged = FlaggedStore(flagged_file())
        stack.callback(flagged.close)
    front = Recorded(front, audit, metrics, secret, traces=traces, flagged=flagged)
    cards = [ModelCard(name, facts.created, facts.context) for name in names]
    ready = Readiness(upstream, list(lives.values()), audit)
    app: ASGIApp = build_app(front, upstream, cards, ready)
    if settings.keys:
        if settings.arms is None:
            app = await _with_admin(settings, app, next(iter(lives.values())), audit, stack)
        app = Keyed(app, Keyring(keys_file(), secret), metrics)
    return app, facts


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
            dialects = _dialects(self._settings, _chat(parts, self._facts, self._names), self._store)
            guard = _fronted(self._settings, self._upstream.app, planner, dialects, parts.version)
            return Serving(parts, guard, stack.pop_all())


async def _with_admin(settings: Settings, app: ASGIApp, live: Live, audit: AuditLog, stack: AsyncExitStack) -> ASGIApp:
    """`app` with the admin routes; behind arms, which may have several policies, there are none."""

    async def made() -> str | None:
        return await live.refresh(again=True)

    jobs = Jobs(made)
    stack.push_async_callback(jobs.close)
    return Door(app, build_admin(live, jobs), audit, max_body=settings.max_body)


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
    return ChatDialect(tuple(names), facts.context, parts.text, facts.shape, untooled=facts.untooled)


def _dialects(settings: Settings, chat: ChatDialect, store: ResponseStore) -> list[Dialect]:
    """All wire formats; arms are told apart by chats alone."""
    if settings.arms is not None:
        return [chat]
    return [chat, MessagesDialect(chat), CompletionsDialect(chat), ResponsesDialect(chat, store)]


def _fronted(
    settings: Settings, app: ASGIApp, planner: Planner, dialects: Sequence[Dialect], version: str | None = None
) -> Guard:
    return Guard(
        app,
        planner=planner,
        dialects=dialects,
        max_body=settings.max_body,
        plan_timeout=settings.plan_timeout,
        policy=version,
    )
