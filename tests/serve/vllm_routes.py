"""All routes that the installed vLLM can have, read from its source: those behind flags too, and without an engine."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

_METHODS = frozenset(("get", "post", "put", "patch", "delete", "head", "options", "websocket"))
_ADDING = frozenset(("add_api_route", "add_route", "add_websocket_route", "api_route", "mount"))
# What is mounted, or added at a path that stands elsewhere in the source.
_KNOWN = {
    ("serve/instrumentator/offline_docs.py", "app.swagger_ui_oauth2_redirect_url"): (),
    ("serve/instrumentator/offline_docs.py", "'/static'"): (("GET", "/static/x"),),
    # Stand-ins that say what is switched off.
    ("scale_out/factories.py", "route.path"): (),
}


def routes() -> set[tuple[str, str]]:
    """(method, path) of every route; the method of a websocket is WEBSOCKET."""
    found = importlib.util.find_spec("vllm")
    assert found is not None
    assert found.origin is not None
    root = Path(found.origin).parent
    made = {
        route
        for path in sorted((root / "entrypoints").rglob("*.py"))
        for route in _routes(path, path.relative_to(root / "entrypoints").as_posix())
    }
    # FastAPI's own, and Prometheus' application.
    return made | {("GET", path) for path in ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc", "/metrics")}


def _routes(path: Path, name: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in node.decorator_list:
                # `@app.exception_handler(...)` and the like have other names.
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
                    yield from _at(call, [call.func.attr], name)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ADDING:
            given = {word.arg: word.value for word in node.keywords}
            methods = ast.literal_eval(given["methods"]) if _plain(given.get("methods")) else ["?"]
            yield from _at(node, methods, name)


def _at(call: ast.Call, methods: list[str], name: str) -> Iterator[tuple[str, str]]:
    path = next((word.value for word in call.keywords if word.arg == "path"), call.args[0] if call.args else None)
    assert path is not None, f"{name}:{call.lineno}: a route without a path"
    known = _KNOWN.get((name, ast.unparse(path)))
    if known is not None:
        yield from known
        return
    assert isinstance(path, ast.Constant), f"{name}:{call.lineno}: which path is {ast.unparse(path)}?"
    assert "?" not in methods, f"{name}:{call.lineno}: which methods has {path.value}?"
    yield from ((method.upper(), str(path.value)) for method in methods)


def _plain(node: ast.expr | None) -> bool:
    return isinstance(node, ast.List | ast.Tuple) and all(isinstance(item, ast.Constant) for item in node.elts)
