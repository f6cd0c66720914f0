"""The admin routes: topics, versions of the policy, jobs, and flagged requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from guard.errors import ArtifactError, ConfigError, RequestError
from guard.policy import Topic
from guard.secret import load_secret
from serve.admin.jobs import Jobs
from serve.admin.schema import ExpiryIn, LabelIn, RollbackIn, TopicIn
from serve.caller import caller_of
from serve.flagged.store import FlaggedStore, flagged_file
from serve.policies.change import Changes
from serve.policies.live import Live
from serve.policies.version import Version
from serve.policies.worker import Order
from serve.replies import error_body

_MOST_LISTED = 1000


def build_admin(lives: Mapping[str | None, Live], jobs: Jobs) -> FastAPI:
    """The routes over what is served: the server's own policy is None, the others are called as their profiles are."""
    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, dependencies=[Depends(_known_query)]
    )
    app.state.lives = lives
    _errors(app)
    _topics(app, jobs)
    _versions(app)
    _flagged(app)
    return app


def _asked_of(request: Request, profile: str | None = None) -> Live:
    """The policy that a request is about."""
    live: Live | None = request.app.state.lives.get(profile)
    if live is None:
        arms = "the arms have policies of their own; change them with `lethe topics`, or name a profile"
        told = arms if profile is None else f"there is no profile {profile!r}"
        raise RequestError(404, told, code="profile_not_found", param="profile")
    return live


def _known_query(request: Request) -> None:
    """A filter that is not there would be taken for one that lets all through."""
    dependant = request.scope["route"].dependant
    known = {one.alias for one in get_flat_dependant(dependant).query_params}
    if unknown := sorted(set(request.query_params) - known):
        raise RequestError(400, f"unknown parameter `{unknown[0]}`", code="unknown_parameter", param=unknown[0])


_Asked = Annotated[Live, Depends(_asked_of)]


def _topics(app: FastAPI, jobs: Jobs) -> None:
    @app.get("/admin/topics")
    async def topics(live: _Asked) -> dict[str, Any]:
        version = await asyncio.to_thread(live.store.in_force)
        policy = await asyncio.to_thread(version.policy)
        enforced = {topic.name for topic in live.serving.parts.policy.topics}
        data = [_topic(topic, topic.name in enforced) for topic in policy.topics]
        return {"object": "list", "version": version.number, "data": data}

    @app.post("/admin/topics", status_code=202)
    async def add(topic: TopicIn, request: Request, live: _Asked) -> JSONResponse:
        records = [example.model_dump(exclude_none=True) for example in topic.examples]
        order = Order(store=live.store.folder, by=_by(request), topic=topic.written())
        policy = await asyncio.to_thread(lambda: live.store.in_force().policy())
        job = jobs.start(order, records, policy, live.take)
        return JSONResponse(job.fields(), 202, {"location": f"/admin/jobs/{job.id}"})

    @app.get("/admin/jobs/{job_id}")
    async def job(job_id: str) -> dict[str, Any]:
        return jobs.find(job_id).fields()

    @app.delete("/admin/topics/{name:path}")
    async def revoke(name: str, request: Request, live: _Asked) -> dict[str, Any]:
        await _known(live, name)
        return await _changed(live, request, lambda changes: changes.revoke(name))

    @app.put("/admin/topics/{name:path}/expiry")
    async def expire(name: str, body: ExpiryIn, request: Request, live: _Asked) -> dict[str, Any]:
        await _known(live, name)
        return await _changed(live, request, lambda changes: changes.expire(name, body.expires))


