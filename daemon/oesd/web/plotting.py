"""plotly.js for the page, as the installed ``plotly`` package brings it: no network, no build, no import of plotly."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from oesd.web.answers import Refusal

_FOR_GOOD = "public, max-age=31536000, immutable"


def plotting_routes() -> list[Route]:
    """Return ``/plotly.min.js``, which leads to ``/plotly-VERSION.min.js``, which a browser fetches once."""
    script = plotly_script()
    if script is None:
        return [Route("/plotly.min.js", _missing, methods=["GET"])]
    versioned = f"/plotly-{version('plotly')}.min.js"

    def lead(_: Request) -> Response:
        return RedirectResponse(versioned, 307, {"cache-control": "no-cache"})

    def send(_: Request) -> Response:
        # From the disk in pieces: five megabytes that nobody looks at need not stay in the daemon's memory.
        return FileResponse(script, media_type="text/javascript; charset=utf-8", headers={"cache-control": _FOR_GOOD})

    return [Route("/plotly.min.js", lead, methods=["GET"]), Route(versioned, send, methods=["GET"])]


def plotly_script() -> Path | None:
    """Find the script in the installed package; None when there is no such package."""
    spec = find_spec("plotly")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    found = [Path(folder) / "package_data" / "plotly.min.js" for folder in folders]
    return next((path for path in found if path.is_file()), None)


def _missing(_: Request) -> Response:
    raise Refusal(404, "the plotly package is not installed: pip install plotly")
