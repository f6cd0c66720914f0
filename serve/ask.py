"""Asks a served model for questions about the topics that a policy gives no examples of."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from guard.errors import ConfigError
from guard.paths import state_dir
from guard.policy import Policy, Topic

_ANGLES = (
    "its people and names",
    "its places and dates",
    "its works, events and results",
    "details that only somebody who knows it well would ask for, without using its name",
    "its reception, its influence and comparisons with others",
)
_REQUEST = (
    "Write {count} different questions that a user might ask about the following subject: {subject}\n"
    "Ask about {angle}. One question a line, no numbers, no answers."
)
_COUNT = 20
_MOST, _LONGEST = 100, 300
_SECONDS = 60.0


def ask_questions(policy: Policy, *, url: str, model: str) -> dict[str, list[str]]:
    """Questions by topic, for topics without examples, from any OpenAI-compatible endpoint; LETHE_ASK_KEY is its key.

    Answers are kept in the state folder, so that a second fit sees the same.

    Raises:
        ConfigError: the endpoint cannot be reached, refuses, is too slow, or writes no question.
    """
    out: dict[str, list[str]] = {}
    for topic in policy.topics:
        if topic.examples is None:
            cache = _cache(topic, url, model)
            if not cache.exists():
                _keep(cache, asyncio.run(_ask(topic, url, model)))
            out[topic.name] = json.loads(cache.read_text(encoding="utf-8"))
    return out


def questions_in(texts: Sequence[str]) -> list[str]:
    """The questions among a model's lines, without numbers and bullets, each once."""
    lines = [re.sub(r"^\W*\d*[.):]?\s*", "", line).strip() for text in texts for line in text.splitlines()]
    kept = [line for line in lines if len(line.split()) >= 3 and len(line) <= _LONGEST and line.endswith("?")]
    return list(dict.fromkeys(kept))[:_MOST]


def _cache(topic: Topic, url: str, model: str) -> Path:
    parts = [url, model, topic.name, topic.description, *topic.aliases, _REQUEST, *_ANGLES]
    return state_dir() / "asked" / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json"


def _keep(path: Path, questions: list[str]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        json.dump(questions, file, ensure_ascii=False)
    Path(file.name).rename(path)


async def _ask(topic: Topic, url: str, model: str) -> list[str]:
    subject = "; ".join([*([topic.description] if topic.description else []), *topic.aliases])
    key = os.environ.get("LETHE_ASK_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session:
            texts = [await _one(session, url, model, subject, angle) for angle in _ANGLES]
    except TimeoutError as error:
        raise ConfigError(
            f"{url} took more than {_SECONDS:.0f} seconds for one answer; try later, or without --ask"
        ) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise ConfigError(f"cannot ask the model at {url} ({error}); check --ask and --ask-model") from error
    found = questions_in(texts)
    if not found:
        raise ConfigError(f"the model {model!r} at {url} wrote no question; name a more able one, or leave --ask out")
    return found


async def _one(session: aiohttp.ClientSession, url: str, model: str, subject: str, angle: str) -> str:
    prompt = _REQUEST.format(count=_COUNT, subject=subject, angle=angle)
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "seed": 0,
        "max_tokens": 1024,
    }
    base = url.rstrip("/").removesuffix("/v1")
    async with session.post(f"{base}/v1/chat/completions", json=body) as response:
        if response.status != 200:
            raise ConfigError(
                f"{url} answered with status {response.status}: {(await response.text())[:200]}; check --ask-model"
            )
        return _content(await response.json(content_type=None))


def _content(answer: Any) -> str:
    try:
        return str(answer["choices"][0]["message"]["content"] or "")
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the answer has no message: {str(answer)[:100]}") from error
