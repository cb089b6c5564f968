"""The daemon's own API on loopback, and its page.

Reading is free for whoever reaches the listener; every change needs the token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.model import Kind, is_uuid
from oesd.store import Store
from oesd.store.accounts import BY, ledger_document
from oesd.store.newest import device_names
from oesd.web.answers import EXCEPTION_HANDLERS, JsonAnswer, Refusal, unprocessable
from oesd.web.bodies import data_id, moment, takes_json, whole_number
from oesd.web.guard import Guard
from oesd.web.imports import files_route
from oesd.web.keys import KeyCheck, everyone
from oesd.web.live import live_document, summary_document
from oesd.web.oes import UNKNOWN, oes_routes
from oesd.web.pages import page_routes
from oesd.web.remote import remote_routes
from oesd.web.results import results_route
from oesd.web.runs import RunDesk, run_routes
from oesd.web.traces import trace_route

ENTRIES_LIMIT = 1000


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
    hosts: Iterable[str] = (),
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
        As :func:`~oesd.web.oes.oes_routes` takes it.
    keep : callable, optional
        As :func:`~oesd.web.results.results_route` takes it. Without it POST /results does not exist.
    take_file : callable, optional
        As :func:`~oesd.web.imports.files_route` takes it. Without it POST /files does not exist.
    hosts : iterable of str
        Host headers served beside the loopback names of the port.
    """
    may_change = KeyCheck(token)
    routes = [
        Route("/healthz", _health_reader(healthy), methods=["GET"]),
        Route("/status", lambda _: JsonAnswer(dict(status())), methods=["GET"]),
        Route("/live", lambda _: JsonAnswer(live_document(store, status())), methods=["GET"]),
        *_entry_routes(store),
        trace_route(store),
        Route("/ledger", _ledger_reader(store, unrecorded), methods=["GET"]),
        *oes_routes(store, may_read=everyone, may_write=may_change, evidence=evidence),
        *remote_routes(store),
        *([] if keep is None else [results_route(keep, may_change)]),
        *([] if take_file is None else [files_route(take_file, may_change)]),
        *([] if reprocess is None else [_reprocess_route(store, reprocess, may_change)]),
        *([] if capture is None else [_capture_route(capture, may_change)]),
        *([] if runs is None else run_routes(store, runs, may_change)),
        *page_routes(),
    ]
    app = Starlette(
        routes=routes, exception_handlers=EXCEPTION_HANDLERS, middleware=[Middleware(Guard, hosts=tuple(hosts))]
    )
    app.router.redirect_slashes = False
    return app


def _health_reader(healthy: Callable[[], bool]) -> Callable[[Request], Response]:
    def read_health(_: Request) -> Response:
        well = healthy()
        return JsonAnswer({"healthy": well}, 200 if well else 503)

    return read_health


def _entry_routes(store: Store) -> list[Route]:
    def list_entries(request: Request) -> Response:
        before = request.query_params.get("before")
        if before is not None and not is_uuid(before):
            raise unprocessable(("query", "before"), "must be a data id")
        limit = whole_number(request, "limit", 100, 1, ENTRIES_LIMIT)
        device = request.query_params.get("device_name")
        return JsonAnswer([summary_document(e) for e in store.entries(limit, before=before, device_name=device)])

    def newest(_: Request) -> Response:
        return JsonAnswer({name: store.latest_entry(name) for name in device_names(store)})

    return [Route("/entries", list_entries, methods=["GET"]), Route("/latest", newest, methods=["GET"])]


def _ledger_reader(store: Store, unrecorded: Callable[[], Mapping[str, int]]) -> Callable[[Request], Response]:
    def read_ledger(request: Request) -> Response:
        by = BY.get(request.query_params.get("by", "hour"))
        if by is None:
            raise unprocessable(("query", "by"), f"must be one of {', '.join(BY)}")
        document = ledger_document(store, by, request.query_params.get("device_name"), moment(request, "since"))
        return JsonAnswer({**document, "unrecorded": dict(unrecorded())})

    return read_ledger


def _reprocess_route(store: Store, reprocess: Callable[[str], None], may_change: KeyCheck) -> Route:
    def order(request: Request, _: dict[str, Any]) -> Response:
        entry_id = data_id(request)
        if store.entry(entry_id) is None:
            raise Refusal(404, UNKNOWN)
        reprocess(entry_id)
        return JsonAnswer({"data_id": entry_id, "ordered": True}, 202)

    return Route("/oes/{data_id}/reprocess", takes_json(order, may_change, optional=True), methods=["POST"])


def _capture_route(capture: Callable[[Kind, str], Sequence[str]], may_change: KeyCheck) -> Route:
    def order(_: Request, body: dict[str, Any]) -> Response:
        kind, device = body.get("kind"), body.get("device", "")
        if kind not in tuple(Kind):
            raise unprocessable(("body", "kind"), f"must be one of {', '.join(Kind)}")
        if not isinstance(device, str):
            raise unprocessable(("body", "device"), "must be the name or the serial number of a spectrometer")
        ordered = list(capture(Kind(kind), device))
        if device and not ordered:
            raise Refusal(404, f"no spectrometer called {device!r:.80} is at work")
        return JsonAnswer({"ordered": ordered}, 202)

    return Route("/captures", takes_json(order, may_change), methods=["POST"])
