"""Photographs of the page in every state, for a person to look at: ``python -m tests.bench.screens [FOLDER]``.

A simulated daemon runs for a while, with traces, an alarm and an endpoint rule; states that it does not reach by itself
(faults, nothing plugged in, no answer) are told by a server of the tests. The README's picture, ``daemon/page.png``, is
one of them: ``--readme`` renews it.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Error, Page
from tests.daemon.web import spectra
from tests.daemon.web.page.conftest import Site, unit_of
from tests.support.browser import chromium
from tests.support.daemons import Daemon, until

from oesd.store import Store

DESK, WIDE_TABLET, TALL_TABLET = (1280, 1000), (1024, 768), (768, 1024)
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tests" / "support" / "screens.toml"
README = "live-light"
Act = Callable[[Page], None]


class Studio:
    """Takes a picture of an address after something was done there."""

    def __init__(self, browser: Browser, folder: Path, only: str) -> None:
        self._browser = browser
        self._folder = folder
        self.only = only

    def take(
        self, name: str, url: str, act: Act = lambda _: None, *, size: tuple[int, int] = DESK, scheme: str = "light"
    ) -> None:
        if not name.startswith(self.only):
            return
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=size != DESK,
        )
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto(url)
        try:
            act(page)
        except Error as problem:
            print(f"{name}: {problem.message.splitlines()[0]}")
        page.wait_for_timeout(1500)
        page.screenshot(path=self._folder / f"{name}.png")
        print(self._folder / f"{name}.png")
        context.close()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", nargs="?", type=Path, default=Path("screens"))
    asked.add_argument("--seconds", type=float, default=60.0, help="how long the daemon measures before")
    asked.add_argument("--only", default="", help="only pictures whose name begins so")
    asked.add_argument("--readme", action="store_true", help="renew daemon/page.png")
    given = asked.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        studio = Studio(browser, given.folder, given.only)
        told(studio, Path(place))
        with simulated(Path(place) / "data", given.seconds) as daemon:
            measuring(studio, daemon)
            steered(studio, daemon)
            hub(studio, daemon)
            alarmed(studio, daemon)
    if given.readme:
        shutil.copy(given.folder / f"{README}.png", ROOT / "daemon" / "page.png")


@contextmanager
def simulated(data: Path, seconds: float) -> Iterator[Daemon]:
    """Measure with two runs, so that one can be compared with the other."""
    config = data.parent / "screens.toml"
    config.write_text(f'data_dir = "{data}"\n{CONFIG.read_text(encoding="utf-8")}', encoding="utf-8")
    with Daemon.simulated(data, "--config", str(config)) as daemon:
        until(lambda: daemon.get("/status")["tally"]["processed"] >= 2)
        for label in ("GaN-6", "GaN-7"):
            body = {"action": "start", "device": "", "labels": {"sample": label}}
            httpx.post(f"{daemon.url()}/runs", json=body, headers=key_of(data / "api-token"), trust_env=False)
            time.sleep(seconds / 2)
        yield daemon
        daemon.end(signal.SIGTERM)


def key_of(path: Path) -> dict[str, str]:
    return {"X-API-KEY": path.read_text(encoding="utf-8").strip()}


def drawn(page: Page) -> None:
    page.locator(".name").first.wait_for()


def measuring(studio: Studio, daemon: Daemon) -> None:
    url = daemon.url()
    studio.take("live-light", url, drawn)
    studio.take("live-dark", url, drawn, scheme="dark")
    studio.take("live-tablet", url, drawn, size=WIDE_TABLET)
    studio.take("live-tablet-tall", url, drawn, size=TALL_TABLET, scheme="dark")
    studio.take("live-log-lines", url, lines_of_copper)
    studio.take("live-raw-dark", url, raw_with_reference, scheme="dark")
    studio.take("live-corrections", url, corrections)
    studio.take("history-light", f"{url}/#history", waterfall)
    for view in ("runs", "devices"):
        studio.take(f"{view}-light", f"{url}/#{view}", settled)
    studio.take("history-traces-light", f"{url}/#history", traces)
    studio.take("history-dark", f"{url}/#history", waterfall, scheme="dark")
    studio.take("history-tablet", f"{url}/#history", traces, size=WIDE_TABLET, scheme="dark")
    studio.take("runs-tablet-tall", f"{url}/#runs", settled, size=TALL_TABLET, scheme="dark")
    studio.take("devices-tablet-tall", f"{url}/#devices", settled, size=TALL_TABLET)
    studio.take("devices-below-dark", f"{url}/#devices", below, scheme="dark")


def alarmed(studio: Studio, daemon: Daemon) -> None:
    if not "alarm".startswith(studio.only) and not studio.only.startswith("alarm"):
        return
    until(lambda: any(one["state"] == "raised" for one in daemon.get("/alarms")["alarms"]), 400.0)
    url = daemon.url()
    studio.take("alarm-light", url, drawn)
    studio.take("alarms-light", f"{url}/#alarms", lambda page: page.wait_for_timeout(2000))
    studio.take(
        "alarms-tablet-dark",
        f"{url}/#alarms",
        lambda page: page.wait_for_timeout(2000),
        size=WIDE_TABLET,
        scheme="dark",
    )


def settled(page: Page) -> None:
    page.wait_for_timeout(4000)


def below(page: Page) -> None:
    settled(page)
    page.mouse.wheel(0, 5000)


def waterfall(page: Page) -> None:
    page.locator("#waterfall .hm image").wait_for()


def traces(page: Page) -> None:
    page.locator(".strip .js-line").first.wait_for()
    page.locator(".strip").last.scroll_into_view_if_needed()


def raw_with_reference(page: Page) -> None:
    drawn(page)
    page.locator("[data-show=raw]").first.click()
    page.locator("[data-show=reference]").first.click()


def corrections(page: Page) -> None:
    drawn(page)
    page.locator(".corrections summary").first.click()


def lines_of_copper(page: Page) -> None:
    drawn(page)
    page.locator("[data-show=log]").first.click()
    page.locator(".of input").first.fill("Cu Al")
    page.locator(".of input").first.press("Enter")
    page.locator("[data-zoom=closer]").first.click()


def choose(page: Page) -> None:
    drawn(page)
    page.locator("tr", has_text="Ar I 763.51").first.click()
    page.locator(".why button.candidate").first.wait_for()


def choose_element(page: Page) -> None:
    drawn(page)
    page.locator(".chip").first.click()
    page.locator(".why table").wait_for()


def asked_for_the_token(page: Page) -> None:
    choose(page)
    page.locator(".why button.candidate").nth(1).click()
    page.locator("#token-text").wait_for()


def steered(studio: Studio, daemon: Daemon) -> None:
    url, token = daemon.url(), key_of(daemon.data / "api-token")["X-API-KEY"]

    def compare(page: Page) -> None:
        page.locator("#run-rows tr").nth(3).wait_for()
        rows = page.locator("#run-rows tr").filter(has_text="SIM00001")
        golden = rows.filter(has_text="GaN-6").get_by_role("button", name="golden")
        if golden.get_attribute("aria-pressed") == "false":
            golden.click()
            paste(page)
        rows.filter(has_text="GaN-7").get_by_role("button", name="Compare").click()
        page.locator("#compare-chart .js-line").first.wait_for()
        page.locator("#compare-chart").scroll_into_view_if_needed()

    def golden_spectrum(page: Page) -> None:
        drawn(page)
        page.locator(".keep").first.click()
        paste(page)
        page.locator("[data-show=log]").first.click()
        page.locator(".canvas .js-line").first.wait_for()

    def paste(page: Page) -> None:
        page.locator("#token-text").fill(token)
        page.get_by_role("button", name="Go on").click()

    def labels(page: Page) -> None:
        page.locator("#run-rows").get_by_role("button", name="labels").first.click()

    def formula(page: Page) -> None:
        for typed in ("Ar_763.5 / Ar_811.5", "Ar_750.4 / Ar_751.5"):
            page.locator("#history-line").fill(typed)
            page.locator("#history-line").press("Enter")
            page.locator(".strip", has_text=typed).wait_for()
        page.locator(".strip .js-line").first.wait_for()
        page.locator("#traces-said").scroll_into_view_if_needed()

    def bands(page: Page) -> None:
        drawn(page)
        page.locator(".of input").first.fill("N2 CN Cu")
        page.locator(".of input").first.press("Enter")
        page.locator(".canvas .js-line").first.wait_for()

    def backtest(page: Page) -> None:
        page.get_by_role("button", name="Back-test").first.click()
        paste(page)
        page.locator("#backtest-rows button").first.click()
        page.locator("#backtest-chart .js-line").first.wait_for()
        page.locator("#backtest-table").scroll_into_view_if_needed()

    studio.take("peak-light", url, choose)
    studio.take("peak-tablet-tall", url, choose, size=TALL_TABLET)
    studio.take("element-dark", url, choose_element, scheme="dark")
    studio.take("token", url, asked_for_the_token)
    studio.take("order", url, lambda page: page.locator("[data-order=start]").first.click())
    studio.take("golden", url, golden_spectrum)
    studio.take("bands", url, bands)
    studio.take("labels", f"{url}/#runs", labels)
    studio.take("formula", f"{url}/#history", formula)
    studio.take("compare", f"{url}/#runs", compare)
    studio.take("compare-tablet-dark", f"{url}/#runs", compare, size=WIDE_TABLET, scheme="dark")
    studio.take("backtest", f"{url}/#alarms", backtest)


def hub(studio: Studio, daemon: Daemon) -> None:
    url = daemon.get("/status")["hub"]
    key = key_of(daemon.data / "hub" / "api-key")["X-API-KEY"]

    def paste(page: Page) -> None:
        page.locator("#key").fill(key)
        page.get_by_role("button", name="Show").click()
        page.locator("#rows tr", has_text="success").first.wait_for()
        page.locator(".name").first.wait_for()

    def choose(page: Page) -> None:
        paste(page)
        page.locator("#rows tr", has_text="success").first.click()
        page.get_by_role("button", name="Back to the newest").wait_for()

    def find(page: Page, names: str) -> None:
        paste(page)
        page.locator("#named").fill(names)
        page.keyboard.press("Enter")
        page.locator("#list", has_text="that show").wait_for()
        page.locator("#list").scroll_into_view_if_needed()

    studio.take("hub-key", url)
    studio.take("hub-elements", url, lambda page: find(page, "Cu, ar"))
    studio.take("hub-elements-none", url, lambda page: find(page, "Xx"))
    studio.take("hub-light", url, paste)
    studio.take("hub-dark-tablet", url, choose, scheme="dark", size=WIDE_TABLET)


def told(studio: Studio, place: Path) -> None:
    """States that a server of the tests tells."""
    with Store.open(place / "store") as store:
        site = Site(store)
        site.start()
        site.tell(simulated=False)
        studio.take("empty", site.url)
        for view in ("history", "runs", "alarms", "devices"):
            studio.take(f"empty-{view}", f"{site.url}#{view}")
        device = spectra.device()
        spectra.store_spectrum(store, device, processed=False)
        site.tell(device)
        studio.take("first-spectrum-waits", site.url)
        site.measure(device)
        due = {
            "level": "wait",
            "text": "a dark is due: 1.4 K warmer; block the light, then: oesd capture dark",
        }
        idle = unit_of(device, state="idle", word="idle", level="wait", line="idle since 12:00 UTC", notes=[due])
        site.tell(spectrometers=[idle])
        studio.take("waiting", site.url, drawn)
        full = {
            "store": "no room on the disk: delete files or set [retention]",
            "disk": {"level": "bad", "line": "0.3 GB left: nothing more is taken"},
            "unrecorded": {"disk full": 212},
            "advice": {"disk full": "make room: oldest confirmed spectra go by themselves with [retention]"},
        }
        site.tell(device, **full)
        studio.take("disk-full", site.url, drawn)
        faults(site)
        studio.take("fault", site.url, drawn)
        studio.take("fault-tablet-dark", site.url, drawn, size=WIDE_TABLET, scheme="dark")

        def silent(page: Page) -> None:
            drawn(page)
            site.stop()
            page.locator("h1", has_text="No answer").wait_for()

        studio.take("no-answer", site.url, silent)


def faults(site: Site) -> None:
    device = spectra.device()
    gone = unit_of(
        device,
        state="device gone",
        word="device gone",
        level="bad",
        simulated=False,
        saturated_pixels=14,
        line="device gone since 2026-11-22 11:40 UTC: no answer within 2 s; trying again in 8 s",
        notes=[
            {"level": "bad", "text": "to do: look at its cable and its power"},
            {"level": "wait", "text": "14 pixels are saturated at 20 ms: shorten the integration time"},
        ],
    )
    site.tell(
        simulated=False,
        healthy=False,
        spectrometers=[gone],
        disk={"level": "bad", "line": "1.2 GB left: full in 3 h"},
        tally={
            "captured": 84_220,
            "stored": 82_110,
            "processed": 82_102,
            "waiting": 8,
            "uploaded": 60_000,
            "confirmed": 59_990,
            "pending": 22_109,
            "quarantined": 1,
            "lost": {"device gone": 1980, "overrun": 130},
            "darks": 96,
            "references": 12,
        },
        day={"lost": {"device gone": 1980, "overrun": 130}},
        problems={"usb:3.1": "permission denied: install the udev rules"},
        advice={"device gone": "look at its cable and its power", "overrun": "raise [capture] every, or lower scans"},
        upload={
            "state": "credential blocked",
            "blocked": "401 wrong API key",
            "last_error": "401",
            "remote": {"differing": 3, "conflicting": 2},
        },
    )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
