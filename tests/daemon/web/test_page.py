"""The page, in a real browser where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Api, served

from oesd.model import Ambiguity, Analysis, Device, ElementFinding, Kind, Recipe, RunOrder
from oesd.processing import Processing
from oesd.store import Store

HOSTILE = '"><img src=x onerror="document.title=1"><script>alert(1)</script>'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGE_FILES = ("index.html", "page.js", "notes.js", "orders.js", "plot.js", "why.js", "page.css", "icon.svg")

Browse = Callable[[str], "Seen"]


class Seen(HTMLParser):
    """The document after its scripts have run: text by the id or class it stands in, and every tag."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._skipped = 0
        self.feed(markup)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._skipped:
            self.tags.append((tag, dict(attrs)))
        self._skipped += tag in ("template", "noscript", "script", "style")
        if tag == "tr" and not self._skipped:
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in ("template", "noscript", "script", "style")

    def handle_data(self, data: str) -> None:
        if self._skipped or not data.strip():
            return
        self.words.append(data.strip())
        if self.rows:
            self.rows[-1].append(data.strip())

    def hidden(self, identifier: str) -> bool:
        (found,) = [attributes for _, attributes in self.tags if attributes.get("id") == identifier]
        return "hidden" in found


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    if CHROMIUM is None:
        pytest.skip("no Chromium here")

    def open_page(url: str) -> Seen:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   "--disable-dev-shm-usage", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
                   "--window-size=1280,800", "--virtual-time-budget=4000", "--dump-dom", url]  # fmt: skip
        ended = subprocess.run([str(CHROMIUM), *options], capture_output=True, text=True, timeout=60, check=True)
        complaints = [line for line in ended.stderr.splitlines() if "CONSOLE" in line and "status of 5" not in line]
        assert complaints == []
        return Seen(ended.stdout)

    return open_page


def status_of(store: Store, *devices: Device) -> dict[str, object]:
    units = [
        {"name": d.name, "serial": d.serial, "model": d.model, "state": "measuring", "detail": "", "simulated": True,
         "saturated_pixels": 0}
        for d in devices
    ]  # fmt: skip
    return {
        "version": "0.1.0", "healthy": True, "simulated": True, "late": [], "problems": {}, "spectrometers": units,
        "tally": asdict(store.tally()), "upload": {"state": "ok", "last_error": "refused, an hour ago"},
    }  # fmt: skip


def test_spectrum_peaks_and_elements_are_shown_and_foreign_text_stays_text(
    api: Api, store: Store, browse: Browse
) -> None:
    first = spectra.device("chamber-a", serial=HOSTILE)
    second = replace(spectra.device("sputter-2", pixels=3648), model="USB4000<b>")
    spectra.store_spectrum(store, first)
    spectra.store_spectrum(store, second, seed=2)
    api.daemon.status = status_of(store, first, second)
    seen = browse(api.url)

    assert HOSTILE in seen.text and "USB4000<b>" in seen.text
    assert [tag for tag, attributes in seen.tags if tag == "img" and attributes.get("src") != "/icon.svg"] == []
    assert [attributes for tag, attributes in seen.tags if tag == "script"] == [{"type": "module", "src": "/page.js"}]
    assert ("title", {}) in seen.tags and "Measuring · oesd" in seen.text
    assert not seen.hidden("simulated") and seen.hidden("alert") and seen.hidden("empty")

    peaks = sum(len(lines) for lines in spectra.LINES.values()) - len([nm for nm in spectra.ARGON if nm > 870])
    rows = [row for row in seen.rows if row and re.fullmatch(r"\d+\.\d\d", row[0])]
    assert len(rows) == 2 * peaks
    assert ["763.51", "Ar I 763.51"] == next(row for row in rows if row[0] == "763.51")[:2]
    for label in ("Ar 763.5", "Cu 324.8", "Al 396.1", "656.3", "wavelength in air / nm", "300", "800"):
        assert label in seen.words, label
    for chip in ("Ar", "Cu", "Al", ">0.99", "0.98"):
        assert seen.words.count(chip) >= 2, chip
    traces = [attributes["d"] for tag, attributes in seen.tags if attributes.get("class") == "trace"]
    assert len(traces) == 2 and all(trace and trace.count("V") > 500 for trace in traces)
    assert "captured 2 stored 2 processed 2" in seen.text and "lost 0" in seen.text


