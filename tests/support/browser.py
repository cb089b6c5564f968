"""Debian's Chromium, driven by Playwright: no browser is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDED = "OESD_TEST_BROWSER"
DEADLINE_MS = 30_000.0

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


@dataclass(frozen=True, slots=True)
class Kept:
    """What a page keeps after what is not needed any more was let go."""

    heap_bytes: float
    nodes: int
    listeners: int

    def grown(self, before: Kept) -> float:
        """The greatest of the three ratios to before."""
        pairs = zip(
            (self.heap_bytes, self.nodes, self.listeners),
            (before.heap_bytes, before.nodes, before.listeners),
            strict=True,
        )
        return max(now / then for now, then in pairs)


def kept(page: Page) -> Kept:
    session = page.context.new_cdp_session(page)
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    counted = session.send("Memory.getDOMCounters")
    session.detach()
    return Kept(used, counted["nodes"], counted["jsEventListeners"])
