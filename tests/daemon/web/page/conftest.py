"""One browser for all tests of the page, and the site that they look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect
from starlette.types import ASGIApp
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Daemon
from tests.support.browser import DEADLINE_MS, Complaints, chromium
from tests.support.flood import Flood, Recorded

from oesd.model import Device, Recipe
from oesd.processing import Processing
from oesd.processing.explaining import explain
from oesd.service.elements import element_lines, molecule_bands
from oesd.service.golden import Golden
from oesd.store import Store
from oesd.web import Server, create_api
from oesd.web.feed import Feed
from oesd.web.shown import Shown, newest_shown
from oesd.web.watching import WatchDesk

_shared = ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """End the browser after the last test here: until then Playwright's event loop holds the thread."""
    yield
    if nextitem is None or nextitem.path.parent != item.path.parent:
        _shared.close()


@pytest.fixture(scope="session")
def browser() -> Browser:
    return _shared.enter_context(chromium())


@dataclass
class Site:
    """A store, what the daemon tells, and the server between them; it can be stopped and started on its port."""

    store: Store
    daemon: Daemon = field(default_factory=Daemon)
    port: int = 0
    watching: WatchDesk | None = None
    before: Callable[[ASGIApp], ASGIApp] | None = None

    def __post_init__(self) -> None:
        self.feed = self._new_feed()
        self._server: Server | None = None

    def _new_feed(self) -> Feed:
        return Feed(self.daemon.tell, partial(newest_shown, self.store))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        app = create_api(
            self.store,
            status=self.daemon.tell,
            healthy=lambda: True,
            token=TOKEN,
            feed=self.feed,
            capture=self.daemon.capture,
            runs=self.daemon,
            evidence=partial(explain, self.store),
            lines=element_lines,
            bands=molecule_bands,
            watching=self.watching,
            golden=Golden(self.store.directory),
        )
        self._server = Server(self.before(app) if self.before else app, port=self.port)
        self._server.start()
        self.port = self._server.port

    def stop(self) -> None:
        self.feed.end()  # as the daemon does: whoever listens would be waited for
        if self._server is not None:
            self._server.stop()
        self._server = None
        self.feed = self._new_feed()

    def measure(self, device: Device, *, seed: int = 1) -> str:
        """Store a spectrum with a made result, and tell it."""
        data_id = spectra.store_spectrum(self.store, device, seed=seed)
        self.show(data_id, device)
        return data_id

    def show(self, data_id: str, device: Device) -> None:
        result = self.store.result(data_id)
        assert result is not None
        self.feed.spectrum(Shown(device.name, result, result.analysis.scope_corrected * 0.0))

    def analyse(self, device: Device) -> str:
        """Store a spectrum and have the engine name it."""
        data_id = spectra.store_spectrum(self.store, device)
        self.reprocess(data_id)
        return data_id

    def reprocess(self, data_id: str) -> None:
        Processing(self.store, Recipe(), upload=False, beat=lambda _name, _within_s: None).process(data_id)

    def tell(self, *devices: Device, **changes: object) -> None:
        """Make what /status says: these spectrometers measure, and what else there is."""
        self.daemon.status = {
            "version": "0.1.0",
            "healthy": True,
            "simulated": True,
            "late": [],
            "problems": {},
            "data_dir": "/srv/oes",
            "spectrometers": [unit_of(device) for device in devices],
            "tally": asdict(self.store.tally()),
            "upload": {"state": "ok", "last_error": "refused, an hour ago"},
            **changes,
        }


def flooded(site: Site, device: Device, seeds: int = 8) -> Flood:
    """Serve the site's page from now on with events as fast as it takes them."""
    recorded = [Recorded("spectrum", shown_text(site, device, seed)) for seed in range(seeds)]

    def state(sent: int) -> str:
        tally = {**site.daemon.status["tally"], "captured": sent, "processed": sent}
        return json.dumps({**site.daemon.status, "tally": tally, "uptime_s": sent / 5, "version": f"after {sent}"})

    made: list[Flood] = []

    def before(app: ASGIApp) -> ASGIApp:
        made.append(Flood(app, recorded, state))
        return made[0]

    site.stop()
    site.before = before
    site.start()
    return made[0]


def taken(page: Page, flood: Flood, spectra: int) -> None:
    """Let so many more spectra come, and wait until the page has taken them all."""
    flood.limit += spectra
    expect(page.locator("#version")).to_have_text(f"oesd after {flood.limit}", timeout=4 * 3600 * 1000.0)


def shown_text(site: Site, device: Device, seed: int) -> str:
    """A spectrum as GET /events tells it."""
    result = site.store.result(spectra.store_spectrum(site.store, device, seed=seed))
    assert result is not None
    document = Shown(device.name, result, result.analysis.scope_corrected * 0.0).document(2400)
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def unit_of(device: Device, **changes: object) -> dict[str, Any]:
    return {
        "name": device.name,
        "serial": device.serial,
        "model": device.model,
        "simulated": True,
        "saturated_pixels": 0,
        "state": "measuring",
        "word": "measuring",
        "level": "good",
        "detail": "",
        "notes": [],
        "integration_us": 20_000,
        "line": "measuring by order since 2026-03-01 12:00 UTC",
        "run_labels": {},
        **changes,
    }


@pytest.fixture(scope="session")
def address() -> list[int]:
    """The port of all sites: what a browser has fetched and compiled once, it has."""
    return [0]


@pytest.fixture
def site(tmp_path: Path, address: list[int]) -> Iterator[Site]:
    with Store.open(tmp_path / "data") as store:
        made = Site(store, port=address[0])
        made.start()
        address[0] = made.port
        yield made
        made.stop()


Visit = Callable[..., Page]


def without_plotly(page: Page) -> None:
    """As where the package is missing: the sketch stays. Plotly takes a second to be read and compiled."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setBlockedURLs", {"urls": ["*plotly*"]})


@pytest.fixture(scope="session")
def context(browser: Browser) -> BrowserContext:
    size = ViewportSize(width=1280, height=1000)
    # Far from UTC and on the half hour: what is shown is the time of the place.
    opened = browser.new_context(viewport=size, color_scheme="light", timezone_id="America/St_Johns")
    opened.set_default_timeout(DEADLINE_MS)
    return opened


@pytest.fixture
def visit(context: BrowserContext, site: Site) -> Iterator[Visit]:
    """Open pages of the site; at the end no script may have complained."""
    complaints = Complaints()

    def open_page(view: str = "", *, plotly: bool = True) -> Page:
        page = complaints.watch(context.new_page())
        if not plotly:
            without_plotly(page)
        page.goto(f"{site.url}{view}")
        return page

    yield open_page
    for page in context.pages:
        page.evaluate("() => localStorage.clear()")
        page.close()
    assert complaints == []
