from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route
from tests.daemon.web import spectra
from tests.support.stores import open_store

from oesd.formats import is_bundle, read_bundle
from oesd.model import Kind, RunOrder
from oesd.processing.explaining import explain
from oesd.store import Store
from oesd.web import Feed, Hub, Server, create_api, newest_shown
from oesd.web.hub_inbox import Inbox, reading_with

TOKEN = "local-token-0123456789"
KEY = "hub-key-0123456789"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "data") as opened:
        yield opened


@dataclass
class Daemon:
    """What the API is told by the daemon, changeable by a test."""

    status: dict[str, Any] = field(default_factory=dict)
    healthy: bool = True
    reprocessed: list[str] = field(default_factory=list)
    captured: list[tuple[Kind, str]] = field(default_factory=list)
    ordered: list[tuple[object, ...]] = field(default_factory=list)
    unrecorded: dict[str, int] = field(default_factory=dict)
    kept: list[bytes] = field(default_factory=list)
    answers_left: int = 1_000_000

    def tell(self) -> dict[str, Any]:
        self.answers_left -= 1
        if self.answers_left < 0:
            raise RuntimeError("out of order")
        return self.status

    def capture(self, kind: Kind, name: str) -> list[str]:
        self.captured.append((kind, name))
        return ["chamber-a"] if name in ("", "chamber-a") else []

    def keep(self, message: bytes) -> dict[str, str]:
        if message == b"junk":
            raise ValueError("of another engine")
        self.kept.append(message)
        return {"one": "", "other": "no entry"}

    def start(self, device: str, order: RunOrder) -> dict[str, str]:
        if len(order.labels) > 10:
            raise ValueError("at most 16 labels together with those of the configuration")
        return self._told(device, "start", order)

    def stop(self, device: str) -> dict[str, str]:
        return self._told(device, "stop")

    def pause(self, device: str, on: bool) -> dict[str, str]:
        return self._told(device, "pause", on)

    def label(self, run_id: str, device: str, changes: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
        if "bad" in changes:
            raise ValueError("label bad: it cannot be")
        self.ordered.append(("label", run_id, dict(changes), device))
        on = run_id in ("on", "run-1") and device in ("", "chamber-a")
        return {"chamber-a": {name: text for name, text in changes.items() if text is not None}} if on else {}

    def now(self) -> dict[str, Any]:
        return {"standing": {"start": "always", "labels": {}, "on": True}, "ordered": {}}

    def _told(self, device: str, *order: object) -> dict[str, str]:
        self.ordered.append((*order, device))
        return {"chamber-a": "it is done"} if device in ("", "chamber-a") else {}


@dataclass
class Api:
    """The daemon's API, served."""

    url: str
    port: int
    daemon: Daemon
    client: httpx.Client
    feed: Feed


@contextmanager
def served(store: Store, more_routes: Iterable[Route] = (), **options: Any) -> Iterator[Api]:
    daemon = Daemon()
    feed = Feed(daemon.tell, partial(newest_shown, store))
    app = create_api(
        store,
        status=daemon.tell,
        healthy=lambda: daemon.healthy,
        token=TOKEN,
        reprocess=daemon.reprocessed.append,
        capture=daemon.capture,
        runs=daemon,
        unrecorded=lambda: daemon.unrecorded,
        evidence=partial(explain, store),
        keep=daemon.keep,
        hosts=["chamber3.lab:8520"],
        feed=feed,
        **options,
    )
    app.router.routes.extend(more_routes)
    server = Server(app)
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    with httpx.Client(base_url=url, trust_env=False) as client:
        try:
            yield Api(url, server.port, daemon, client, feed)
        finally:
            server.stop()


@pytest.fixture
def api(store: Store) -> Iterator[Api]:
    with served(store) as running:
        yield running


def engine_for(store: Store) -> Callable[[str], None]:
    """The engine's part, done at once: a result for every new entry."""

    def process(data_id: str) -> None:
        measured = store.measurement(data_id)
        assert measured is not None
        store.save_result(data_id, spectra.analysis(measured.wavelengths_nm, measured.sample), {}).result()

    return process


HubMaker = Callable[..., Hub]


def new_hub(
    store: Store, directory: Path, ingested: Callable[[str], None], parse: Any, take: bool, **options: Any
) -> Hub:
    """A hub that makes entries of what arrives at once, in the call that completes it."""
    hub = Hub(store, directory, key=KEY, arrived=lambda data_id: inbox.take(data_id) if take else None, **options)

    def take_apart(data: bytes) -> list[tuple[str, bytes]] | None:
        return read_bundle(data) if is_bundle(data) else None

    inbox = Inbox(store, hub.bucket, read=reading_with(parse), ingested=ingested, take_apart=take_apart)
    return hub


@pytest.fixture
def hub_maker(store: Store, tmp_path: Path) -> Iterator[HubMaker]:
    """Start hubs over the same directory, one after the other: what a restart is."""
    running: list[Hub] = []

    def make(
        ingested: Callable[[str], None] | None = None, parse: Any = spectra.parse, take: bool = True, **options: Any
    ) -> Hub:
        while running:
            running.pop().stop()
        hub = new_hub(store, tmp_path / "hub", ingested or engine_for(store), parse, take, **options)
        hub.start()
        running.append(hub)
        return hub

    yield make
    while running:
        running.pop().stop()


@pytest.fixture
def hub(hub_maker: HubMaker) -> Hub:
    return hub_maker()


@pytest.fixture
def client(hub: Hub) -> Iterator[httpx.Client]:
    """A client with the key."""
    with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}, trust_env=False) as opened:
        yield opened


@pytest.fixture
def bucket() -> Iterator[httpx.Client]:
    """A client without any."""
    with httpx.Client(trust_env=False) as opened:
        yield opened
