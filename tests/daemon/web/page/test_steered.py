"""What a person does on the page: look closer, choose a name, give orders; and what another page sees of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN
from tests.daemon.web.page.conftest import Site, Visit

from oesd.model import Candidate, Entry, Kind, RunOrder, new_id


def give_token(page: Page, token: str = TOKEN) -> None:
    page.locator("#token-text").fill(token)
    page.get_by_role("button", name="Go on").click()


def test_it_is_live_and_the_zoom_stays(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.measure(device)
    site.tell(device)
    page = visit()
    counts = page.locator("tr", has_text="763.51").first.locator("td").nth(3)
    expect(counts).to_have_text("45\u202f000")
    page.locator("[data-zoom=closer]").click()
    page.locator("[data-zoom=closer]").click()
    ticks = page.locator(".xtick text")
    expect(ticks.last).not_to_have_text("800")
    before = ticks.all_text_contents()
    for seed in (2, 3):
        data_id = site.measure(device, seed=seed)
    shown = "id => fetch(`/oes/${id}`).then(answer => answer.json()).then(found => found.scope_corrected[700])"
    assert page.evaluate(shown, data_id) is not None
    plotted = "() => document.querySelector('.canvas').data.find(one => one.name === 'counts').y[700]"
    page.wait_for_function(f"async id => ({plotted})() === Math.round(100 * await ({shown})(id)) / 100", arg=data_id)
    assert ticks.all_text_contents() == before, "the zoom stays while new spectra come"
    page.locator("[data-zoom=all]").click()
    expect(ticks.last).to_have_text("800")


def test_a_spectrum_tells_what_it_was_corrected_for_and_that_a_dark_is_missing(site: Site, visit: Visit) -> None:
    device, bare = spectra.device(), spectra.device("<b>bare", serial="SN-2")
    site.show(site.analyse(device), device)
    sample = spectra.capture(bare)
    entry = Entry(new_id(), sample.record_id, None, None, "no dark at 20 ms", "", spectra.NOW)
    site.store.save_capture(sample, entry, upload=False).result()
    site.reprocess(entry.data_id)
    site.show(entry.data_id, bare)
    site.tell(device, bare)
    page = visit()
    good, missing = (page.get_by_role("article", name=f"Spectrometer {one.name}") for one in (device, bare))
    expect(good.locator(".corrections summary")).to_have_text("Corrected for dark")
    summary = missing.locator(".corrections summary")
    expect(summary).to_have_text("Not corrected for dark: no dark at 20 ms")
    expect(missing.locator(".corrections li").first).not_to_be_visible()
    summary.focus()
    page.keyboard.press("Enter")
    rows = missing.locator(".corrections li")
    expect(rows).to_contain_text(["dark not corrected: no dark at 20 ms", "non-linearity", "stray light"])
    expect(rows.first).to_have_attribute("data-level", "wait")


def test_a_peak_gets_another_name_here_and_on_another_open_page_and_keeps_it(site: Site, visit: Visit) -> None:
    device = spectra.device()
    data_id = site.analyse(device)
    site.show(data_id, device)
    site.tell(device)
    here, there = visit(), visit()
    name = "[data-peak='{}'] .line"
    there.locator("tbody tr").first.wait_for()
    here.bring_to_front()
    row = here.locator("tr[data-peak]", has_text="Ar I 763.51").first
    peak_id = row.get_attribute("data-peak")
    assert peak_id is not None
    row.click()
    candidates = here.locator(".why button.candidate")
    expect(candidates.first).to_have_attribute("aria-pressed", "true")
    expect(here.locator(".why")).to_contain_text("lines of Ar seen")
    other = candidates.nth(1)
    key = other.get_attribute("data-key") or ""
    other.click()
    expect(here.locator("#token-where")).to_have_text("/srv/oes/api-token")
    give_token(here, "wrong")
    expect(here.locator("#token-trouble")).to_have_text("That is not the token of this daemon.")
    give_token(here)
    expect(here.locator(".said")).to_contain_text(f"Chosen: {key}")
    for page in (here, there):
        expect(page.locator(name.format(peak_id)).locator("xpath=..")).to_contain_text("by hand")
    site.reprocess(data_id)
    site.feed.changed(data_id, 2, "reprocessed")
    there.reload()
    expect(there.locator(name.format(peak_id)).locator("xpath=..")).to_contain_text("by hand")
    assert TOKEN not in here.content() and here.evaluate("() => Object.keys(localStorage)") == []
    here.get_by_role("button", name="Clear the choice").click()
    expect(there.locator(name.format(peak_id)).locator("xpath=..")).not_to_contain_text("by hand")
    peak_id, line = _second_of_its_element(site, data_id)
    here.get_by_role("button", name="Back to live").click()
    here.locator(f"tr[data-peak='{peak_id}']").click()
    chosen = here.locator(f".why [data-key='{line.candidate_key}']")
    chosen.click()
    expect(chosen).to_have_attribute("aria-pressed", "true")
    for page in (here, there):
        expect(page.locator(name.format(peak_id))).to_contain_text(f"{line.wavelength_nm:.2f}")


def _second_of_its_element(site: Site, data_id: str) -> tuple[str, Candidate]:
    result = site.store.result(data_id)
    assert result is not None
    for peak in result.analysis.detected_peaks:
        of_element = [one for one in peak.candidates if one.element == peak.element]
        if len(of_element) > 1:
            return peak.peak_id, of_element[1]
    raise AssertionError("no peak has two lines of its element")


def test_a_click_in_the_plot_chooses_the_peak_and_the_spectrum_is_held(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.analyse(device)
    site.tell(device)
    page = visit()
    page.locator(".name", has_text="Ar 763.5").click()
    expect(page.locator(".why h3")).to_contain_text("763.5")
    expect(page.locator(".panel")).to_have_class("panel held")
    site.measure(device, seed=4)
    expect(page.locator(".facts", has_text="held")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".why")).to_be_hidden()
    expect(page.locator(".facts", has_text="held")).to_have_count(0)
    page.locator(".chip", has_text="Ar").click()
    expect(page.locator(".why h3")).to_contain_text("Ar")
    expect(page.locator(".why")).to_contain_text("lines seen")


def test_evidence_of_another_engine_says_so(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.measure(device)
    site.tell(device)
    page = visit()
    page.locator(".chip").first.click()
    expect(page.locator(".why")).to_contain_text("the result was made by engine test-1")


def test_by_keyboard_alone(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.analyse(device)
    site.tell(device)
    page = visit()
    page.locator(".canvas").focus()
    expect(page.locator(".canvas .js-line").first).to_be_visible()
    page.keyboard.press("+")
    expect(page.locator("[data-zoom=all]")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator(".why h3")).to_be_visible()
    page.keyboard.press("0")
    expect(page.locator("[data-zoom=all]")).to_be_hidden()
    page.keyboard.press("3")
    expect(page.locator("#view-runs")).to_be_visible()
    expect(page.locator("nav [aria-current]")).to_have_text("Runs")


def test_raw_counts_logarithm_lines_of_elements_and_bands_of_molecules(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.measure(device)
    site.tell(device)
    page = visit()
    expect(page.locator(".canvas .js-line").first).to_be_visible()
    traces = "() => document.querySelector('.canvas').data.map(one => one.name)"
    page.locator("[data-show=raw]").click()
    page.wait_for_function(f"() => ({traces})().includes('dark')")
    page.locator("[data-show=corrected]").click()
    page.locator("[data-show=log]").click()
    page.wait_for_function("() => document.querySelector('.canvas').layout.yaxis.type === 'log'")
    page.locator(".of input").fill("Cu, CN, Xq")
    page.locator(".of input").press("Enter")
    expect(page.locator(".said")).to_contain_text("no lines of Xq")
    expect(page.locator(".said")).to_contain_text("1 band system of CN")
    page.wait_for_function(f"() => ({traces})().includes('lines of Cu') && ({traces})().includes('bands of CN')")


def test_a_golden_spectrum_is_the_same_on_every_open_page(site: Site, visit: Visit) -> None:
    device = spectra.device()
    golden = site.measure(device)
    site.tell(device)
    here, there = visit(), visit()
    over = "() => document.querySelector('.canvas').data?.find(one => one.name === 'golden')?.y[700]"
    there.locator("[data-show=golden]").click()
    expect(there.locator(".said")).to_contain_text("No golden spectrum yet")
    here.bring_to_front()  # a page behind another is drawn rarely, and is clicked late
    here.locator(".keep").click()
    give_token(here)
    expect(here.locator(".said")).to_contain_text("Golden spectrum of")
    counts = here.evaluate("async id => (await (await fetch(`/oes/${id}`)).json()).scope_corrected[700]", golden)
    site.measure(device, seed=2)
    for page in (here, there):
        page.wait_for_function(f"counts => ({over})() === counts", arg=counts)
    there.reload()
    there.locator("[data-show=golden]").click()
    there.wait_for_function(f"counts => ({over})() === counts", arg=counts)


@pytest.mark.parametrize("what", ["dark", "start", "pause"])
def test_an_order_is_confirmed_and_carries_the_token_that_was_pasted(site: Site, visit: Visit, what: str) -> None:
    device = spectra.device()
    site.measure(device)
    site.tell(device)
    page = visit()
    page.locator(f"[data-order={what}]").click()
    if what == "start":
        page.locator("#ask-labels").fill("sample=GaN-7\n operator = mk ")
        page.locator("#ask-duration").fill("8 h")
    page.locator("#ask-yes").click()
    give_token(page)
    expect(page.locator(".said")).to_contain_text("dark ordered" if what == "dark" else "it is done")
    orders = {
        "dark": [],
        "pause": [("pause", True, device.name)],
        "start": [("start", RunOrder("order", {"sample": "GaN-7", "operator": "mk"}, 8 * 3600 * 10**6), device.name)],
    }
    assert site.daemon.ordered == orders[what]
    assert site.daemon.captured == ([(Kind.DARK, device.name)] if what == "dark" else [])
    assert TOKEN not in page.content()


# Half a minute of silence passes in a second and a half.
_IMPATIENT = "const real = setTimeout; window.setTimeout = (act, ms) => real(act, ms === 30000 ? 1500 : ms);"


def test_a_daemon_that_hangs_is_not_shown_as_measuring(site: Site, visit: Visit) -> None:
    """Its port is open, the line stands, nothing comes, and a new line gets no answer either."""
    device = spectra.device()
    site.measure(device)
    site.tell(device)
    page = visit(plotly=False)
    page.add_init_script(_IMPATIENT)
    page.reload()
    expect(page.locator("h1")).to_have_text("Measuring")
    page.route("**/events?*", lambda _route: None)
    expect(page.locator("h1")).to_have_text("No answer")
    expect(page.locator("body")).to_have_class("stale")


def test_it_comes_back_by_itself_after_a_restart_of_the_daemon(site: Site, visit: Visit) -> None:
    device = spectra.device()
    site.measure(device)
    site.tell(device)
    page = visit()
    expect(page.locator("h1")).to_have_text("Measuring")
    site.stop()
    expect(page.locator("h1")).to_have_text("No answer")
    expect(page.locator("#note")).to_contain_text("The daemon has not answered since")
    expect(page.locator(".name", has_text="Ar 763.5")).to_be_visible()
    expect(page.locator("body")).to_have_class("stale")
    site.start()
    expect(page.locator("h1")).to_have_text("Measuring")
    expect(page.locator("body")).not_to_have_class("stale")
