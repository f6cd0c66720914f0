"""The table of fields in docs/dialects.md says what is really taken, and leaves out none of vLLM's."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from guard.errors import RequestError
from serve.dialects import chat_schema, completions_schema, messages_schema, responses_schema

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"
ROW = re.compile(r"^\| (`[^|]+`) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", re.MULTILINE)
TAKEN = {"guarded", "constrained", "passed", "kept"}
DIALECTS: list[tuple[Any, Any, dict[str, Any], str, str]] = [
    (chat_schema, chat_schema.ChatBody, {"model": "m", "messages": [{"role": "user", "content": "x"}]},
     "openai/chat_completion/protocol.py", "ChatCompletionRequest"),
    (completions_schema, completions_schema.CompletionBody, {"model": "m", "prompt": "x"},
     "openai/completion/protocol.py", "CompletionRequest"),
    (messages_schema, messages_schema.MessagesBody,
     {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]},
     "anthropic/protocol.py", "AnthropicMessagesRequest"),
    (responses_schema, responses_schema.ResponsesBody, {"model": "m", "input": "x"},
     "openai/responses/protocol.py", "ResponsesRequest"),
]  # fmt: skip


def told(column: int) -> dict[str, str]:
    """What the page says of every field of a dialect."""
    rows = [(re.findall("`([^`]+)`", row[0]), row[column + 1]) for row in ROW.findall(PAGE.read_text("utf-8"))]
    named = [name for names, _ in rows for name in names]
    assert len(named) == len(set(named)) > 80
    return {name: what for names, what in rows for name in names}


def engines_own(path: str, form: str) -> set[str]:
    """The fields of a request of vLLM's, read from its source."""
    found = importlib.util.find_spec("vllm")
    assert found is not None
    assert found.origin is not None
    tree = ast.parse((Path(found.origin).parent / "entrypoints" / path).read_text(encoding="utf-8"))
    (body,) = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == form]
    names = [node.target.id for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("number", range(4), ids=["chat", "completions", "messages", "responses"])
def test_the_table_is_that_of_the_schema(number: int) -> None:
    schema, form, _, path, name = DIALECTS[number]
    fields = told(number)
    assert {field for field, what in fields.items() if what in TAKEN} == set(form.model_fields)
    refused = {field for field, what in fields.items() if what == "refused"}
    assert refused >= schema._LATER
    assert {field for field, what in fields.items() if what != "-"} >= engines_own(path, name)


@pytest.mark.parametrize("number", range(4), ids=["chat", "completions", "messages", "responses"])
def test_what_the_table_refuses_is_refused_by_name(number: int) -> None:
    schema, _, body, _, _ = DIALECTS[number]
    schema.parse(body)
    for field, what in told(number).items():
        if what not in TAKEN:
            with pytest.raises(RequestError) as caught:
                schema.parse(body | {field: "x"})
            assert (caught.value.status, caught.value.param) == (400, field)
