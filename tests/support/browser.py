"""Debian's Chromium, driven by Playwright: no browser is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDED = "OESD_TEST_BROWSER"
DEADLINE_MS = 60_000.0

_OPTIONS = ["--no-sandbox", "--disable-gpu"]

# The map library in plotly's bundle brings a style of its own, which our policy refuses; we draw no maps.
_EXPECTED = ("Applying inline style violates", "Failed to load resource")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; without one a test skips, and fails where ``OESD_TEST_BROWSER=needed``."""
    if CHROMIUM is None:
        if os.environ.get(NEEDED) == "needed":
            pytest.fail("no Chromium here, and this run needs one: apt-get install chromium")
        pytest.skip("no Chromium here: apt-get install chromium")
    expect.set_options(timeout=DEADLINE_MS / 2)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


class Complaints(list[str]):
    """What a page's console says that it must not: errors of scripts, refusals of the security policy."""

    def watch(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", lambda said: self._heard(said.type, said.text))
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(_EXPECTED):
            self.append(text)


# Instead of a connection: a day of spectra is played as fast as they are drawn. Each comes as text, as from the daemon.
PLAYED = """
window.EventSource = class extends EventTarget {
  constructor() { super(); window.heard = this; setTimeout(() => this.dispatchEvent(new Event("open"))); }
  close() {}
};
window.play = async (event, texts, times, each) => {
  for (let i = 0; i < times; i++) {
    window.heard.dispatchEvent(new MessageEvent(event, { data: texts[i % texts.length] }));
    if (i % each === 0) await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }
};
"""


def heap_bytes(page: Page) -> float:
    """Memory of a page's scripts after what is not needed any more was let go."""
    session = page.context.new_cdp_session(page)
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return used
