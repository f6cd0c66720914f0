"""Puts a server together: policy, classifier, corrupter, engine, and the app in front."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from classifiers.answers import AnswerReader
from classifiers.artifact import seal
from classifiers.detector import load_detector
from classifiers.exemplars import IndexedExemplars
from classifiers.fit import ensure_artifact
from classifiers.protect import learn_protected
from guard.act.corrupt import Corrupter
from guard.embeds import EmbeddingTable
from guard.errors import ConfigError
from guard.lookalikes import plain_letter
from guard.output.protected import Protected
from guard.pipeline import Pipeline
from guard.policy import CorruptAction, IculAction, Policy
from guard.prompt import Renderer
from guard.secret import digest, load_secret
from guard.types import Detector, Exemplars, Reader
from serve.app import ModelCard, build_app
from serve.arms.build import Arms
from serve.asgi import Guard, Planner
from serve.audit.log import AuditLog, audit_folder
from serve.dialects.base import Dialect
from serve.dialects.chat import ChatDialect
from serve.dialects.completions import CompletionsDialect
from serve.dialects.messages import MessagesDialect
from serve.judge import opened
from serve.keys.keyed import Keyed, Keyring
from serve.keys.store import keys_file
from serve.limited import Limited
from serve.metrics import Metrics
from serve.model_text import ModelText
from serve.prove import Facts, examine, prove_embeds, prove_steering
from serve.ready import Readiness
from serve.recorded import Recorded
from serve.settings import Settings
from serve.upstream import ReverseProxy, Upstream


@dataclass(frozen=True)
class Parts:
    """What can be made while the engine still loads."""

    policy: Policy
    version: str
    detector: Detector
    text: ModelText
    corrupter: Corrupter | None
    protected: Protected
    exemplars: Exemplars | None
    readers: tuple[Reader, ...]


def make_parts(settings: Settings, policy: Policy) -> Parts:
    """Fit or load the classifier, learn what answers may not say, read the checkpoint's tokenizer and embeddings.

    Raises:
        ArtifactError: the artifact is damaged or made for something else.
        ConfigError: an action asks for more dimensions than the model's embeddings have, or for exemplars that the
            policy's files do not hold; or what the policy protects is retained as well.
        EngineError: the checkpoint lacks what the policy needs.
    """
    secret = load_secret()
    protected = learn_protected(policy)
    # Reads the table of look-alikes now, and not when the first Greek letter of an answer comes, in the event loop.
    plain_letter("\u03b1")
    artifact = ensure_artifact(policy, secret=secret, out=settings.artifact)
    detector = load_detector(artifact, policy=policy, secret=secret)
    text = ModelText.from_checkpoint(settings.model)
    actions = [action for topic in policy.topics for action in topic.actions]
    shows = any(isinstance(action, IculAction) for action in actions)
    exemplars = IndexedExemplars(detector.neighbours, detector.encoder, policy, secret=secret) if shows else None
    corrupter = None
    if policy.corrupts:
        table = EmbeddingTable.from_checkpoint(settings.model)
        _check_dimensions(policy, table.hidden)
        corrupter = Corrupter(Renderer(text.tokenizer), table, secret=secret)
    classified = any(topic.output.classify for topic in policy.topics)
    readers = (AnswerReader(detector, policy),) if classified else ()
    return Parts(policy, _version(policy, artifact, secret), detector, text, corrupter, protected, exemplars, readers)


def _version(policy: Policy, artifact: Path, secret: bytes) -> str:
    """What stands for all that decides: the policy, and the classifier with the examples that it was fitted to."""
    # Where the files lie is of no account; what is in them the artifact's seal covers.
    told = policy.model_dump(mode="json", exclude={"retain"})
    for topic in told["topics"]:
        del topic["examples"]
    text = json.dumps(told)
    return digest(secret, b"policy version", text.encode(), seal(artifact)).hex()[:16]


def _check_dimensions(policy: Policy, hidden: int) -> None:
    asked = [(t.name, a.dimensions) for t in policy.topics for a in t.actions if isinstance(a, CorruptAction)]
    for name, dimensions in asked:
        if dimensions is not None and dimensions > hidden:
            raise ConfigError(
                f"the topic {name!r} corrupts {dimensions} dimensions, but the model's embeddings have {hidden}; "
                "give fewer, or leave `dimensions` out to change them all"
            )


async def make_app(
    settings: Settings, parts: Mapping[Path, Parts], upstream: Upstream, stack: AsyncExitStack, metrics: Metrics
) -> tuple[ASGIApp, Facts]:
    """Examine the model server and put the guard in front of it, or the arms, where there are some.

    `parts` are those of each policy of `settings`; `stack` closes what is opened for them.

    Raises:
        ConfigError: the environment lacks the key of a judge or an arm, or outcomes or the audit log cannot be kept.
        EngineError: the server, or an arm's, does not do what the policy needs.
    """
    facts = await examine(upstream, settings.served_name, settings.models_beside)
    names = (facts.name, *settings.adapter_models)
    guards = {path: await _guard(settings, made, facts, names, upstream, stack) for path, made in parts.items()}
    front: ASGIApp = next(iter(guards.values()))
    secret = load_secret()
    audit = AuditLog(audit_folder(), secret)
    stack.callback(audit.close)
    if settings.arms is not None:
        chat = _chat(next(iter(parts.values())), facts, names)

        def fronting(app: ASGIApp, planner: Planner) -> Guard:
            return _fronted(settings, app, planner, chat)

        by_arm = guards | ({None: guards[settings.policy]} if settings.policy in guards else {})
        front = await Arms(facts, upstream, chat.path, fronting, stack).split(settings.arms, by_arm)
    for made in parts.values():
        metrics.know(topic.name for topic in made.policy.topics)
    front = Limited(front, most=settings.max_concurrent, seconds=settings.max_seconds)
    front = Recorded(front, audit, metrics, secret)
    cards = [ModelCard(name, facts.created, facts.context) for name in names]
    ready = Readiness(upstream, [made.detector for made in parts.values()], audit)
    app: ASGIApp = build_app(front, upstream, cards, ready)
    if settings.keys:
        app = Keyed(app, Keyring(keys_file(), secret), metrics)
    return app, facts


async def _guard(
    settings: Settings, parts: Parts, facts: Facts, names: Sequence[str], upstream: Upstream, stack: AsyncExitStack
) -> Guard:
    if parts.corrupter is not None:
        for name in names:
            await prove_embeds(upstream, facts, parts.corrupter, name)
    if parts.policy.decodes:
        await prove_steering(upstream, facts)
    judge = await stack.enter_async_context(opened(parts.policy))
    planner = Pipeline(
        parts.policy,
        parts.detector,
        parts.corrupter,
        parts.protected,
        exemplars=parts.exemplars,
        readers=(*parts.readers, *([judge] if judge else ())),
    )
    return _fronted(settings, ReverseProxy(upstream), planner, _chat(parts, facts, names), parts.version)


def _chat(parts: Parts, facts: Facts, names: Sequence[str]) -> ChatDialect:
    return ChatDialect(tuple(names), facts.context, parts.text, facts.shape)


def _dialects(settings: Settings, chat: ChatDialect) -> list[Dialect]:
    """All wire formats; arms are told apart by chats alone."""
    return [chat] if settings.arms is not None else [chat, MessagesDialect(chat), CompletionsDialect(chat)]


def _fronted(
    settings: Settings, app: ASGIApp, planner: Planner, chat: ChatDialect, version: str | None = None
) -> Guard:
    return Guard(
        app,
        planner=planner,
        dialects=_dialects(settings, chat),
        max_body=settings.max_body,
        plan_timeout=settings.plan_timeout,
        policy=version,
    )
