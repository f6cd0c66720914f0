"""A chat dialect that needs no model server: the form of its answers is written here, as vLLM 0.32 writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from streams import chunk, usage_event, whole

from serve.dialects.chat import ChatDialect
from serve.dialects.chat_answer import ChatShape
from serve.model_text import ModelText


@pytest.fixture(scope="session")
def dialect(checkpoint: Path) -> ChatDialect:
    end = chunk("", finish="stop") | {"system_fingerprint": "vllm-1"}
    shape = ChatShape(whole("x"), chunk("", role=True), chunk("x"), chunk("", finish="stop"), end, usage_event(1, 1))
    return ChatDialect(("m",), 128, ModelText.from_checkpoint(str(checkpoint)), shape)
