"""The hub's page: its files are served to whoever reaches the port; what it shows needs a key, typed in by a person."""

from __future__ import annotations

from starlette.routing import Route

from oesd.web.guard import SECURITY_HEADERS
from oesd.web.pages import page_routes
from oesd.web.plotting import plotting_routes


def hub_page_routes() -> list[Route]:
    """Return the routes of the hub's page."""
    return [*page_routes("hub.html", SECURITY_HEADERS), *plotting_routes()]
