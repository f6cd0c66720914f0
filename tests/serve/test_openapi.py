"""The server does what its OpenAPI document says: schemathesis draws requests from it, good and bad, and looks.

LETHE_EXAMPLES=2000 asks that many of each kind, in place of the few that a run of all tests affords.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, reject, settings
from hypothesis.strategies import DrawFn, composite
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.errors import InvalidSchema
from serving import Served
from test_routes import GUARDED, OWN
from typer.testing import CliRunner

from serve.cli import app as cli
from serve.openapi import document

EXAMPLES = int(os.environ.get("LETHE_EXAMPLES", "30"))
DOCUMENT = document(["m"])
GENERATING = sorted(path for path, methods in DOCUMENT["paths"].items() if "requestBody" in methods.get("post", {}))
READING = sorted(path for path, methods in DOCUMENT["paths"].items() if "get" in methods)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
schemathesis.checks.load_all_checks()
# What a schema cannot say: fields that go only together, that 1.0 is no integer, that some part of a text must not be
# empty, what only the tokenizer knows, whose key it is, and which responses are kept.
BESIDE_THE_SCHEMA = re.compile(
    "`stream_options` needs `stream`|`top_logprobs` needs `logprobs`|`logprobs` are told of|"
    "`n` must be 1|control tokens|context is|chat template refuses|half of a surrogate|"
    "should be a valid integer|has no text|needs `content` or `tool_calls`|key of role|there is no response|"
    "not those of their text|`prompt`: (Input should be a valid string|holds texts)|needs one prompt|"
    "ends with a reasoning item"
)
# What only the engine knows is whether it can keep to a form or a tool, or bound thoughts: test_tools_served.py asks.
FORMS = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "structured_outputs")
FORMS += ("output_config", "thinking", "thinking_token_budget", "text")
# Ours is stricter; keys are not asked for here (test_keys.py does); and no route makes or deletes anything.
NOT_HERE = {"positive_data_acceptance", "ignored_auth", "use_after_free", "ensure_resource_availability"}
CHOSEN = [check for check in CHECKS.get_all() if check.__name__ not in NOT_HERE]


@composite
def drawn(draw: DrawFn, path: str, mode: GenerationMode) -> Any:
    """A request to a path; of some bad ones schemathesis finds while it draws them that it cannot."""
    try:
        return draw(SCHEMA[path]["POST"].as_strategy(generation_mode=mode))
    except InvalidSchema:
        reject()


def small(body: Any, *, good: bool) -> Any:
    """The same request, but that an answer that could be asked for is short; the model here is a slow one.

    What a bad one lacks is not given to it.
    """
    if isinstance(body, dict):
        limits = {"n": 2, "max_tokens": 4, "max_completion_tokens": 4, "max_output_tokens": 4}
        body = {k: min(v, limits[k]) if k in limits and type(v) is int else v for k, v in body.items()}
        if good and ("messages" in body or "prompt" in body):
            body.setdefault("max_tokens", 4)
        if good and "input" in body:
            body.setdefault("max_output_tokens", 4)
    return body


def test_the_document_has_every_route_that_is_served_and_no_other() -> None:
    methods = ("get", "post", "delete")
    told = {(one.upper(), path) for path, said in DOCUMENT["paths"].items() for one in said if one in methods}
    assert told == GUARDED | {(method, path.replace("NAME", "{name}")) for method, path in OWN}


def test_the_command_prints_the_document() -> None:
    printed = CliRunner().invoke(cli, ["openapi"])
    assert (printed.exit_code, json.loads(printed.stdout)) == (0, document())


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", GENERATING)
def test_what_is_asked_as_the_document_says_is_answered_as_it_says(
    served: Served, path: str, mode: GenerationMode
) -> None:
    accepted: list[Any] = []

    @given(case=drawn(path, mode))
    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    def ask(case: Any) -> None:
        good = case.meta.generation.mode is GenerationMode.POSITIVE
        case.body = small(case.body, good=good)
        if good and isinstance(case.body, dict):
            case.body = {key: value for key, value in case.body.items() if key not in FORMS}
        reply = case.call(base_url=served.url, timeout=60)
        case.validate_response(reply, checks=CHOSEN)
        if reply.status_code == 200:
            accepted.append(case.body)
        if good:
            assert reply.status_code == 200 or BESIDE_THE_SCHEMA.search(reply.text), reply.text

    ask()
    assert bool(accepted) is (mode is GenerationMode.POSITIVE), accepted


@pytest.mark.parametrize("path", READING)
def test_what_lethe_answers_itself_is_as_the_document_says(served: Served, path: str) -> None:
    @given(case=SCHEMA[path]["GET"].as_strategy())
    @settings(
        max_examples=min(EXAMPLES, 20), derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case: Any) -> None:
        case.validate_response(case.call(base_url=served.url, timeout=60), checks=CHOSEN)

    ask()