def test_labels_do_not_overlap(api: Api, store: Store, browse: Browse) -> None:
    spectra.store_spectrum(store, spectra.device())
    seen = browse(api.url)
    moves = [
        attributes.get("transform") or "" for tag, attributes in seen.tags if "label" in (attributes.get("class") or "")
    ]
    at = sorted(float(found.group(1)) for move in moves if (found := re.match(r"translate\(([\d.]+) ", move)))
    assert len(at) > 20
    assert min(b - a for a, b in pairwise(at)) >= 12.49


PROBE = """
const wait = setInterval(() => {
  const label = [...document.querySelectorAll(".dot title")].find((known) => known.textContent === "Ar 763.5");
  if (!label) return;
  clearInterval(wait);
  const box = label.parentNode.getBoundingClientRect();
  const at = { clientX: box.x + box.width / 2, clientY: box.y, bubbles: true };
  document.querySelector(".plot svg").dispatchEvent(new PointerEvent("pointermove", at));
  document.querySelector("[data-choice=raw]").click();
}, 50);
"""


def probed(script: str) -> list[Route]:
    """The page with a script that acts as a person does."""
    page = files("oesd.web").joinpath("page", "index.html").read_text(encoding="utf-8")
    with_script = page.replace("</head>", '<script type="module" src="/probe.js"></script></head>')
    return [
        Route("/probe", lambda _: HTMLResponse(with_script)),
        Route("/probe.js", lambda _: Response(script, media_type="text/javascript")),
    ]


def test_the_pointer_reads_nm_and_counts_and_the_buttons_switch(store: Store, browse: Browse) -> None:
    spectra.store_spectrum(store, spectra.device())
    with served(store, probed(PROBE)) as api:
        seen = browse(f"{api.url}/probe")
    (readout,) = [word for word in seen.words if re.fullmatch(r"763\.\d\d nm · [\d\u202f]+ counts · Ar 763\.5", word)]
    assert 40_000 < int(readout.split(" · ")[1].removesuffix(" counts").replace("\u202f", "")) < 50_000
    assert [attributes["data-peak"] for _, attributes in seen.tags if attributes.get("class") == "lit"]
    pressed = {a["data-choice"]: a["aria-pressed"] for _, a in seen.tags if "data-choice" in a}
    assert pressed == {"corrected": "false", "raw": "true", "log": "false"}
    assert "trace dark" in [attributes.get("class") for _, attributes in seen.tags]


def test_faults_are_said(api: Api, store: Store, browse: Browse) -> None:
    device = spectra.device()
    spectra.store_spectrum(store, device)
    status = status_of(store, device)
    tally = {**asdict(store.tally()), "captured": 17, "lost": {"device gone": 14, "over<i>run": 2}, "quarantined": 1}
    tally["lost_calibration"] = {"light timeout": 3}
    unit = {"name": device.name, "serial": "x", "model": "m", "state": "device gone", "detail": "trying again in 4 s"}
    api.daemon.status = {
        **status, "healthy": False, "simulated": False, "tally": tally, "spectrometers": [unit],
        "problems": {"usb:3.1": "permission denied"}, "late": ["forwarder"],
        "upload": {"state": "credential blocked", "blocked": "401 wrong API key", "last_error": "x"},
    }  # fmt: skip
    seen = browse(api.url)
    assert not seen.hidden("alert")
    for words in ("Needs attention", "device gone: trying again in 4 s", "usb:3.1: permission denied",
                  "forwarder does not answer", "upload credential blocked: 401 wrong API key; spectra wait",
                  "lost 16", "lost light timeout 3", "device gone 14, over<i>run 2", "1 quarantined"):  # fmt: skip
        assert words in seen.text, words


def unit_of(device: Device, **changes: object) -> dict[str, object]:
    return {
        "name": device.name, "serial": device.serial, "model": device.model, "simulated": True, "saturated_pixels": 0,
        "state": "measuring", "word": "measuring", "level": "good", "detail": "", "notes": [],
        "line": "measuring by order since 2026-03-01 12:00 UTC, sample=<i>GaN</i>", **changes,
    }  # fmt: skip


