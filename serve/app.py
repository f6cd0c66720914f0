"""The endpoint's routes: health and models here, the rest through the guard, which denies what it cannot read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.types import ASGIApp

from guard.errors import RequestError
from serve.model_server import ModelServer
from serve.replies import error_body

# Some load balancers ask for the head alone.
_PROBED = ["GET", "HEAD"]


@dataclass(frozen=True)
class ModelCard:
    """What /v1/models tells of a served model."""

    name: str
    created: int
    context: int | None

    def fields(self) -> dict[str, Any]:
        """The entry in OpenAI's form."""
        card = {"id": self.name, "object": "model", "created": self.created, "owned_by": "vllm"}
        return card if self.context is None else card | {"max_model_len": self.context}


def build_app(
    guard: ASGIApp, upstream: ModelServer, cards: Sequence[ModelCard], ready: Callable[[], Awaitable[bool]]
) -> FastAPI:
    """Put the routes together; `upstream` must be open while the app serves."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)

    @app.api_route("/health", methods=_PROBED)
    async def health() -> JSONResponse:
        well = await upstream.healthy()
        return JSONResponse({"status": "ok" if well else "the model server does not answer"}, 200 if well else 503)

    @app.api_route("/ready", methods=_PROBED)
    async def readiness() -> JSONResponse:
        well = await ready()
        return JSONResponse({"status": "ready" if well else "not ready"}, 200 if well else 503)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [card.fields() for card in cards]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        for card in cards:
            if card.name == name:
                return card.fields()
        raise RequestError(404, f"there is no model {name!r} here", code="model_not_found", param="model")

    @app.exception_handler(RequestError)
    async def refused(_: Request, error: RequestError) -> JSONResponse:
        return JSONResponse(error_body(error), error.status)

    app.mount("", guard)
    return app
