"""The routes: predictions, what balancers and people ask, and the changes that a token allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dlcli.core.errors import DlError
from dlcli.core.version import __version__
from dlcli.serve import admin
from dlcli.serve.access import Access
from dlcli.serve.faults import RefusedError
from dlcli.serve.gate import Gate
from dlcli.serve.inputs import sources_of_request
from dlcli.serve.log import AccessLog
from dlcli.serve.metrics import CONTENT_TYPE
from dlcli.serve.models import Job, Record, Served
from dlcli.serve.openapi import document_of
from dlcli.serve.state import State, json_answer

PAGES = {"": "index.html", "page.css": "page.css", "page.js": "page.js"}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
YES = ("1", "true", "yes")


def build_app(state: State, access: Access, log: AccessLog, max_bytes: int, report: Callable[[str], None]) -> Gate:
    """Return the ASGI application."""
    routes = [
        ("/", _page, ["GET"]),
        ("/page.css", _page, ["GET"]),
        ("/page.js", _page, ["GET"]),
        ("/predict", _predict, ["POST"]),
        ("/models/{name}/predict", _predict, ["POST"]),
        ("/models/{name}/{version}/predict", _predict, ["POST"]),
        ("/health", _health, ["GET"]),
        ("/ready", _ready, ["GET"]),
        ("/metadata", _metadata, ["GET"]),
        ("/openapi.json", _openapi, ["GET"]),
        ("/metrics", _metrics, ["GET"]),
        ("/admin/models/{name}/{version}", admin.load, ["PUT"]),
        ("/admin/models/{name}/{version}", admin.unload, ["DELETE"]),
        ("/admin/traffic", admin.traffic, ["PUT"]),
        ("/admin/reload", admin.reload, ["POST"]),
    ]

    def endpoint(path: str, handler: Any) -> Any:
        async def call(request: Request) -> Response:
            request.scope["facts"].route = path
            answer: Response = await handler(request, state)
            return answer

        return call

    app = Starlette(
        routes=[Route(path, endpoint(path, handler), methods=methods) for path, handler, methods in routes],
        exception_handlers={RefusedError: _refused, HTTPException: _not_found, DlError: _unfit},
    )
    app.router.redirect_slashes = False
    return Gate(app, access, max_bytes, state.timeout_s, state.metrics, log, report)


async def _predict(request: Request, state: State) -> Response:
    facts, path = request.scope["facts"], request.path_params
    served = (
        state.shelf.find(path["name"], path.get("version")) if "name" in path else state.shelf.choose(facts.given_id)
    )
    facts.model, facts.version = served.entry.name, served.entry.version
    sources = await sources_of_request(
        request, served.values, max_inputs=state.max_inputs, max_megapixels=state.max_megapixels
    )
    facts.inputs = len(sources)
    draws = request.query_params.get("draw", "").lower() in YES
    records = await _answers(state, served, [Job(source, draws) for source in sources])
    facts.faults = sum("error" in record for record in records)
    for outcome, number in (("ok", len(records) - facts.faults), ("error", facts.faults)):
        state.metrics.inputs.labels(served.entry.name, served.entry.version, outcome).inc(number)
    document = {
        "schema": "dl.predict/1",
        "model": served.entry.name,
        "version": served.entry.version,
        "records": records,
    }
    return json_answer(document, 422 if facts.faults == len(records) else 200)


async def _answers(state: State, served: Served, jobs: Sequence[Job]) -> list[Record]:
    """Return the records of jobs, in order.

    Raises:
        RefusedError: there is no room for them (503), or they are not ready in time (504).
    """
    futures = state.shelf.submit(served, jobs)
    try:
        async with asyncio.timeout(state.timeout_s):
            return list(await asyncio.gather(*futures))
    except TimeoutError:
        raise RefusedError(
            504, f"no answer within {state.timeout_s:g} seconds", hint="send fewer inputs, or set a larger --timeout"
        ) from None
    finally:
        for future in futures:
            future.cancel()  # what has not begun by now is not computed


async def _health(request: Request, state: State) -> Response:
    del request, state
    return json_answer({"status": "ok"})


async def _ready(request: Request, state: State) -> Response:
    del request
    if state.is_stopping:
        return JSONResponse({"status": "stopping"}, 503, {"Retry-After": "1"})
    return json_answer({"status": "ready", "models": list(state.shelf.all())})


async def _metadata(request: Request, state: State) -> Response:
    del request
    plan = state.shelf.plan
    models = [describe(served) for served in state.shelf.all().values()]
    return json_answer(
        {
            "schema": "dl.serve/1",
            "dlcli": __version__,
            "default": plan.default,
            "shares": dict(plan.shares),
            "models": models,
            "limits": {"inputs": state.max_inputs, "megapixels": state.max_megapixels, "seconds": state.timeout_s},
        }
    )


def describe(served: Served) -> dict[str, Any]:
    """Return what a client may know of a model: what it takes and gives, and nothing of where it lies."""
    codec = served.opened.codec
    labels = vars(codec).get("labels", ())
    return {
        "name": served.entry.name,
        "version": served.entry.version,
        "model": served.opened.name,
        "takes": served.values.kind,
        "input": served.values.schema(),
        "fields": list(codec.fields),
        "listed": codec.listed,
        "labels": list(labels),
    }


async def _openapi(request: Request, state: State) -> Response:
    del request
    return json_answer(document_of([describe(served) for served in state.shelf.all().values()]))


async def _metrics(request: Request, state: State) -> Response:
    del request
    return Response(state.metrics.page(), media_type=CONTENT_TYPE)


async def _page(request: Request, state: State) -> Response:
    del state
    name = PAGES[request.url.path.removeprefix("/")]
    data = files("dlcli.serve").joinpath("page").joinpath(name).read_bytes()
    return Response(data, media_type=TYPES[Path(name).suffix])


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RefusedError)
    return JSONResponse(error.body(), error.status, error.headers)


async def _unfit(request: Request, error: Exception) -> Response:
    """Answer what the user of the administration can mend, such as a damaged file."""
    del request
    assert isinstance(error, DlError)
    return JSONResponse({"error": error.message, **({"fix": error.hint} if error.hint else {})}, 409)


async def _not_found(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    what = "no such address" if error.status_code == 404 else "not with this method"
    body = {"error": what, "fix": "GET /openapi.json describes all"}
    return JSONResponse(body, error.status_code, dict(error.headers or {}))
