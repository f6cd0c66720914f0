"""The endpoint's OpenAPI document, made of the classes that requests are checked with; no route serves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serve.dialects.chat_schema import ChatBody
from serve.dialects.completions_schema import CompletionBody
from serve.dialects.messages_schema import CountBody, MessagesBody
from serve.dialects.responses_schema import ResponsesBody

_BODIES: dict[str, tuple[type[BaseModel], str]] = {
    "/v1/chat/completions": (ChatBody, "Answer a chat."),
    "/v1/completions": (CompletionBody, "Go on with a text."),
    "/v1/messages": (MessagesBody, "Answer a chat in Anthropic's form."),
    "/v1/messages/count_tokens": (CountBody, "Tell how long the prompt of a chat in Anthropic's form is."),
    "/v1/responses": (ResponsesBody, "Answer a chat in the form of Responses."),
}
_REF = "#/components/schemas/{model}"
_ERRORS = {
    400: "The request must be changed; the error says where.",
    401: "There is no valid key, and the server asks for one.",
    403: "The route is not served, or the key's role does not open a field.",
    404: "There is no such model, or no such response.",
    405: "The method is another one.",
    413: "The body is too large.",
    415: "The body is not uncompressed JSON.",
    429: "Too many requests are being answered.",
    500: "The server failed.",
    502: "The model server failed.",
    503: "The request or its answer could not be checked or recorded.",
    504: "The answer took too long.",
}
_TEXT: dict[str, Any] = {"type": "string"}
# Of a stream, the schema is that of each event.
_EVENT = {"type": "object", "properties": {"event": _TEXT, "data": _TEXT}, "required": ["data"]}
_STATUS = {"type": "object", "properties": {"status": _TEXT}, "required": ["status"]}
_CARD = {
    "type": "object",
    "properties": {"id": _TEXT, "object": {"const": "model"}, "created": {"type": "integer"}},
    "required": ["id", "object", "created"],
}
_CARDS = {
    "type": "object",
    "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _CARD}},
    "required": ["object", "data"],
}
_ANSWER = {"type": "object", "properties": {"id": _TEXT, "model": _TEXT}, "required": ["id", "model"]}
_COUNT = {"type": "object", "properties": {"input_tokens": {"type": "integer"}}, "required": ["input_tokens"]}
_DROPPED = {"type": "object", "properties": {"id": _TEXT, "deleted": {"const": True}}, "required": ["id", "deleted"]}


def document(models: Sequence[str] = ()) -> dict[str, Any]:
    """The document in OpenAPI 3.1; where `models` are given, a request can name no other."""
    _, made = models_json_schema([(body, "validation") for body, _ in _BODIES.values()], ref_template=_REF)
    schemas: dict[str, Any] = made["$defs"] | {"Error": _error("error"), "AnthropicError": _error("type", "error")}
    if models:
        for body, _ in _BODIES.values():
            schemas[body.__name__]["properties"]["model"] = {"enum": list(models)}
    paths: dict[str, Any] = {
        "/health": {"get": _told("Whether the model server answers.", _STATUS, 503, schema=_STATUS)},
        "/ready": {"get": _told("Whether a request would be answered.", _STATUS, 503, schema=_STATUS)},
        "/v1/models": {"get": _told("What is served.", _CARDS, 401)},
        "/v1/models/{name}": {"get": _told("One served model.", _CARD, 401, 404) | {"parameters": _named("name")}},
    }
    paths |= {path: {"post": _asked(path, body, says)} for path, (body, says) in _BODIES.items()} | _kept()
    info = {"title": "Lethe", "version": "1", "summary": "An endpoint whose model has forgotten what a policy lists."}
    keys = {"key": {"type": "http", "scheme": "bearer", "description": "Where the server asks for keys."}}
    components = {"schemas": schemas, "securitySchemes": keys}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components, "security": [{}, {"key": []}]}


def _kept() -> dict[str, Any]:
    """The routes of kept responses."""
    errors = (400, 401, 404, 503)
    one = {
        "parameters": _named("response_id"),
        "get": _told("A kept response.", _ANSWER, *errors),
        "delete": _told("Keep a response no longer.", _DROPPED, *errors),
    }
    cancel = {"parameters": one["parameters"], "post": _told("Nothing can be cancelled here.", _ANSWER, *errors)}
    return {"/v1/responses/{response_id}": one, "/v1/responses/{response_id}/cancel": cancel}


def _named(parameter: str) -> list[dict[str, Any]]:
    return [{"name": parameter, "in": "path", "required": True, "schema": _TEXT}]


def _asked(path: str, body: type[BaseModel], says: str) -> dict[str, Any]:
    asked = {"required": True, "content": {"application/json": {"schema": {"$ref": _REF.format(model=body.__name__)}}}}
    schema = {"$ref": _REF.format(model="AnthropicError" if issubclass(body, MessagesBody) else "Error")}
    answer = _COUNT if body is CountBody else _ANSWER
    told = _told(says, answer, *_ERRORS, schema=schema) | {"requestBody": asked, "operationId": path.strip("/")}
    if body is not CountBody:
        told["responses"]["200"]["content"]["text/event-stream"] = {"schema": _EVENT}
    return told


def _told(says: str, answer: dict[str, Any], *errors: int, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    schema = schema or {"$ref": _REF.format(model="Error")}
    responses = {"200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}}}
    for status in errors:
        responses[str(status)] = {
            "description": _ERRORS[status],
            "content": {"application/json": {"schema": schema}},
        }
    return {"summary": says, "responses": responses}


def _error(*required: str) -> dict[str, Any]:
    """An error of OpenAI's form, or of Anthropic's, which tells its own type beside it."""
    error = {"type": "object", "properties": {"message": _TEXT, "type": _TEXT}, "required": ["message", "type"]}
    return {"type": "object", "properties": {"type": _TEXT, "error": error}, "required": list(required)}
