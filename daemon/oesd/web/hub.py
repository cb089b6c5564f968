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
from starlette.routing import Route

from oesd.store import Store
from oesd.store.hub_keys import SCOPES, HubKeys
from oesd.web.answers import EXCEPTION_HANDLERS, JsonAnswer
from oesd.web.bucket import Bucket, Clock
from oesd.web.hub_catalogue import catalogue_routes
from oesd.web.hub_keys import key_routes
from oesd.web.hub_page import hub_page_routes
from oesd.web.hub_samples import Samples
from oesd.web.hub_uploads import Uploads
from oesd.web.keys import HubKeyCheck
from oesd.web.oes import oes_routes
from oesd.web.server import Server

CONNECTIONS = 1024  # of a few hundred daemons, some of which keep theirs for the next request


def create_hub(
    store: Store,
    bucket: Bucket,
    *,
    key: str,
    arrived: Callable[[str], None],
    bucket_url: Callable[[], str],
    evidence: Callable[[str], Mapping[str, Any] | None] | None = None,
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
        As :func:`~oesd.web.oes.oes_routes` takes it.
    """
    keys = HubKeys(store)
    may_read, may_write, may_all = (HubKeyCheck(key, keys, scope) for scope in SCOPES)
    uploads = Uploads(bucket, arrived=arrived, bucket_url=bucket_url, keys=keys)
    routes = [
        Route("/gateway/time", _clock_reader(bucket.clock), methods=["GET"]),
        *uploads.routes(may_write),
        *catalogue_routes(bucket, may_read, bucket_url),
        *Samples(bucket.catalogue, bucket.clock).routes(may_read, may_write),
        *key_routes(keys, may_all, bucket.clock),
        *hub_page_routes(),
        *oes_routes(
            store,
            may_read=may_read,
            may_write=may_write,
            on_its_way=lambda data_id: bucket.ingest.upload_of(data_id) is not None,
            clock=bucket.clock,
            evidence=evidence,
            stands_for=bucket.ingest.entry_of,
            changed=lambda result, _: bucket.ingest.touch([result.data_id], bucket.clock()),
        ),
    ]
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
    beat : callable
        As :class:`~oesd.web.server.Server` takes it.
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
        port_option: str = "--hub-port",
        beat: Callable[[str, float], None] = lambda _name, _within_s: None,
        evidence: Callable[[str], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._host = host
        self._public_host = public_host or _bucket_host(host)
        self.bucket = Bucket(store, directory)
        app = create_hub(
            store, self.bucket, key=key, arrived=arrived, bucket_url=lambda: self.bucket_url, evidence=evidence
        )
        self._api_server = Server(app, host, port, max_connections=CONNECTIONS, option=port_option, beat=beat)
        if bucket_port is None:
            bucket_port = port + 1 if port else 0
        self._bucket_server = Server(
            self.bucket.app, host, bucket_port, max_connections=CONNECTIONS, option=port_option, beat=beat
        )

    @property
    def url(self) -> str:
        """Origin of the API, without a final slash."""
        return f"http://{self._host}:{self._api_server.port}"

    @property
    def bucket_url(self) -> str:
        """Origin of the bucket, without a final slash."""
        return f"http://{self._public_host}:{self._bucket_server.port}"

    def start(self) -> None:
        """Listen on both ports; raises :class:`~oesd.web.server.CannotListen`, with neither left open."""
        self._bucket_server.start()
        try:
            self._api_server.start()
        except BaseException:
            self._bucket_server.stop()
            raise

    def stop(self) -> None:
        """Stop both servers."""
        for server in (self._api_server, self._bucket_server):
            server.ask_to_stop()
        for server in (self._api_server, self._bucket_server):
            server.stop()


def _bucket_host(host: str) -> str:
    """Name of the bucket's origin: another one than the API's address, so that no client confuses the two."""
    if host.startswith("127.") or host in ("::1", "localhost"):
        return "localhost"
    return socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


def _clock_reader(clock: Clock) -> Callable[[Request], Response]:
    def read_clock(_: Request) -> Response:
        received_ms = clock().timestamp() * 1000
        return JsonAnswer({"receivedAtUnixMs": received_ms, "transmittedAtUnixMs": clock().timestamp() * 1000})

    return read_clock
