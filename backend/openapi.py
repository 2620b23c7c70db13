"""The OpenAPI document: what FastAPI knows from pydantic, completed by the msgspec types of the hot paths."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from backend.errors import responses

REF = "#/components/schemas/{name}"

DESCRIPTION = """\
A spot exchange whose operator cannot touch the users' money: orders are signed by wallets (EIP-712) and settle in a
contract that checks each signature, limit, fee cap and fill.

Amounts, prices, quantities and nonces are decimal **strings** of integers; ids, basis points and times are numbers.
`*_at`, `at` and `*_ms` are milliseconds since 1970; `expiry` and `deadline` are seconds. `price` counts quote ledger
units per lot and `quantity` counts lots, so that notional = price x quantity exactly.

Private reads take `Authorization: Bearer <token>` from `POST /v1/auth/login`. Writes take no session: each carries the
signature of the account. Every error is `{code, field, params, message}` with a stable `code`. The stream at
`/v1/stream` is described in `docs/api.md`.
"""

_types: dict[str, type[msgspec.Struct]] = {}


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    _types[kind.__name__] = kind
    return {"$ref": REF.format(name=kind.__name__)}


def takes(kind: type[msgspec.Struct], example: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of an endpoint whose body is decoded by msgspec."""
    content = {"application/json": {"schema": _reference(kind), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def answers(
    kind: type[msgspec.Struct], *statuses: int, many: bool = False, example: Any = None
) -> dict[int | str, dict[str, Any]]:
    """`responses` of an endpoint whose answer is encoded by msgspec, with its possible error statuses."""
    schema: dict[str, Any] = _reference(kind)
    if many:
        schema = {"type": "array", "items": schema}
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {200: {"description": "OK", "content": {"application/json": content}}, **responses(*statuses)}


def install(app: FastAPI, servers: Sequence[dict[str, str]] = ()) -> None:
    """Make `app.openapi()` answer the completed document; it is built once."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title="Bizzan", version=app.version, description=DESCRIPTION, routes=app.routes, tags=app.openapi_tags
            )
            _, components = msgspec.json.schema_components(list(_types.values()), ref_template=REF)
            document.setdefault("components", {}).setdefault("schemas", {}).update(_without_prefix_items(components))
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]


def _without_prefix_items(schema: Any) -> Any:
    """Pairs of equal types as arrays of two: the same meaning, and more tools understand it."""
    if isinstance(schema, list):
        return [_without_prefix_items(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _without_prefix_items(part) for name, part in schema.items()}
    parts = changed.get("prefixItems")
    if parts and all(part == parts[0] for part in parts):
        changed |= {"items": changed.pop("prefixItems")[0]}
    return changed
