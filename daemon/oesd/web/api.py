"""The daemon's own API, and its page: every call that there is, put together.

On loopback reading is free for whoever reaches the listener; every change needs the token. With remote access reading
needs it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from oesd.model import Kind, Result
from oesd.store import Store
from oesd.web.answers import EXCEPTION_HANDLERS
from oesd.web.bodies import Check
from oesd.web.calls import share_methods
from oesd.web.elements import Bands, Lines, lines_route
from oesd.web.entries import entry_routes
from oesd.web.events import events_route
from oesd.web.exporting import Export, export_route
from oesd.web.feed import Feed
from oesd.web.golden import GoldenDesk, golden_routes
from oesd.web.guard import Guard
from oesd.web.imports import files_route
from oesd.web.instruments import instrument_routes
from oesd.web.keys import KeyCheck, everyone
from oesd.web.ledgers import ledger_route
from oesd.web.metrics import metrics_route
from oesd.web.oes import OesDesk, oes_routes
from oesd.web.openapi import document_routes
from oesd.web.orders import capture_route, reprocess_route
from oesd.web.pages import page_routes
from oesd.web.plotting import plotting_routes
from oesd.web.remote import remote_routes
from oesd.web.results import results_route
from oesd.web.runs import RunDesk, run_routes
from oesd.web.sessions import Sessions, session_routes
from oesd.web.shown import newest_shown
from oesd.web.states import state_routes
from oesd.web.traces import trace_route
from oesd.web.watching import WatchDesk, watching_routes
from oesd.web.waterfall import waterfall_route


def create_api(
    store: Store,
    *,
    status: Callable[[], Mapping[str, Any]],
    healthy: Callable[[], bool],
    token: str,
    reprocess: Callable[[str], None] | None = None,
    capture: Callable[[Kind, str], Sequence[str]] | None = None,
    runs: RunDesk | None = None,
    unrecorded: Callable[[], Mapping[str, int]] = dict,
    evidence: Callable[[str], Mapping[str, Any] | None] | None = None,
    keep: Callable[[bytes], Mapping[str, str]] | None = None,
    take_file: Callable[[bytes, str], Mapping[str, Any]] | None = None,
    export: Export | None = None,
    lines: Lines | None = None,
    bands: Bands = lambda _symbol, _fwhm_nm: None,
    feed: Feed | None = None,
    watching: WatchDesk | None = None,
    golden: GoldenDesk | None = None,
    hosts: Iterable[str] = (),
    remote: bool = False,
) -> Starlette:
    """Return the application.

    Parameters
    ----------
    status : callable
        The daemon's state for people and programs, JSON-ready; the keys that the page shows are in README.md here.
    healthy : callable
        Whether every thread keeps its promises: 200 or 503 on /healthz.
    token : str
        What a change must carry, as ``X-API-KEY`` or as bearer token.
    reprocess : callable, optional
        Orders a new result of an entry; without it the call does not exist.
    capture : callable, optional
        ``capture(kind, device)`` orders one capture of a spectrometer, of all for ""; returns the names of those that
        will take it. Without it the call does not exist.
    runs : RunDesk, optional
        Takes orders for runs. Without it GET and POST /runs do not exist.
    unrecorded : callable
        Lost slots by reason that the ledger cannot take at the moment, because the disk is full.
    evidence : callable, optional
        As :class:`~oesd.web.oes.OesDesk` takes it.
    keep : callable, optional
        As :func:`~oesd.web.results.results_route` takes it. Without it POST /results does not exist.
    take_file : callable, optional
        As :func:`~oesd.web.imports.files_route` takes it. Without it POST /files does not exist.
    export : callable, optional
        As :func:`~oesd.web.exporting.export_route` takes it. Without it GET /export does not exist.
    lines, bands : callable, optional
        As :func:`~oesd.web.elements.lines_route` takes them. Without the first GET /lines does not exist.
    feed : Feed, optional
        What GET /events tells; one of its own, which nobody but this application writes to, when absent.
    watching : WatchDesk, optional
        Who knows of traces, alarms and rules. Without it GET /traces, /alarms and what goes with them do not exist.
    golden : GoldenDesk, optional
        Who keeps the golden runs and spectra. Without it GET /golden and what goes with it do not exist.
    hosts : iterable of str
        Host headers served beside the loopback names of the port.
    remote : bool
        Whether others than this computer reach the listener: reading needs the token too, or the cookie of a session.
    """
    may_change = KeyCheck(token)
    sessions = Sessions(may_change)
    may_read: Check = sessions if remote else everyone
    news = feed or Feed(status, partial(newest_shown, store))

    def changed(result: Result, why: str) -> None:
        news.changed(result.data_id, result.revision, why)

    calls: list[Route] = [  # what is asked most stands first: routes are tried one by one
        *oes_routes(OesDesk(store, may_read, may_change, evidence=evidence, changed=changed, lately=news.lately)),
        *state_routes(store, status, healthy, may_read),
        metrics_route(status, lambda: news.listeners, may_read),
        events_route(news, may_read),
        *instrument_routes(store, status, may_read),
        *([] if capture is None else [capture_route(capture, may_change)]),
        *([] if runs is None else run_routes(store, runs, may_read, may_change, golden, news.run)),
        *([] if golden is None else golden_routes(store, golden, may_read, may_change, news.golden)),
        *entry_routes(store, may_read),
        *([] if reprocess is None else [reprocess_route(store, reprocess, may_change)]),
        *([] if keep is None else [results_route(keep, may_change)]),
        *([] if take_file is None else [files_route(take_file, may_change)]),
        *([] if export is None else [export_route(store, export, may_read)]),
        *([] if lines is None else [lines_route(store, lines, may_read, bands)]),
        trace_route(store, may_read),
        *([] if watching is None else watching_routes(watching, may_read, may_change)),
        waterfall_route(store, may_read),
        ledger_route(store, unrecorded, may_read),
        *remote_routes(store, may_read),
        *(session_routes(sessions, may_change) if remote else []),
    ]
    share_methods(calls)
    routes = [*calls, *document_routes(calls), *page_routes(), *plotting_routes()]
    app = Starlette(
        routes=routes, exception_handlers=EXCEPTION_HANDLERS, middleware=[Middleware(Guard, hosts=tuple(hosts))]
    )
    app.router.redirect_slashes = False
    return app
