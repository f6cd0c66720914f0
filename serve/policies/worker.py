"""Adds a topic in a process of its own, behind serving in priority: a request comes in, and JSON lines go out.

    python -m serve.policies.worker < request

The first line read is an `Order`. Each line written is {"stage", "done", "total"}, and the last one {"version"} or
{"error"}. It ends when its standard input does, with whoever started it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from guard.errors import LetheError
from guard.policy import Topic, one_topic
from guard.secret import load_secret

_NICE = 10


class Order(BaseModel):
    """Add a topic, given as a policy writes one, to the versions in `store`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: Path
    by: str
    topic: dict[str, Any]


@contextmanager
def with_examples(order: Order, examples: Sequence[dict[str, str]]) -> Iterator[Order]:
    """The order with a file of these records, if there are any, which lies beside the versions meanwhile.

    Raises:
        OSError: it cannot be written.
    """
    if not examples:
        yield order
        return
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=order.store) as folder:
        path = Path(folder) / "examples.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in examples), encoding="utf-8")
        yield order.model_copy(update={"topic": {**order.topic, "examples": str(path)}})


def ordered_topic(order: Order, retain: Path | None) -> Topic:
    """The topic to add, beside these retain examples.

    Raises:
        ConfigError: names every key that cannot be used.
    """
    given = {"examples": None, **order.topic}
    return one_topic(given.pop("name"), retain=retain, in_body=True, **given).topics[0]


def main() -> None:
    """Do what one order says."""
    os.nice(_NICE)
    order = Order.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_starter, daemon=True).start()
    try:
        _say(version=_add(order))
    except LetheError as error:
        _say(error=str(error))


def _add(order: Order) -> int:
    from serve.policies.change import Changes
    from serve.policies.store import Store

    secret = load_secret()
    store = Store(order.store, secret)
    topic = ordered_topic(order, store.in_force().policy().retain)

    def progress(stage: str, done: int, total: int) -> None:
        _say(stage=stage, done=done, total=total)

    return Changes(store, secret, order.by).add(topic, progress).number


def _end_with_starter() -> None:
    sys.stdin.read()
    os._exit(1)


def _say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()
