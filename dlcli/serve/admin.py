"""The routes that load, unload and share out models while the server runs; `access.py` lets only a token through."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from dlcli.serve.faults import RefusedError
from dlcli.serve.inputs import read_json
from dlcli.serve.plan import Entry, Plan
from dlcli.serve.state import State, json_answer


async def load(request: Request, state: State) -> Response:
    """Serve a run or file of --model-dir under a name and version."""
    path, given = request.path_params, read_json(await request.body())
    target = given.get("model") if isinstance(given, dict) else None
    if not isinstance(target, str):
        raise RefusedError(400, "no model", hint='send {"model": "NAME"} with a name in --model-dir')
    entry = Entry(path["name"], path["version"], str(_within(state.model_dir, target)))
    return await _change(state, lambda plan: plan.with_entry(entry))


def _within(folder: Path | None, name: str) -> Path:
    """Return a run or file in the folder of models.

    Raises:
        RefusedError: there is no such folder (403), or nothing of that name in it (404).
    """
    if folder is None:
        raise RefusedError(403, "no models can be loaded", hint="start the server with --model-dir DIR")
    try:
        place = (folder / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle
        place = None
    if place is None or folder.resolve() not in place.parents:
        raise RefusedError(404, "no such model in --model-dir")
    return place


async def unload(request: Request, state: State) -> Response:
    """Serve a version no more."""
    key = f"{request.path_params['name']}@{request.path_params['version']}"
    state.shelf.find(request.path_params["name"], request.path_params["version"])
    return await _change(state, lambda plan: plan.without(key))


async def traffic(request: Request, state: State) -> Response:
    """Change the default and the shares of /predict."""
    given = read_json(await request.body())
    if not isinstance(given, dict) or not set(given) <= {"default", "shares"} or not given:
        raise RefusedError(400, "not an object with default or shares", hint='{"shares": {"a@1": 0.9, "a@2": 0.1}}')
    default, shares = given.get("default"), given.get("shares")
    if not isinstance(default, str | None) or not isinstance(shares, dict | None):
        raise RefusedError(400, "default is a text, shares an object", hint='{"shares": {"a@1": 0.9, "a@2": 0.1}}')
    return await _change(
        state, lambda plan: plan.with_traffic(default, dict(plan.shares) if shares is None else shares)
    )


async def reload(request: Request, state: State) -> Response:
    """Open all models again, from files that may have changed."""
    del request
    return await _change(state, lambda plan: plan, reload=True)


async def _change(state: State, make_plan: Callable[[Plan], Plan], *, reload: bool = False) -> Response:
    begin = time.monotonic()
    async with state.changing():
        faults = await state.shelf.change(make_plan, reload=reload)
        plan = state.shelf.plan
        if state.on_change is not None:
            state.on_change(plan, reload)
    return json_answer(
        {
            "models": [entry.key for entry in plan.entries],
            "default": plan.default,
            "shares": dict(plan.shares),
            "faults": faults,
            "seconds": round(time.monotonic() - begin, 3),
        },
        500 if faults else 200,
    )
