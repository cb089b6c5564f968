"""The hub's page: its files are served to whoever reaches the port; what it shows needs a key, typed in by a person."""

from __future__ import annotations

from starlette.routing import Route

from oesd.web.guard import SECURITY_HEADERS
from oesd.web.pages import file_route

_FILES = {
    "/": ("hub.html", "text/html; charset=utf-8"),
    "/hub.js": ("hub.js", "text/javascript; charset=utf-8"),
    "/plot.js": ("plot.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def hub_page_routes() -> list[Route]:
    """Return the routes of the hub's page."""
    return [file_route(path, name, media_type, SECURITY_HEADERS) for path, (name, media_type) in _FILES.items()]
