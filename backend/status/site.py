"""The page at `/status` and the API reference at `/docs`: files from here and from a wheel, nothing from elsewhere."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from exchange.domain.errors import ErrorCode, Refusal

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI sets style attributes from its script.
_DOCS_POLICY = _PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

_OURS = {"status.css": "text/css", "status.js": "text/javascript", "docs.js": "text/javascript"}
_SWAGGER = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}

router = APIRouter(include_in_schema=False)


@cache
def _read(name: str) -> bytes:
    if name in _SWAGGER:
        return (files("fastapi_swagger") / "resources" / name).read_bytes()
    return (files("backend.status") / "pages" / name).read_bytes()


def _page(name: str, policy: str) -> Response:
    return Response(_read(name), media_type="text/html; charset=utf-8", headers={"content-security-policy": policy})


@router.get("/status")
async def index() -> Response:
    """Live status and links."""
    return _page("index.html", _PAGE_POLICY)


@router.get("/docs")
async def docs() -> Response:
    """The API reference."""
    return _page("docs.html", _DOCS_POLICY)


@router.get("/pages/{name}")
async def page_file(name: str) -> Response:
    """A style sheet or script of the two pages."""
    kind = _OURS.get(name) or _SWAGGER.get(name)
    if kind is None:
        raise Refusal(ErrorCode.not_found, "there is no such page file")
    return Response(_read(name), media_type=f"{kind}; charset=utf-8", headers={"cache-control": "public, max-age=3600"})
