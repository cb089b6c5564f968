"""The page's files, read once from the package and served with their types."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.web.negotiation import tag

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_routes(front: str = "index.html", more_headers: Mapping[str, str] | None = None) -> list[Route]:
    """Return the routes of a page: its document at ``/``, and by their names the scripts and the style of all pages."""
    names = sorted(entry.name for entry in files("oesd.web").joinpath("page").iterdir())
    shared = [name for name in names if PurePath(name).suffix in _TYPES and not name.endswith(".html")]
    headers = {"cache-control": "no-cache", **(more_headers or {})}
    return [_file_route("/", front, headers), *(_file_route(f"/{name}", name, headers) for name in shared)]


def _file_route(path: str, name: str, headers: Mapping[str, str]) -> Route:
    content = files("oesd.web").joinpath("page", name).read_bytes()
    media_type = _TYPES[PurePath(name).suffix]
    etag = tag(hashlib.sha256(content).hexdigest()[:32])
    headers = {**headers, "etag": etag}

    # Asked for anew each time: after an update of oesd no browser shows the old page. It is at hand, so no thread is
    # needed.
    async def send(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return Route(path, send, methods=["GET"])
