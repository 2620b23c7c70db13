"""The web app at `/` and the paths of its pages, and its files; everything from here, nothing from elsewhere.

`built/` is what Vite makes of `web/`. Where it is missing, `/` leads to the status page.
"""

import gzip
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from backend.deps import ApiDep
from exchange.domain.errors import ErrorCode, Refusal

PAGES = ("trade", "funds", "proof", "leave", "operator", "legal")
"""First parts of the paths that the app answers itself: `web/src/app/routes.ts` has the same."""

_FOREVER = "public, max-age=31536000, immutable"
_FOLDERS = ("", "assets", "brand")
_FILE_NAME = re.compile(r"^[0-9A-Za-z_-][0-9A-Za-z_.-]*$")
_COMPRESSED = ("text/", "application/json", "application/manifest+json", "image/svg+xml")

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _File:
    kind: str
    plain: bytes
    gzipped: bytes | None


def _listed() -> Mapping[tuple[str, str], bytes]:
    """The files there are, by folder and name: what a browser names is looked up here, and never asked of the disk.

    All are read at once, so that the app stays of one piece when another is built while this one is served.
    """
    built = files("backend.web") / "built"
    folders = [(folder, built / folder if folder else built) for folder in _FOLDERS]
    return {
        (folder, place.name): place.read_bytes()
        for folder, places in folders
        if places.is_dir()
        for place in places.iterdir()
        if _FILE_NAME.match(place.name) and place.is_file()
    }


_FILES = _listed()


def _read(folder: str, name: str) -> _File | None:
    """A built file, if there is one of that name. The names of files in `assets` change with their content."""
    return _packed(folder, name) if (folder, name) in _FILES else None


@cache  # as many entries as there are files
def _packed(folder: str, name: str) -> _File:
    plain = _FILES[folder, name]
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return _File(kind, plain, gzip.compress(plain, 9, mtime=0) if kind.startswith(_COMPRESSED) else None)


def policy(chain_url: str | None) -> str:
    """The page's Content-Security-Policy: its own files, this API, and the chain's node that browsers may ask."""
    connect = "'self'" if chain_url is None else f"'self' {chain_url}"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; img-src 'self' data:; "
        "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _answer(request: Request, file: _File, headers: Mapping[str, str]) -> Response:
    kind = f"{file.kind}; charset=utf-8" if file.kind.startswith("text/") else file.kind
    if file.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers = {**headers, "content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(file.gzipped, media_type=kind, headers=headers)
    return Response(file.plain, media_type=kind, headers=dict(headers))


async def app_page(api: ApiDep, request: Request) -> Response:
    """The app's one document, whichever of its pages it shall show."""
    page = _read("", "index.html")
    if page is None:
        return RedirectResponse("/status")
    headers = {"content-security-policy": policy(api.public_rpc_url), "cache-control": "no-cache"}
    return _answer(request, page, headers)


router.add_api_route("/", app_page)
for page_name in PAGES:
    router.add_api_route(f"/{page_name}", app_page)
    router.add_api_route(f"/{page_name}/{{rest:path}}", app_page)


@router.get("/worker.js")
async def worker(api: ApiDep) -> Response:
    """The service worker, which keeps the app's files. The browser asks for it at each visit.

    It holds the page's policy, for what it answers itself: a cache's word for it would be any script's.
    """
    headers = {"content-security-policy": "default-src 'none'; connect-src 'self'", "cache-control": "no-cache"}
    file = _found("", "worker.js")
    code = file.plain.replace(b"%POLICY%", _in_script(policy(api.public_rpc_url)))
    return Response(code, media_type="text/javascript; charset=utf-8", headers=headers)


def _in_script(text: str) -> bytes:
    """A text within any of JavaScript's quotes."""
    return re.sub(r"[^ -~]|['\"`$\\]", lambda found: f"\\u{ord(found[0]):04x}", text).encode()


@router.get("/assets/{name}")
async def asset(request: Request, name: str) -> Response:
    """A script or style sheet of the app."""
    return _answer(request, _found("assets", name), {"cache-control": _FOREVER})


@router.get("/brand/{name}")
async def brand_file(request: Request, name: str) -> Response:
    """The logo and the like."""
    return _answer(request, _found("brand", name), {"cache-control": "public, max-age=3600"})


def _found(folder: str, name: str) -> _File:
    file = _read(folder, name)
    if file is None:
        place = f"{folder}/{name[:80]}" if folder else name
        raise Refusal(ErrorCode.not_found, f"there is no {place}")
    return file
