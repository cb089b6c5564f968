"""What the page says: measuring, waiting, faults, nothing there, nobody answers; foreign text stays text."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from importlib.resources import files
from itertools import pairwise

from playwright.sync_api import Page, expect
from tests.daemon.web import spectra
from tests.daemon.web.page.conftest import Site, Visit, unit_of

from oesd.model import Ambiguity, ElementFinding

HOSTILE = '"><img src=x onerror="document.title=1"><script>alert(1)</script>'


# How many pixels of the first sketch have the colour of a theme's name.
_COLOURED = """name => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const wanted = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number);
  const sheet = document.querySelector(".sheet");
  const { data } = sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height);
  const near = (at) => data[at + 3] > 200 && wanted.every((one, j) => Math.abs(data[at + j] - one) < 9);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) if (near(at)) found++;
  return found;
}"""


def says(page: Page, *words: str) -> None:
    for word in words:
        expect(page.locator("body")).to_contain_text(word)


def test_spectrum_peaks_and_elements_are_shown_and_foreign_text_stays_text(site: Site, visit: Visit) -> None:
    first = spectra.device("chamber-a", serial=HOSTILE)
    second = replace(spectra.device("sputter-2", pixels=3648), model="USB4000<b>")
    for device in (second, first):
        site.measure(device)
    site.tell(first, second)
    page = visit(plotly=False)
    expect(page.locator("h1")).to_have_text("Measuring")
    expect(page).to_have_title("Measuring · oesd")
    expect(page.locator("#simulated")).to_be_visible()
    expect(page.locator("#reasons")).to_be_hidden()
    says(page, HOSTILE, "USB4000<b>", "2 of 2 spectrometers measuring")
    assert page.locator("article.panel h2").all_text_contents() == ["chamber-a", "sputter-2"], "in the order of names"
    assert page.locator("img").count() == 0
    peaks = sum(len(lines) for lines in spectra.LINES.values())
    expect(page.locator("tbody tr[data-peak]")).to_have_count(2 * peaks)
    panel = page.locator("article.panel").first
    expect(panel.locator("tr", has_text="763.51").first).to_contain_text("Ar I 763.51")
    for label in ("Ar 763.5", "Cu 324.8", "Al 396.1"):
        expect(panel.locator(".name", has_text=label)).to_be_visible()
    expect(panel.locator(".chip")).to_have_text(["Ar>0.99", "Cu0.99", "Al0.98"])
    assert page.evaluate(_COLOURED, "--trace") > 100, "pixels of the spectrum on the sketch"
    expect(panel.locator(".canvas")).to_have_attribute("data-trouble", re.compile("pip install plotly"))
    says(page, "2 spectra were due = 2 waiting to go up", "2 analysed")


def test_names_above_the_peaks_do_not_overlap(site: Site, visit: Visit) -> None:
    site.measure(spectra.device())
    site.tell(spectra.device())
    page = visit(plotly=False)
    expect(page.locator(".name").nth(20)).to_be_visible()
    left = "all => all.map(one => one.getBoundingClientRect().x).sort((a, b) => a - b)"
    assert min(b - a for a, b in pairwise(page.locator(".name").evaluate_all(left))) >= 14.9


def test_faults_are_said_with_what_to_do(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.measure(device)
    gone = unit_of(
        device,
        name="b",
        state="device gone",
        word="device gone",
        level="bad",
        line="device gone since 12:00",
        notes=[{"level": "bad", "text": "to do: look at its <cable>"}],
    )
    tally = {
        **asdict(site.store.tally()),
        "captured": 18,
        "lost": {"device gone": 14, "over<i>run": 2},
        "quarantined": 1,
    }
    site.tell(
        simulated=False,
        healthy=False,
        spectrometers=[gone],
        tally=tally,
        late=["forwarder"],
        problems={"usb:3.1": "permission denied"},
        store="the disk is full",
        disk={"level": "bad", "line": "no room for spectra"},
        day={"lost": {"device gone": 1200, "over<i>run": 2}},
        unrecorded={"disk full": 7, "device gone": 1},
        advice={"device gone": "look at its cable", "disk full": "make room"},
        upload={
            "state": "credential blocked",
            "blocked": "401 wrong API key",
            "last_error": "x",
            "remote": {"differing": 3, "conflicting": 2},
        },
    )
    page = visit(plotly=False)
    expect(page.locator("h1")).to_have_text("Needs you")
    says(
        page,
        "b: device gone since 12:00; look at its <cable>",
        "usb:3.1: permission denied",
        "forwarder does not answer",
        "Disk: no room for spectra",
        "Spectra cannot be stored: the disk is full",
        "and 3 more",
        "1 201 device gone: look at its cable",
        "7 disk full: make room",
        "2 over<i>run",
        "18 spectra were due",
        "16 lost",
        "1 set aside",
        "look at its <cable>",
    )
    expect(page.locator("#simulated")).to_be_visible()


def test_upload_and_conflicts_of_the_api_are_said(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.measure(device)
    site.tell(
        device, upload={"state": "unreachable", "last_error": "no route", "remote": {"differing": 3, "conflicting": 2}}
    )
    page = visit("#devices", plotly=False)
    says(page, "Upload unreachable: no route; spectra wait here", "2 choices by hand differ from the API's", "no route")
    expect(page.locator("h1")).to_have_text("Needs you")


def test_waiting_and_what_is_due(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.measure(device)
    due = [{"level": "wait", "text": "a dark is due: no dark yet; block the light, then: oesd capture dark"}]
    site.tell(
        spectrometers=[unit_of(device, state="idle", word="idle", level="wait", line="idle since 12:00", notes=due)]
    )
    page = visit(plotly=False)
    expect(page.locator("h1")).to_have_text("Waiting")
    expect(page.locator("#reasons li")).to_have_text(
        "Notechamber-a: a dark is due: no dark yet; block the light, then: oesd capture dark"
    )


def test_nothing_there_says_what_to_do(site: Site, visit: Visit) -> None:
    site.tell(simulated=False)
    page = visit(plotly=False)
    expect(page.locator("h1")).to_have_text("Waiting")
    says(page, "no spectrometer is plugged in", "No spectrometer yet", "oesd devices")
    expect(page.locator("#simulated")).to_be_hidden()
    for view, words in (("#history", "No spectrometer yet"), ("#runs", "No run yet"), ("#devices", "Plug one in")):
        page.goto(f"{site.url}{view}")
        expect(page.locator("main")).to_contain_text(words)


def test_an_entry_that_still_waits(site: Site, visit: Visit) -> None:
    spectra.store_spectrum(site.store, spectra.device(), processed=False)
    site.tell(spectra.device())
    says(visit(plotly=False), "No processed spectrum yet.")


def test_what_is_ambiguous_and_molecules_are_shown(site: Site, visit: Visit) -> None:
    device = spectra.device()
    made = spectra.analysis(device.wavelengths_nm, spectra.counts(device.wavelengths_nm))
    unsure = made.detected_peaks[0]._replace(element=None, ambiguous=True)
    data_id = spectra.store_spectrum(site.store, device, processed=False)
    measured = site.store.measurement(data_id)
    assert measured is not None
    unclear = replace(
        made,
        sample=measured.sample,
        molecules=(ElementFinding("N2", 0.93),),
        detected_peaks=(unsure, *made.detected_peaks[1:]),
        ambiguous=(Ambiguity(("Ga", "<b>Mn"), (403.3,)),),
    )
    site.store.save_result(data_id, unclear, {}).result()
    site.tell(device)
    page = visit(plotly=False)
    expect(page.locator(".chip")).to_have_text(["Ar>0.99", "Cu0.99", "Al0.98", "N20.93", "Ga or <b>Mnambiguous"])
    says(page, "Al or Fe or W")


def test_nothing_foreign_is_loaded_and_no_markup_is_made_from_text(site: Site, visit: Visit) -> None:
    for source in files("oesd.web").joinpath("page").iterdir():
        text = source.read_text(encoding="utf-8")
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+", re.sub(r"(^|\s)//.*$", "", text, flags=re.M)))
        assert addresses <= {"http://www.w3.org"}, source.name
        for maker in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert maker not in text, source.name
    site.measure(spectra.device())
    site.tell(spectra.device())
    asked: list[str] = []
    page = visit("healthz")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.url)
    expect(page.locator(".canvas .js-line").first).to_be_visible()
    assert all(url.startswith((site.url, "data:", "blob:")) for url in asked), asked
    policy = page.evaluate("() => fetch('/').then(answer => answer.headers.get('content-security-policy'))")
    assert "unsafe-eval" not in policy and "default-src 'self'" in policy
