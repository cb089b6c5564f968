"""Who cannot see, point or wait: accessibility, the first picture, and the memory of a page that stays open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN
from tests.daemon.web.page.conftest import Site, flooded, taken, unit_of
from tests.daemon.web.page.test_watched import DEVICE, Desk
from tests.support.browser import kept

from oesd.model import RunRecord

SERIOUS = ("serious", "critical")
VIEWS = ("#live", "#history", "#runs", "#alarms", "#devices")


def findings(page: Page, within: str | None = None, **options: object) -> list[str]:
    told = Axe().run(page, within, options={"resultTypes": ["violations"], **options})
    violations = told.response["violations"]
    serious = [one for one in violations if one["impact"] in SERIOUS]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in serious for node in one["nodes"]]


def test_axe_finds_nothing_serious(site: Site, browser: Browser) -> None:
    """In the light theme everything; in the dark one, which changes colours only, what depends on them."""
    _filled(site)
    # The checker comes into the page from outside, which the page's policy rightly forbids.
    context = browser.new_context(color_scheme="light", bypass_csp=True, viewport={"width": 1024, "height": 768})
    page = context.new_page()
    page.goto(site.url)
    page.locator(".name").first.wait_for()
    page.locator(".peaks .line").first.click()
    page.locator(".why button.candidate").nth(1).click()
    page.locator("#token-text").wait_for()
    found = findings(page, "#token")
    page.evaluate("token => sessionStorage.setItem('oesd-token', token)", TOKEN)
    page.locator("#token-no").click()
    found += [finding for view in VIEWS for finding in _at(page, site, view)]
    page.locator("[data-order=start]").first.evaluate("one => { location.hash = 'live'; one.click(); }")
    found += findings(page)
    site.stop()
    expect(page.locator("h1")).to_have_text("No answer")
    found += findings(page, "header.top", runOnly=["color-contrast"])
    context.close()
    assert found == []


def _filled(site: Site) -> None:
    """An alarm, an action and a device that need a person, a run to compare, traces and an endpoint rule."""
    desk, device = Desk(), DEVICE
    site.stop()
    site.watching = desk
    site.start()
    run = RunRecord("run-1", device.name, 1_000_000, True, datetime.now(UTC) - timedelta(hours=1), 0, "boot")
    site.store.begin_run(run).result()
    site.analyse(device)
    due = unit_of(device, notes=[{"level": "wait", "text": "a dark is due"}])
    failed = {"standing": [], "failed": [{"name": "mail", "text": "no server", "level": "bad"}]}
    site.tell(spectrometers=[due], disk={"level": "bad", "line": "full"}, alarms=failed)


def _fill(page: Page, view: str) -> None:
    """Have what a view shows only when it is asked for."""
    if view == "#history":
        page.locator(".strip .js-line").first.wait_for()
    elif view == "#runs":
        page.locator("#run-rows").get_by_role("button", name="Compare").first.click()
        page.locator("#compare-rows tr").first.wait_for()
    elif view == "#alarms":
        page.locator("#alarm-list li[data-level=bad]").wait_for()
        page.get_by_role("button", name="Back-test").click()
        page.locator("#backtest-rows button").wait_for()


def _at(page: Page, site: Site, view: str) -> list[str]:
    page.goto(f"{site.url}{view}")
    page.locator(f"#view-{view[1:]}").wait_for()
    _fill(page, view)
    found = findings(page)
    page.emulate_media(color_scheme="dark")
    found += findings(page, runOnly=["color-contrast"])
    page.emulate_media(color_scheme="light")
    return found


def test_nothing_is_wider_than_a_tablet(site: Site, browser: Browser) -> None:
    device = spectra.device("chamber-with-a-long-name-of-its-own")
    site.analyse(device)
    site.tell(device)
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    page = context.new_page()
    page.goto(site.url)
    page.locator(".name").first.tap()
    expect(page.locator(".why h3")).to_be_visible()
    for width, height in ((1024, 768), (768, 1024)):
        page.set_viewport_size({"width": width, "height": height})
        for view in VIEWS:
            page.goto(f"{site.url}{view}")
            expect(page.locator(f"#view-{view[1:]}")).to_be_visible()
            # A plot that was drawn at another width follows in its own time.
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        page.goto(f"{site.url}#live")
        touched = page.locator("nav a, .orders button, .switches button, .peaks .line").filter(visible=True)
        assert min(touched.evaluate_all("all => all.map(one => one.offsetHeight)")) >= 32
    context.close()


def test_memory_of_a_page_that_stays_open(site: Site, browser: Browser) -> None:
    """A short one; ``python -m tests.bench.page`` plays a day."""
    device = spectra.device()
    site.tell(device)
    flood = flooded(site, device, seeds=3)
    page = browser.new_page()
    page.goto(site.url)
    page.locator(".canvas .js-line").first.wait_for()
    taken(page, flood, 100)
    before = kept(page)
    taken(page, flood, 400)
    after = kept(page)
    page.close()
    assert after.grown(before) < 1.2, (before, after)
