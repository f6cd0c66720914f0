"""Questions put to one endpoint, every answer or failure kept as it comes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.answers import Answer, AnswerStore
from eval.engines.endpoint import EndpointClient, EndpointError
from guard.errors import EngineError
from guard.types import Message

# A question as a lone user turn, or all turns.
Prompt = str | tuple[Message, ...]


@dataclass(frozen=True)
class Asking:
    """Whom to ask and how; `concurrency` is the number of questions in flight."""

    url: str
    max_tokens: int
    concurrency: int
    timeout_s: float


def written(prompt: Prompt) -> str:
    """What the answer to a prompt is filed under: the question itself, or the turns as JSON."""
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1 and prompt[0].role == "user":
        return prompt[0].text
    return json.dumps([[turn.role, turn.text] for turn in prompt])


async def ask_all(
    asking: Asking, system: str, questions: Sequence[Prompt], store: AnswerStore, on_done: Callable[[], None]
) -> None:
    """Ask the first model at the address, as `system`; what cannot be answered is kept with its reason.

    Raises:
        EngineError: the endpoint lists no model.
    """

    def keep(answer: Answer) -> None:
        store.add(answer)
        on_done()

    async with EndpointClient(asking.url, concurrency=asking.concurrency, timeout_s=asking.timeout_s) as client:
        try:
            model = await client.first_model()
        except EndpointError as error:
            told = f"{system} at {asking.url} does not list its model ({error}); is the address right?"
            raise EngineError(told) from error
        started = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    group.create_task(_ask(client, system, model, question, asking.max_tokens, keep))
        finally:
            store.add_seconds(system, time.perf_counter() - started)


async def _ask(
    client: EndpointClient, system: str, model: str, question: Prompt, max_tokens: int, keep: Callable[[Answer], None]
) -> None:
    try:
        reply = await client.ask(question, model=model, max_tokens=max_tokens)
    except EndpointError as error:
        keep(Answer(system, written(question), None, None, error.attempts, reason=error.reason, detail=error.detail))
        return
    keep(Answer(system, written(question), reply.text, reply.seconds, reply.attempts, reply.finish_reason))
