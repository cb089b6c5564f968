"""Alarms, traces, endpoint rules and runs compared, as the page shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN
from tests.daemon.web.page.conftest import Site, Visit

from oesd.model import RunRecord
from oesd.store import Store
from oesd.watching.errors import WatchError
from oesd.web import documents

DEVICE = spectra.device()


class Desk:
    """What the daemon knows of one alarm, one rule and two traces."""

    def __init__(self) -> None:
        self.state = "raised"
        self.seen: list[tuple[str, str, str]] = []
        self.told: Callable[[Mapping[str, Any]], None] = lambda _: None

    def alarm(self) -> dict[str, Any]:
        return {
            "name": "air-leak",
            "device": DEVICE.name,
            "kind": "threshold",
            "state": self.state,
            "value": 0.081,
            "limit": 0.05,
            "level": {"raised": "bad", "acknowledged": "wait"}.get(self.state, "good"),
            "unit": "",
            "severity": "critical",
            "text": "N2_337.1 / Ar_750.4 is above 0.05: close the <gas>",
            "since_utc": datetime.now(UTC).isoformat(),
            "acknowledged_by": self.seen[-1][2] if self.seen else "",
            "acknowledged_at_utc": None,
            "needs_acknowledge": self.state == "raised",
        }

    def endpoint(self) -> dict[str, Any]:
        return {
            "name": "oxide-open",
            "device": DEVICE.name,
            "trace": "copper",
            "rule": "cusum",
            "definition": "copper rises",
            "state": "watching",
            "at_utc": None,
            "run_id": "",
            "text": "",
            "false_alarm_in": 100_000,
        }

    def listen(self, told: Callable[[Mapping[str, Any]], None]) -> None:
        self.told = told

    def alarms(self) -> Mapping[str, Any]:
        return {"alarms": [self.alarm()], "endpoints": [self.endpoint()], "actions": []}

    def acknowledge(self, name: str, device: str, by: str) -> Sequence[str] | None:
        self.seen.append((name, device, by))
        self.state = "acknowledged"
        self.told(self.alarm())
        return [device]

    def events(self, since: datetime | None, until: datetime | None, limit: int) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "at_utc": datetime.now(UTC).isoformat(),
                "kind": "alarm",
                "name": "air-leak",
                "device": DEVICE.name,
                "from": "ok",
                "to": "raised",
                "text": "<b>0.081",
                "value": 0.081,
                "by": "",
                "run_id": "",
            }
        ]

    def traces(self) -> Sequence[Mapping[str, Any]]:
        lines = {"name": "copper", "definition": "Cu_324.8 / Ar_811.5", "refused": ""}
        close = {
            "name": "te",
            "definition": "Ar_420.1 / Ar_419.8",
            "refused": "420.07 and 419.83 nm cannot be resolved",
        }
        return [
            {"device": DEVICE.name, "kind": "formula", "unit": "", "notes": [], "last": None, **one}
            for one in (lines, close)
        ]

    def series(
        self, name: str, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[Mapping[str, Any], dict[str, list[Any]]] | None:
        if name == "Xx_1.0":
            raise WatchError("no line Xx_1.0; the nearest is Xe_0.9")
        now = datetime.now(UTC)
        at = [int((now - timedelta(seconds=60 - i)).timestamp() * 1e6) for i in range(60)]
        states = ["not detected" if i < 5 else "measured" for i in range(60)]
        event = {
            "at_utc": (now - timedelta(seconds=20)).isoformat(),
            "kind": "alarm",
            "name": "air-leak",
            "text": "<b>up",
            "level": "bad",
        }
        about = {
            "name": name,
            "device": device,
            "unit": "",
            "definition": "Cu_324.8 / Ar_811.5",
            "refused": "",
            "runs": [],
            "events": [event],
        }
        columns: dict[str, list[Any]] = {
            "taken_at_us": at,
            "value": [0.01 * i for i in range(60)],
            "sigma": [0.01] * 60,
        }
        return about, {**columns, "upper": [0.02] * 60, "state": states, "run": [0] * 60}

    def peaks(self, nm: float, device: str, since: datetime | None, until: datetime | None) -> Any:
        return self.series(str(nm), device, since, until)

    def formula(self, text: str, device: str, since: datetime | None, until: datetime | None) -> Any:
        if "Ar_751.5" in text:
            raise WatchError("Ar_750.4 and Ar_751.5 are 1.08 nm apart: they cannot be told apart")
        return self.series(text, device, since, until)

    def back_test(
        self, rule: str | Mapping[str, Any], device: str, runs: Sequence[str], last: int
    ) -> Mapping[str, Any]:
        run = {
            "run_id": "r1",
            "began_utc": "2026-11-22T10:00:00Z",
            "points": 900,
            "skipped": 0,
            "same_as_live": True,
            "fired": {"at_utc": "2026-11-22T10:01:00Z", "run_s": 60.0, "why": "its sum passed 9.2"},
            "live": {"at_utc": "2026-11-22T10:01:00Z"},
        }
        trace = {"run_s": [0.0, 60.0], "value": [1.0, 2.0], "statistic": [0.0, 10.0], "limit": [9.2, 9.2]}
        return {
            "rule": {},
            "device": device,
            "runs": [{**run, "trace": trace} if runs else run],
            "false_alarm_in": 100_000,
            "sentence": "fired in 1 of 1 runs, as live",
        }

    def compare(self, run: str, golden: str, device: str, by: str) -> Mapping[str, Any]:
        species = [
            {
                "species": "Cu",
                "lines": ["Cu_324.8"],
                "run": 2.0,
                "golden": 1.0,
                "difference": 1.0,
                "sigma": 0.1,
                "ratio": 2.0,
                "z": 10.0,
                "p": 0.0,
                "p_corrected": 0.0,
                "different": True,
                "sentence": "Cu is twice as bright",
            }
        ]
        return {
            "run": run,
            "golden": golden,
            "device": device,
            "aligned": {"sentence": "aligned by all light"},
            "species": species,
            "sentence": "One species differs.",
            "times_s": [0.0, 1.0],
            "series": {"Cu": {"run": [1.0, 2.0], "golden": [1.0, 1.5]}},
            "notes": [],
        }


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def site(tmp_path: Path, address: list[int], desk: Desk) -> Iterator[Site]:
    with Store.open(tmp_path / "data") as store:
        made = Site(store, port=address[0], watching=desk)
        desk.listen(made.feed.alarm)
        made.start()
        address[0] = made.port
        began = datetime.now(UTC) - timedelta(hours=1)
        store.begin_run(
            RunRecord("run-1", DEVICE.name, 1_000_000, True, began, 0, "boot", labels={"sample": "<i>7"})
        ).result()
        made.measure(DEVICE)
        made.tell(DEVICE)
        yield made
        made.stop()


def test_what_the_desk_here_tells_is_as_the_api_describes_it(desk: Desk) -> None:
    documents.Alarms.model_validate(desk.alarms())
    documents.WatchEvents.model_validate({"events": desk.events(None, None, 9)})
    documents.Traces.model_validate({"traces": desk.traces()})
    documents.BackTest.model_validate(desk.back_test("oxide-open", DEVICE.name, ["r1"], 1))
    documents.RunComparison.model_validate(desk.compare("run-1", "run-1", DEVICE.name, ""))


def test_an_alarm_needs_you_until_it_is_acknowledged(site: Site, visit: Visit, desk: Desk) -> None:
    page = visit("#alarms")
    expect(page.locator("h1")).to_have_text("Needs you: alarm air-leak")
    expect(page.locator("#reasons")).to_contain_text(
        "Alarm air-leak (chamber-a): N2_337.1 / Ar_750.4 is above 0.05: close the <gas>"
    )
    expect(page.locator("#badge")).to_have_text("1")
    expect(page.locator("#alarm-events")).to_contain_text("<b>0.081")
    page.locator("#alarm-by").fill("mk")
    page.get_by_role("button", name="Acknowledge").click()
    page.locator("#token-text").fill(TOKEN)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#alarms-said")).to_have_text("air-leak is acknowledged.")
    expect(page.locator("h1")).to_have_text("Measuring")
    assert desk.seen == [("air-leak", "chamber-a", "mk")]
    desk.state = "raised"
    desk.told(desk.alarm())
    expect(page.locator("h1")).to_have_text("Needs you: alarm air-leak")
    desk.acknowledge("air-leak", DEVICE.name, "mk")
    expect(page.locator("h1")).to_have_text("Measuring")
    site.tell(DEVICE, alarms={"standing": [], "failed": [{"name": "mail", "text": "no server", "level": "bad"}]})
    expect(page.locator("#reasons")).to_contain_text("Action mail failed: no server")
    page.locator("#reasons a", has_text="mail").click()
    expect(page.locator("#view-alarms")).to_be_visible()


# What a tab does when it is seen no more, or again.
_SEEN = """seen => {
  Object.defineProperty(document, "visibilityState", { value: seen ? "visible" : "hidden", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_an_alarm_of_a_time_without_a_connection_is_shown_after_it(site: Site, visit: Visit, desk: Desk) -> None:
    desk.state = "ok"
    page = visit(plotly=False)
    expect(page.locator("h1")).to_have_text("Measuring")
    site.stop()
    expect(page.locator("h1")).to_have_text("No answer")
    desk.state = "raised"
    site.start()
    expect(page.locator("h1")).to_contain_text("Needs you")
    expect(page.locator("#badge")).to_have_text("1")
    page.evaluate(_SEEN, False)
    desk.state = "ok"
    page.evaluate(_SEEN, True)
    expect(page.locator("h1")).to_have_text("Measuring")
    expect(page.locator("#badge")).to_have_text("")


def test_a_rule_is_tried_on_stored_runs_with_one_click(site: Site, visit: Visit) -> None:
    page = visit("#alarms")
    page.get_by_role("button", name="Back-test").click()
    page.locator("#token-text").fill(TOKEN)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#backtest-said")).to_have_text("oxide-open: fired in 1 of 1 runs, as live")
    expect(page.locator("#backtest-rows")).to_contain_text("60.0 s: its sum passed 9.2")
    page.locator("#backtest-rows button").click()
    expect(page.locator("#backtest-chart .js-line").first).to_be_visible()


# What a trace's axis of time shows.
_SHOWN = "() => document.querySelector('.strip .chart').layout.xaxis.range"


# How many minutes a tick's clock is behind the one of this place.
_AGO_MIN = """text => {
  const now = new Date(), [hours, minutes] = text.split(":").map(Number);
  return (1440 + now.getHours() * 60 + now.getMinutes() - hours * 60 - minutes) % 1440;
}"""


def zoom(page: Page) -> object:
    """Drag over the middle of the first trace."""
    before = page.evaluate(_SHOWN)
    plot = page.locator(".strip .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=4)
    page.mouse.up()
    page.wait_for_function(f"before => JSON.stringify(({_SHOWN})()) !== JSON.stringify(before)", arg=before)
    return page.evaluate(_SHOWN)


def test_traces_with_events_and_the_waterfall(site: Site, visit: Visit) -> None:
    page = visit("#history")
    expect(page.locator("#waterfall .hm image")).to_be_visible()
    expect(page.locator(".strip h3")).to_have_text("copperCu_324.8 / Ar_811.50.59")
    expect(page.locator(".strip .js-line").first).to_be_visible()
    expect(page.locator(".strip p")).to_contain_text("<b>up")
    expect(page.locator("#trace-picks .refused")).to_have_attribute(
        "title", "Ar_420.1 / Ar_419.8 420.07 and 419.83 nm cannot be resolved"
    )
    assert page.evaluate(_AGO_MIN, page.locator(".strip .xtick text").first.text_content()) <= 2
    zoomed = zoom(page)
    page.locator("#history-line").fill("Xx_1.0")
    page.locator("#history-line").press("Enter")
    expect(page.locator(".strip").nth(1)).to_contain_text("no line Xx_1.0; the nearest is Xe_0.9")
    assert page.evaluate(_SHOWN) == zoomed, "new points come, the zoom stays"
    for typed, told in (("Ar_750.4 / Ar_751.5", "cannot be told apart"), ("F_703.7 / Ar_750.4", "<b>up")):
        page.locator("#history-line").fill(typed)
        page.locator("#history-line").press("Enter")
        expect(page.locator(".strip", has_text=typed).locator("p")).to_contain_text(told)
    page.reload()
    expect(page.locator(".strip", has_text="F_703.7 / Ar_750.4").locator("p")).to_contain_text("<b>up")
    box = page.locator("#waterfall .nsewdrag").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#view-live")).to_be_visible()
    expect(page.locator(".panel")).to_have_class("panel held")


def test_a_run_gets_labels_and_is_compared_with_the_golden_one(site: Site, visit: Visit) -> None:
    page = visit("#runs")
    expect(page.locator("#run-rows tr")).to_contain_text("sample=<i>7")
    golden = page.locator("#run-rows tr").first.get_by_role("button", name="golden")
    golden.click()
    page.locator("#token-text").fill(TOKEN)
    page.get_by_role("button", name="Go on").click()
    expect(golden).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(golden).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="labels").click()
    expect(page.locator("#ask-labels")).to_have_value("sample=<i>7")
    page.locator("#ask-labels").fill("wafer=W 1\nnote=<b>")
    page.get_by_role("button", name="Change").click()
    expect(page.locator("#runs-said")).to_have_text("chamber-a: wafer=W 1, note=<b> from the next spectrum on")
    assert site.daemon.ordered == [("label", "run-1", {"sample": None, "wafer": "W 1", "note": "<b>"}, DEVICE.name)]
    page.locator("#run-rows tr").first.get_by_role("button", name="Compare").click()
    expect(page.locator("#compare-said")).to_have_text("One species differs.")
    expect(page.locator("#compare-how")).to_have_text("aligned by all light")
    expect(page.locator("#compare-rows tr")).to_have_text("Cu211 ± 0.1 (+100.0 %)10Cu is twice as bright")
    expect(page.locator("#compare-chart .js-line").first).to_be_visible()
    site.stop()
    page.locator("#compare-tools button").click()
    expect(page.locator("#compare-said")).to_have_text("They cannot be compared: the daemon does not answer")