def _versions(app: FastAPI) -> None:
    @app.get("/admin/policy/versions")
    async def versions(live: _Asked) -> dict[str, Any]:
        refused = await live.refresh()
        found = await asyncio.to_thread(live.store.versions)
        serving = live.serving.parts
        return {
            "object": "list",
            "in_force": await asyncio.to_thread(live.store.pointer),
            "serving": {"version": serving.number, "policy": serving.version, "refused": refused},
            "data": [_version(version) for version in found],
        }

    @app.post("/admin/policy/rollback")
    async def rollback(body: RollbackIn, request: Request, live: _Asked) -> dict[str, Any]:
        if not await asyncio.to_thread(live.store.has, body.version):
            told = f"there is no version {body.version}; GET /admin/policy/versions lists them"
            raise RequestError(404, told, code="version_not_found", param="version")
        return await _changed(live, request, lambda changes: changes.rollback(body.version))


def _flagged(app: FastAPI) -> None:
    @app.get("/admin/flagged")
    async def flagged(
        unlabelled: bool = False, limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100
    ) -> dict[str, Any]:
        rows = await asyncio.to_thread(lambda: FlaggedStore(flagged_file()).rows())
        chosen = [row for row in rows if row.label is None or not unlabelled]
        return {"object": "list", "data": [row.fields() for row in chosen[-limit:]], "total": len(chosen)}

    @app.put("/admin/flagged/{request_id}")
    async def label(request_id: str, body: LabelIn) -> dict[str, Any]:
        store = await asyncio.to_thread(FlaggedStore, flagged_file())
        if not await asyncio.to_thread(store.label, request_id, body.label == "yes"):
            raise RequestError(404, f"no flagged request {request_id!r} is kept", code="request_not_found")
        return {"id": request_id, "label": body.label}


def _errors(app: FastAPI) -> None:
    @app.exception_handler(RequestError)
    async def refused(_: Request, error: RequestError) -> JSONResponse:
        return JSONResponse(error_body(error), error.status)

    @app.exception_handler(ConfigError)
    @app.exception_handler(ArtifactError)
    async def unusable(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse(error_body(RequestError(409, str(error), code="refused")), 409)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"][1:])) or None
        where = f"`{path}`: " if path else ""
        if first["type"] == "json_invalid":
            path, where = None, "the body is not valid JSON: "
        told = RequestError(400, where + first["msg"].removeprefix("Value error, "), code="invalid_value", param=path)
        return JSONResponse(error_body(told), 400)

    @app.exception_handler(HTTPException)
    async def missing(request: Request, error: HTTPException) -> JSONResponse:
        path = request.url.path
        told = RequestError(error.status_code, f"{request.method} {path} is not served", code="route_not_served")
        # The framework names those of the first route alone.
        takes = {
            one
            for route in app.routes
            if isinstance(route, APIRoute) and route.path_regex.match(path)
            for one in route.methods
        }
        headers = {"allow": ", ".join(sorted(takes))} if error.status_code == 405 else None
        return JSONResponse(error_body(told), error.status_code, headers)


async def _known(live: Live, name: str) -> None:
    policy = await asyncio.to_thread(lambda: live.store.in_force().policy())
    if policy.topic(name) is None:
        raise RequestError(404, f"there is no topic {name!r}", code="topic_not_found")


async def _changed(live: Live, request: Request, change: Callable[[Changes], Version]) -> dict[str, Any]:
    """Make a version, and serve it before this is answered."""
    changes = Changes(live.store, load_secret(), _by(request))
    version = await asyncio.to_thread(change, changes)
    refused = await live.take(version.number)
    if refused is not None:
        raise ConfigError(f"this server cannot serve that, and nothing is changed: {refused}")
    return _version(version)


def _by(request: Request) -> str:
    caller = caller_of(request.scope)
    return caller.id if caller else "admin"


def _topic(topic: Topic, enforced: bool) -> dict[str, Any]:
    told = topic.model_dump(mode="json", by_alias=True, exclude={"examples"})
    return told | {"enforced": enforced}


def _version(version: Version) -> dict[str, Any]:
    record = version.record
    return {
        "version": version.number,
        "made": record.made,
        "by": record.by,
        "change": record.change,
        "what": record.what,
    }
