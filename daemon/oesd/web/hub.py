"""An OES API server of our own: the calls a client of the cloud API makes, on our store and engine.

Two origins, as in the cloud: the API, which needs the key, and the bucket, which
takes signed URLs and never a key. ``Hub`` runs both; ``create_hub`` is the API alone.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import Result
from oesd.store import Store
from oesd.store.hub_keys import SCOPES, HubKeys
from oesd.web.answers import EXCEPTION_HANDLERS, JsonAnswer
from oesd.web.bucket import Bucket, Clock
from oesd.web.calls import About, Call, Told, share_methods
from oesd.web.entries import search_route
from oesd.web.events import events_route
from oesd.web.exporting import Export, export_route
from oesd.web.feed import Feed
from oesd.web.guard import SECURITY_HEADERS
from oesd.web.hub_catalogue import catalogue_routes
from oesd.web.hub_keys import key_routes
from oesd.web.hub_page import hub_page_routes
from oesd.web.hub_samples import Samples
from oesd.web.hub_uploads import Uploads
from oesd.web.keys import HubKeyCheck
from oesd.web.oes import OesDesk, oes_routes
from oesd.web.openapi import Subject, document_routes
from oesd.web.server import Server

_SUBJECT = Subject(
    title="oesd hub",
    summary="An OES API server of our own: spectra in, results out.",
    description="Every call needs a key, with the scope `read`, `write` or `admin`: as `X-API-KEY` or bearer token. "
    'Errors are {"detail": ...}.',
    keyed=True,
    headers=SECURITY_HEADERS,
)
CONNECTIONS = 1024  # of a few hundred daemons, some of which keep theirs for the next request


def create_hub(
    store: Store,
    bucket: Bucket,
    *,
    key: str,
    arrived: Callable[[str], None],
    bucket_url: Callable[[], str],
    evidence: Callable[[str], Mapping[str, Any] | None] | None = None,
    export: Export | None = None,
    feed: Feed | None = None,
) -> Starlette:
    """Return the API application.

    Parameters
    ----------
    key : str
        The hub's own key, which may do everything; others are made with it. Every call but GET /gateway/time needs one.
    arrived : callable
        Told the data id of each upload whose bytes are all here.
    bucket_url : callable
        Origin of the bucket, ``http://localhost:8622``: another one than the API's.
    evidence : callable, optional
        As :class:`~oesd.web.oes.OesDesk` takes it.
    export : callable, optional
        As :func:`~oesd.web.exporting.export_route` takes it. Without it GET /export does not exist.
    feed : Feed, optional
        What GET /events tells. Without it the call does not exist.
    """
    keys = HubKeys(store)
    may_read, may_write, may_all = (HubKeyCheck(key, keys, scope) for scope in SCOPES)
    uploads = Uploads(bucket, arrived=arrived, bucket_url=bucket_url, keys=keys)

    def changed(result: Result, why: str) -> None:
        bucket.ingest.touch([result.data_id], bucket.clock())
        if feed is not None:
            feed.changed(result.data_id, result.revision, why)

    calls: list[Call] = [
        _clock_call(bucket.clock),
        *uploads.routes(may_write),
        *catalogue_routes(bucket, may_read, bucket_url),
        *Samples(bucket.catalogue, bucket.clock).routes(may_read, may_write),
        *key_routes(keys, may_all, bucket.clock),
        *oes_routes(
            OesDesk(
                store,
                may_read,
                may_write,
                on_its_way=lambda data_id: bucket.ingest.upload_of(data_id) is not None,
                clock=bucket.clock,
                evidence=evidence,
                stands_for=bucket.ingest.entry_of,
                changed=changed,
                lately=feed.lately if feed else lambda _data_id: None,
            )
        ),
        search_route(store, may_read),
        *([] if feed is None else [events_route(feed, may_read)]),
        *([] if export is None else [export_route(store, _by_any_name(export, bucket), may_read)]),
    ]
    share_methods(calls)
    routes = [*calls, *document_routes(calls, _SUBJECT), *hub_page_routes()]
    app = Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False
    return app


class Hub:
    """API and bucket, each served by a thread of its own.

    Parameters
    ----------
    directory : Path
        For uploaded bytes; made when absent.
    arrived : callable
        As :func:`create_hub` takes it; :attr:`bucket` is what an :class:`~oesd.web.hub_inbox.Inbox` needs.
    host, port : str, int
        Where the API listens; 0 lets the system choose the ports of both.
    bucket_port : int, optional
        Where the bucket listens; the port after the API's when absent, so that its URLs stay good over a restart.
    port_option : str
        What a person gives to choose another port; named in the error when it is in use.
    public_host : str, optional
        Name that clients reach the bucket by; when absent ``localhost`` on loopback, this computer's name otherwise.
    tls : tuple of Path, optional
        As :class:`~oesd.web.server.Server` takes it: for both origins, which have ``public_host`` as their name then.
    beat : callable
        As :class:`~oesd.web.server.Server` takes it.
    evidence, export, feed : optional
        As :func:`create_hub` takes them.
    """

    def __init__(
        self,
        store: Store,
        directory: Path,
        *,
        key: str,
        arrived: Callable[[str], None],
        host: str = "127.0.0.1",
        port: int = 0,
        bucket_port: int | None = None,
        public_host: str | None = None,
        tls: tuple[Path, Path] | None = None,
        port_option: str = "--hub-port",
        beat: Callable[[str, float], None] = lambda _name, _within_s: None,
        evidence: Callable[[str], Mapping[str, Any] | None] | None = None,
        export: Export | None = None,
        feed: Feed | None = None,
    ) -> None:
        self._feed = feed
        self._scheme = "https" if tls else "http"
        self._public_host = public_host or _bucket_host(host)
        self._host = self._public_host if tls else host
        self.bucket = Bucket(store, directory)
        app = create_hub(
            store, self.bucket, key=key, arrived=arrived, bucket_url=lambda: self.bucket_url, evidence=evidence,
            export=export, feed=feed,
        )  # fmt: skip
        self._api_server = Server(app, host, port, max_connections=CONNECTIONS, option=port_option, beat=beat, tls=tls)
        if bucket_port is None:
            bucket_port = port + 1 if port else 0
        self._bucket_server = Server(
            self.bucket.app, host, bucket_port, max_connections=CONNECTIONS, option=port_option, beat=beat, tls=tls
        )

    @property
    def url(self) -> str:
        """Origin of the API, without a final slash."""
        return f"{self._scheme}://{self._host}:{self._api_server.port}"

    @property
    def bucket_url(self) -> str:
        """Origin of the bucket, without a final slash."""
        return f"{self._scheme}://{self._public_host}:{self._bucket_server.port}"

    def start(self) -> None:
        """Listen on both ports; raises :class:`~oesd.listening.CannotListen`, with neither left open."""
        self._bucket_server.start()
        try:
            self._api_server.start()
        except BaseException:
            self._bucket_server.stop()
            raise

    def stop(self) -> None:
        """Stop both servers, and let go who listens to events."""
        if self._feed is not None:
            self._feed.end()
        for server in (self._api_server, self._bucket_server):
            server.ask_to_stop()
        for server in (self._api_server, self._bucket_server):
            server.stop()


def _bucket_host(host: str) -> str:
    """Name of the bucket's origin: another one than the API's address, so that no client confuses the two."""
    if host.startswith("127.") or host in ("::1", "localhost"):
        return "localhost"
    return socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


def _clock_call(clock: Clock) -> Call:
    def read_clock(_: Request) -> Response:
        received_ms = clock().timestamp() * 1000
        return JsonAnswer({"receivedAtUnixMs": received_ms, "transmittedAtUnixMs": clock().timestamp() * 1000})

    return Call("/gateway/time", read_clock, Told("GET", About("state", "The hub's clock", "Clock"), free=True))


def _by_any_name(export: Export, bucket: Bucket) -> Export:
    """Export entries by whichever of their ids was given."""
    return lambda data_ids, form: export(map(bucket.ingest.entry_of, data_ids), form)
