"""The description of the server's addresses: OpenAPI 3.1, made of the models that are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.core.version import __version__

Json = dict[str, Any]

_REFUSALS = {
    "400": "the body is not what its content type says",
    "401": "the token is missing or wrong",
    "408": "the request did not arrive in time",
    "413": "the request is too large, or has too many inputs",
    "415": "a content type that is not read",
    "503": "too many inputs are waiting; Retry-After says when to ask again",
    "504": "no answer in time",
}


def document_of(models: Sequence[Mapping[str, Any]]) -> Json:
    """Return the document.

    Args:
        models: what `/metadata` says of each version.
    """
    paths: Json = {"/predict": {"post": _predict("predict", "Ask the default model", [m["input"] for m in models])}}
    for model in models:
        name, version = model["name"], model["version"]
        what = f"Ask {name}, version {version}"
        paths[f"/models/{name}/{version}/predict"] = {
            "post": _predict(f"predict_{name}_{version}", what, [model["input"]])
        }
    paths |= {
        "/health": {"get": _get("health", "Whether the process lives")},
        "/ready": {"get": _get("ready", "Whether requests are wanted", {"503": "the server is stopping"})},
        "/metadata": {"get": _get("metadata", "The models, what they take and give, and the limits")},
        "/metrics": {"get": _get("metrics", "Counters for Prometheus", kind="text/plain")},
        "/openapi.json": {"get": _get("openapi", "This document")},
        **_admin(),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "dl serve", "version": __version__, "description": "Trained models over HTTP."},
        "paths": paths,
        "components": {
            "schemas": {"Predictions": _PREDICTIONS, "Refusal": _REFUSAL},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _admin() -> Json:
    """Return the paths by which models are changed without a stop."""
    shares = {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}}
    traffic = {"type": "object", "properties": {"default": {"type": "string"}, "shares": shares}}
    model = {"type": "object", "properties": {"model": {"type": "string"}}, "required": ["model"]}
    load = _change("load", "Load a model of the folder that the server was given")
    return {
        "/admin/models/{name}/{version}": {
            "parameters": [_place("name"), _place("version")],
            "put": {**load, "requestBody": _body(model)},
            "delete": _change("unload", "Unload a model"),
        },
        "/admin/traffic": {
            "put": {
                **_change("traffic", "Change the default, and the shares of the traffic"),
                "requestBody": _body(traffic),
            }
        },
        "/admin/reload": {"post": _change("reload", "Open all models again")},
    }


_PREDICTIONS: Json = {
    "type": "object",
    "properties": {
        "schema": {"const": "dl.predict/1"},
        "model": {"type": "string"},
        "version": {"type": "string"},
        "records": {
            "type": "array",
            "description": "One for each input, in order, as `dl predict` writes it; one with a fault has an error.",
            "items": {
                "type": "object",
                "properties": {
                    "input": {"type": "string"},
                    "error": {"type": "string"},
                    "picture": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
                    "drawing": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
                },
                "required": ["input"],
            },
        },
    },
    "required": ["schema", "model", "version", "records"],
}

_REFUSAL: Json = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "fix": {"type": "string"}},
    "required": ["error"],
}


def _predict(operation: str, summary: str, inputs: Sequence[Json]) -> Json:
    unlike = [schema for index, schema in enumerate(inputs) if schema not in inputs[:index]]
    value = unlike[0] if len(unlike) == 1 else {"anyOf": unlike}
    one = {"type": "object", "properties": {"input": value}, "required": ["input"]}
    many = {
        "type": "object",
        "properties": {"inputs": {"type": "array", "items": value, "minItems": 1}},
        "required": ["inputs"],
    }
    files = {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"contentMediaType": "application/octet-stream"}},
    }
    predictions = {"application/json": {"schema": {"$ref": "#/components/schemas/Predictions"}}}
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": [
            {
                "name": "draw",
                "in": "query",
                "description": "Also draw each answer on its input, as a PNG in base64",
                "schema": {"type": "boolean", "default": False},
            },
            {
                "name": "X-Request-ID",
                "in": "header",
                "description": "Is repeated in the answer and the log; equal ones get the same share of an A/B test",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [one, many]}},
                "multipart/form-data": {"schema": files},
                "application/octet-stream": {},
            },
        },
        "responses": {
            "200": {"description": "At least one input was answered", "content": predictions},
            "422": {"description": "No input could be read", "content": predictions},
            **{status: _refusal(text) for status, text in _REFUSALS.items()},
        },
    }


def _get(
    operation: str, summary: str, refusals: Mapping[str, str] | None = None, *, kind: str = "application/json"
) -> Json:
    answers = {"200": {"description": summary, "content": {kind: {}}}}
    return {
        "operationId": operation,
        "summary": summary,
        "responses": answers | {status: _refusal(text) for status, text in (refusals or {}).items()},
    }


def _change(operation: str, summary: str) -> Json:
    refusals = {
        "401": "the token is missing or wrong",
        "403": "not allowed",
        "404": "no such model",
        "409": "not possible",
    }
    return {**_get(operation, summary, refusals), "security": [{"token": []}]}


def _body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _place(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _refusal(text: str) -> Json:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}}