def test_what_happened_and_what_to_do_are_said(api: Api, store: Store, browse: Browse) -> None:
    device = spectra.device()
    spectra.store_spectrum(store, device)
    gone = {"name": "b", "state": "device gone", "word": "device gone", "level": "bad",
            "notes": [{"level": "bad", "text": "to do: look at its <cable>"}],
            "line": "device gone since 2026-03-01 12:00 UTC"}  # fmt: skip
    notes = [{"level": "", "text": "dark: latest <dark>"},
             {"level": "bad", "text": "the dark taken 5 s ago was refused: it shows argon lines"},
             {"level": "wait", "text": "a dark is due: no dark yet; block the light, then"}]  # fmt: skip
    api.daemon.status = {
        **status_of(store), "spectrometers": [unit_of(device, notes=notes), unit_of(device, **gone)],
        "day": {"lost": {"device gone": 1200, "over<i>run": 2}}, "unrecorded": {"disk full": 7, "device gone": 1},
        "advice": {"device gone": "look at its cable", "disk full": "make room"}, "store": "the disk is full",
    }  # fmt: skip
    seen = browse(api.url)
    for words in ("measuring by order since 2026-03-01 12:00 UTC, sample=<i>GaN</i>", "dark: latest <dark>",
                  "refused: it shows argon lines", "a dark is due: no dark yet; block the light, then",
                  "device gone since 2026-03-01 12:00 UTC", "look at its <cable>", "Needs attention",
                  "lost in 24 h 1 201 device gone : look at its cable 7 disk full : make room 2 over<i>run",
                  "spectra cannot be stored: the disk is full"):  # fmt: skip
        assert words in seen.text, words
    assert [attributes for tag, attributes in seen.tags if tag == "i"] == [{}], "the lamp of the state, no markup"
    # The second has measured nothing yet, and can be told to.
    assert [a.get("class") for tag, a in seen.tags if tag == "article"] == ["panel", "panel"]


ORDER = """
const until = (condition) => new Promise((done) => {
  const wait = setInterval(() => { if (condition()) { clearInterval(wait); done(); } }, 20);
});
const $ = (id) => document.getElementById(id);
const buttons = () => document.querySelector("[data-order=%(what)s]");
await until(buttons);
await until(() => document.querySelector(".notes"));
buttons().click();
if ($("ask-token").offsetParent === null) throw new Error("the token is not asked for");
$("ask-token").value = "wrong";
$("ask-labels").value = "sample=GaN-7\\n operator = mk ";
$("ask-duration").value = "8 h";
$("ask-yes").click();
await until(() => $("ask-trouble").textContent);
document.title = $("ask-trouble").textContent;
$("ask-token").value = "%(token)s";
$("ask-yes").click();
await until(() => !$("ask").open);
"""


@pytest.mark.parametrize("what", ["dark", "start", "pause"])
def test_an_order_is_confirmed_and_carries_the_token_that_was_pasted(store: Store, browse: Browse, what: str) -> None:
    device = spectra.device()
    spectra.store_spectrum(store, device)
    with served(store, probed(ORDER % {"what": what, "token": TOKEN})) as api:
        api.daemon.status = {**status_of(store), "spectrometers": [unit_of(device)], "data_dir": "/srv/<oes>"}
        seen = browse(f"{api.url}/probe")
    orders = {
        "dark": [], "pause": [("pause", True, device.name)],
        "start": [("start", RunOrder("order", {"sample": "GaN-7", "operator": "mk"}, 8 * 3600 * 10**6), device.name)],
    }  # fmt: skip
    assert api.daemon.ordered == orders[what]
    assert api.daemon.captured == ([(Kind.DARK, device.name)] if what == "dark" else [])
    assert ("dark ordered" if what == "dark" else "it is done") in seen.text
    assert "/srv/<oes>/api-token" in seen.text
    assert TOKEN not in "".join(str(attributes) for _, attributes in seen.tags) + seen.text


def test_no_spectrometer_yet(api: Api, store: Store, browse: Browse) -> None:
    api.daemon.status = {**status_of(store), "simulated": False}
    seen = browse(api.url)
    assert not seen.hidden("empty") and seen.hidden("simulated")
    assert "Waiting for a spectrometer" in seen.text


def test_an_entry_that_still_waits(api: Api, store: Store, browse: Browse) -> None:
    spectra.store_spectrum(store, spectra.device(), processed=False)
    seen = browse(api.url)
    assert "No processed spectrum yet." in seen.text


