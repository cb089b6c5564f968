"""The page's files: read once from the package, served with their types."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/notes.js": ("notes.js", "text/javascript; charset=utf-8"),
    "/orders.js": ("orders.js", "text/javascript; charset=utf-8"),
    "/plot.js": ("plot.js", "text/javascript; charset=utf-8"),
    "/why.js": ("why.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def page_routes() -> list[Route]:
    """Return the routes of the page."""
    return [file_route(path, name, media_type, {}) for path, (name, media_type) in _FILES.items()]


def file_route(path: str, name: str, media_type: str, more_headers: Mapping[str, str]) -> Route:
    """Return the route of one of the page's files."""
    content = files("oesd.web").joinpath("page", name).read_bytes()
    headers = {"cache-control": "no-cache", **more_headers}

    def send(_: Request) -> Response:
        # Asked for anew each time: after an update of oesd no browser shows the old page.
        return Response(content, media_type=media_type, headers=headers)

    return Route(path, send, methods=["GET"])
