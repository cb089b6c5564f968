"""The page's first picture in its parts, and what a page that stays open keeps: ``python -m tests.bench.page``.

The page stays open for 24 h at 5 spectra a second with the state once a second. A server sends them as fast as the page
takes them, each with ids of its own; connection, page and drawing are the real ones, drawn is as often as the browser
can. Memory is that of the scripts after collecting garbage, the nodes of the document and its listeners.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page
from tests.daemon.web import spectra
from tests.daemon.web.page.conftest import Site, flooded, taken
from tests.support.browser import Kept, chromium, kept

from oesd.store import Store

DAY = 24 * 3600 * 5
FIRST_MS, GROWTH = 1000.0, 1.2
VISITS = 9
STEPS = 24

# Milliseconds since the navigation began.
_PARTS = """() => {
  const of = (name) => performance.getEntriesByName(name)[0]?.startTime ?? NaN;
  const ours = (one) => /[.](js|css)$/.test(one.name) && !one.name.includes("plotly");
  const files = performance.getEntriesByType("resource").filter(ours);
  return {
    "document": performance.getEntriesByType("navigation")[0].responseEnd,
    "scripts and style": Math.max(...files.map((one) => one.responseEnd)),
    "first picture": of("first picture"),
    "plotly": of("plotly"),
  };
}"""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--spectra", type=int, default=DAY)
    asked.add_argument("--pixels", type=int, default=2048, help="of each spectrum: fewer are taken faster")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as place, Store.open(Path(place) / "data") as store, chromium() as browser:
        site = Site(store)
        site.start()
        device = spectra.device()
        site.measure(device)
        site.tell(device)
        parts = first_pictures(browser, site)
        for name in parts[0]:
            took_ms = [visit[name] for visit in parts]
            print(f"{name:20} {median(took_ms):6.0f} ms median of {VISITS}, {min(took_ms):.0f} to {max(took_ms):.0f}")
        grown = day(browser, site, given.spectra, given.pixels)
        site.stop()
    return int(median(visit["first picture"] for visit in parts) >= FIRST_MS or grown >= GROWTH)


def first_pictures(browser: Browser, site: Site) -> list[dict[str, float]]:
    """Visits of a browser that keeps nothing of the last one."""
    return [_visited(browser, site) for _ in range(VISITS + 1)][1:]


def _visited(browser: Browser, site: Site) -> dict[str, float]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.url)
    page.locator(".canvas .js-line").first.wait_for(timeout=60_000)
    found: dict[str, float] = page.evaluate(_PARTS)
    context.close()
    return found


def day(browser: Browser, site: Site, spectra_taken: int, pixels: int) -> float:
    """The greatest growth of scripts, nodes and listeners after the first hundredth."""
    flood = flooded(site, spectra.device(pixels=pixels))
    page = browser.new_page()
    page.goto(site.url)
    page.locator(".canvas .js-line").first.wait_for(timeout=60_000)
    taken(page, flood, max(300, spectra_taken // 100))
    after = before = kept(page)
    began_s = time.monotonic()
    _tell(page, before, 0, 0.0)
    for step in range(1, STEPS + 1):
        taken(page, flood, spectra_taken // STEPS)
        after = kept(page)
        _tell(page, after, step * (spectra_taken // STEPS), time.monotonic() - began_s)
    page.close()
    print(f"grown {after.grown(before):.2f}x after {spectra_taken / 5 / 3600:.1f} h at 5 spectra a second")
    return after.grown(before)


def _tell(page: Page, now: Kept, spectra_taken: int, took_s: float) -> None:
    drawn = page.evaluate("() => document.querySelector('.canvas').data?.length ?? 0")
    facts = f"{now.heap_bytes / 1e6:.2f} MB, {now.nodes} nodes, {now.listeners} listeners, {drawn} traces drawn"
    print(f"{spectra_taken:8} spectra in {took_s:5.0f} s: {facts}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
