"""The hub's page: it shows what comes without being asked, a person's choice goes before, and it finds back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY, HubMaker
from tests.daemon.web.page.conftest import without_plotly
from tests.daemon.web.uploading import upload
from tests.support.browser import Complaints

from oesd.store import Store
from oesd.web import Feed, Hub, Shown
from oesd.web.shown import newest_stored


@pytest.fixture
def feed(store: Store) -> Iterator[Feed]:
    made = Feed(lambda: {"version": "1", "waiting": 2}, partial(newest_stored, store))
    yield made
    made.end()


@pytest.fixture
def page(context: BrowserContext, hub_maker: HubMaker, feed: Feed) -> Iterator[tuple[Page, Hub]]:
    hub, complaints = hub_maker(feed=feed), Complaints()
    opened = complaints.watch(context.new_page())
    without_plotly(opened)
    opened.goto(hub.url)
    yield opened, hub
    opened.close()
    assert complaints == []


def test_what_comes_is_shown_and_a_choice_goes_before(
    page: tuple[Page, Hub], store: Store, feed: Feed, bucket: httpx.Client
) -> None:
    opened, hub = page

    def comes(record: str, device: str) -> None:
        with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}, trust_env=False) as client:
            result = store.result(upload(client, bucket, spectra.file_bytes(record), f"{record}.txt"))
        assert result is not None
        feed.spectrum(Shown(device, result, None))

    rows, title, about = opened.locator("#rows tr"), opened.locator("#title"), opened.locator("#about")
    expect(opened.locator("h1")).to_have_text("Needs a key")
    opened.locator("#key").fill(KEY)
    opened.get_by_role("button", name="Show").click()
    expect(opened.locator("h1")).to_have_text("Connected")
    expect(opened.locator("#note")).to_contain_text("2 uploads wait for the engine")
    expect(rows).to_have_count(0)
    comes("REC-1", "chamber-a")
    expect(title).to_have_text("chamber-a, newest")
    expect(rows).to_have_count(1)
    comes("REC-2", "<b>chamber-b")
    expect(rows).to_have_count(2)
    expect(title).to_have_text("chamber-a, newest")
    opened.locator("#follow").select_option("<b>chamber-b")
    expect(title).to_have_text("<b>chamber-b, newest")
    opened.locator("#follow").select_option("chamber-a")
    rows.filter(has_text="REC-1").get_by_role("button").click()
    expect(title).to_have_text("REC-1.txt")
    comes("REC-3", "chamber-a")
    expect(rows).to_have_count(3)
    expect(title).to_have_text("REC-1.txt")
    expect(about).to_have_text(re.compile("peaks"))
    opened.get_by_role("button", name="Back to the newest").click()
    expect(title).to_have_text("chamber-a, newest")


def test_spectra_are_found_by_their_elements(page: tuple[Page, Hub], store: Store, bucket: httpx.Client) -> None:
    opened, hub = page
    with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}, trust_env=False) as client:
        ids = [upload(client, bucket, spectra.file_bytes(record), f"{record}.txt") for record in ("REC-1", "REC-2")]
    result = store.result(ids[0])
    assert result is not None
    first, *others = [found.element for found in result.analysis.elements]
    rows, title, elements = (
        opened.locator("#rows tr"),
        opened.locator("#title"),
        opened.get_by_label("Elements", exact=True),
    )
    opened.locator("#key").fill(KEY)
    elements.fill(f"{first.lower()}, {others[0]}")
    expect(opened.get_by_label("Find")).to_be_disabled()
    elements.press("Enter")
    expect(opened.locator("#list")).to_contain_text(f"Spectra that show {first} and {others[0]}")
    expect(rows).to_have_count(2)
    expect(rows.first.locator("td").nth(2)).to_contain_text(first)
    rows.first.get_by_role("button").focus()
    opened.keyboard.press("Enter")
    expect(title).to_have_text(re.compile(r", 2026-"))
    expect(opened.locator("#elements")).to_contain_text(first)
    elements.fill("Xx")
    elements.press("Enter")
    expect(rows).to_have_count(0)
    expect(opened.locator("#none")).to_contain_text("No spectrum of this hub shows Xx")
    elements.fill("")
    expect(opened.get_by_label("Find")).to_be_enabled()
    elements.press("Enter")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("REC-2.txt")
    expect(opened.get_by_role("columnheader", name="file")).to_be_visible()


def test_it_says_that_the_hub_is_silent_and_comes_back(
    context: BrowserContext, hub_maker: HubMaker, store: Store
) -> None:
    def served(port: int = 0) -> Hub:
        return hub_maker(feed=Feed(lambda: {"version": "1", "waiting": 0}, dict), port=port)

    hub = served()
    opened = context.new_page()
    without_plotly(opened)
    opened.goto(hub.url)
    opened.locator("#key").fill("wrong")
    opened.get_by_role("button", name="Show").click()
    expect(opened.locator("h1")).to_have_text("Refused")
    opened.locator("#key").fill(KEY)
    opened.get_by_role("button", name="Show").click()
    expect(opened.locator("h1")).to_have_text("Connected")
    port = int(hub.url.rpartition(":")[2])
    hub.stop()
    expect(opened.locator("h1")).to_have_text("No answer")
    served(port)
    expect(opened.locator("h1")).to_have_text("Connected")
    opened.close()