def test_a_daemon_that_does_not_answer(api: Api, browse: Browse) -> None:
    api.daemon.status = {"cannot be sent": object()}
    seen = browse(api.url)
    assert "No answer" in seen.text
    assert "The daemon has not answered yet." in seen.text and "/live was answered with 500" in seen.text


def test_a_daemon_that_falls_silent_leaves_its_last_picture(api: Api, store: Store, browse: Browse) -> None:
    device = spectra.device()
    spectra.store_spectrum(store, device)
    api.daemon.status = status_of(store, device)
    api.daemon.answers_left = 2
    seen = browse(api.url)
    assert re.search(r"The daemon has not answered since \d\d:\d\d:\d\d\. What is shown is from before\.", seen.text)
    assert "Ar 763.5" in seen.words and ("body", {"class": "stale"}) in seen.tags


def test_nothing_foreign_is_loaded_and_no_markup_is_made_from_text(api: Api) -> None:
    for name in PAGE_FILES:
        path = "/" if name == "index.html" else f"/{name}"
        answer = api.client.get(path)
        source = files("oesd.web").joinpath("page", name).read_text(encoding="utf-8")
        assert answer.status_code == 200 and answer.text == source
        assert answer.headers["cache-control"] == "no-cache"
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+", re.sub(r"^\s*//.*$", "", source, flags=re.M)))
        assert addresses <= {"http://www.w3.org"}, name
        for maker in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert maker not in source


CLICK = """
const until = async (condition) => {
  for (;;) { const found = condition(); if (found) return found; await new Promise((done) => setTimeout(done, 20)); }
};
(await until(() => document.querySelector("%s"))).click();
await until(() => document.querySelector(".why:not([hidden])"));
"""


def analysed(store: Store, recipe: Recipe | None = None) -> None:
    data_id = spectra.store_spectrum(store, spectra.device())
    Processing(store, recipe or Recipe(), upload=False, beat=lambda _name, _within_s: None).process(data_id)


def test_a_click_on_an_element_shows_why(store: Store, browse: Browse) -> None:
    analysed(store)
    with served(store, probed(CLICK % "button.chip")) as api:
        seen = browse(f"{api.url}/probe")
    lines = [row for row in seen.rows if re.match(r"I \d+\.\d\d", row[0])]
    assert len(lines) > 5
    assert all(re.fullmatch(r"p\d+|missing", row[1]) for row in lines)
    assert re.search(r"Ar >0\.99 : \d+ lines seen", seen.text)
    assert "trace baseline" in [attributes.get("class") for _, attributes in seen.tags]


def test_a_click_on_a_peak_shows_its_candidates(store: Store, browse: Browse) -> None:
    analysed(store)
    with served(store, probed(CLICK % "tr[data-peak]")) as api:
        seen = browse(f"{api.url}/probe")
    assert re.search(r"\d+\.\d+ ± \d\.\d+ nm : .*candidates: \w+_\d+\.\d", seen.text), seen.text


def test_evidence_of_another_engine_says_so(store: Store, browse: Browse) -> None:
    spectra.store_spectrum(store, spectra.device())
    with served(store, probed(CLICK % "button.chip")) as api:
        seen = browse(f"{api.url}/probe")
    assert "the result was made by engine test-1" in seen.text


def test_what_is_ambiguous_and_molecules_are_shown(store: Store, browse: Browse) -> None:
    device = spectra.device()
    made = spectra.analysis(device.wavelengths_nm, spectra.counts(device.wavelengths_nm))
    unsure = replace(made.detected_peaks[0], element=None, ambiguous=True)
    store_made(store, device, replace(
        made, molecules=(ElementFinding("N2", 0.93),), ambiguous=(Ambiguity(("Ga", "<b>Mn"), (403.3,)),),
        detected_peaks=(unsure, *made.detected_peaks[1:]),
    ))  # fmt: skip
    with served(store) as api:
        seen = browse(api.url)
    assert "N2 0.93" in seen.text
    assert "Ga or <b>Mn ambiguous" in seen.text
    assert "Al or Fe or W ?" in seen.text


def store_made(store: Store, device: Device, made: Analysis) -> None:
    data_id = spectra.store_spectrum(store, device, processed=False)
    measured = store.measurement(data_id)
    assert measured is not None
    store.save_result(data_id, replace(made, sample=measured.sample), {}).result()
