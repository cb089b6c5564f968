"""Pictures: what is on them, that labels keep apart, and that foreign text is text."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.daemon.web import spectra

from oesd.engine.analyze import analyze_measurement
from oesd.formats.evidence import evidence_document
from oesd.model import ElementFinding, Measurement, Recipe
from oesd.pictures import PictureError, picture
from oesd.pictures.curve import curve_picture
from oesd.pictures.labels import Wish, placed
from oesd.pictures.view import Band, view_of

HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=alert(1)>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    device = spectra.device()
    measured = Measurement(device.wavelengths_nm, spectra.counts(device.wavelengths_nm))
    analysis = analyze_measurement(measured, Recipe(), explain=True)
    return analysis.to_api(metadata={"device": HOSTILE}), evidence_document(analysis)


@given(
    st.lists(st.floats(0, 1000), max_size=60),
    st.floats(1, 30),
    st.floats(0, 80),
)
def test_labels_keep_apart_near_their_peaks_and_in_the_row(xs: list[float], step: float, reach: float) -> None:
    places = placed([Wish(x, i) for i, x in enumerate(xs)], 0.0, 1000.0, step, reach)
    assert all(b.x - a.x >= step - 1e-6 for a, b in pairwise(places))
    assert all(abs(place.x - xs[place.number]) <= reach + 1e-9 for place in places)
    assert all(0.0 <= place.x <= 1000.0 for place in places)
    assert not xs or any(place.number == 0 for place in places)  # the most important one always has its place


def test_the_view_has_every_peak_and_what_is_missing(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    document, explained = documents
    view = view_of(document, explained, "title")
    assert len(view.marks) == len(document["detected_peaks"])
    claimed = [one for one in explained["evidence"] if one["claimed"]]
    inside = [line for one in claimed for line in one["missing"] if 196 <= line["wavelength_nm"] <= 870]
    assert len(view.missing) == len(inside)
    assert view.findings[0] == "Ar >0.99"
    assert any("expected" in words for mark in view.marks for words in mark.detail)
    first = [mark.name for mark in view.ranked[: 3 * len(view.names)]]
    assert set(first) >= set(view.names)  # a name with few peaks is labelled before the many peaks of another


def test_missing_lines_stand_where_the_device_would_show_them(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    document, explained = documents
    line = {"wavelength_nm": 700.0, "ionization": 1, "peak_nm": None, "expected": 50.0, "seen": 0.0, "seen_sigma": 1.0}
    one = {**explained["evidence"][0], "missing": [line | {"shared_with": [], "peak_id": None}], "lines": []}
    off = {"shift_nm": 0.5, "stretch": 1e-3, "pivot_nm": 600.0}
    view = view_of({**document, "wavelength_correction": off}, {**explained, "evidence": [one]}, "t")
    device_nm = view.missing[0].nm
    assert device_nm - 0.5 - 1e-3 * (device_nm - 600.0) == pytest.approx(700.0)


def test_bands_that_touch_are_one() -> None:
    device = spectra.device(pixels=256)
    made = spectra.analysis(device.wavelengths_nm, spectra.counts(device.wavelengths_nm))
    peaks = [spectra.peak(f"p{i}", nm, "N2", 1.0)._replace(fwhm_nm=2.0) for i, nm in enumerate((337.0, 340.0, 380.0))]
    made = replace(made, molecules=(ElementFinding("N2", 0.9),), detected_peaks=tuple(peaks))
    view = view_of(made.to_api(), evidence_document(made), "t")
    assert view.bands == (Band(334.0, 343.0, "N2"), Band(377.0, 383.0, "N2"))


def test_a_png_is_drawn(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    from PIL import Image

    data = picture(".png", *documents, HOSTILE)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (1760, 1100)
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 50
    assert data == picture(".png", *documents, HOSTILE)


@pytest.mark.parametrize("kind", ["blank", "flat", "gaps"])
def test_spectra_with_nothing_in_them_are_drawn_too(kind: str) -> None:
    nm = np.linspace(300.0, 800.0, 64)
    analysis = analyze_measurement(Measurement(nm, np.zeros(64) if kind == "blank" else np.full(64, 7.0)), Recipe())
    document = analysis.to_api()
    if kind == "gaps":
        document["scope_corrected"][10:20] = [None] * 10
    for form in (".png", ".html"):
        assert len(picture(form, document, evidence_document(analysis), "nothing")) > 1000


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_page_shows_its_names_loads_nothing_and_runs_no_foreign_script(
    documents: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "out.html"
    file.write_bytes(picture(".html", *documents, HOSTILE))
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
               f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900", "--virtual-time-budget=5000",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", f"file://{file}"]  # fmt: skip
    done = subprocess.run([str(CHROMIUM), *options], capture_output=True, text=True, timeout=60, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert "<title>&lt;/script&gt;" in done.stdout
    assert "hacked'</title>" not in done.stdout.replace("document.title='hacked'", "")
    labels = done.stdout.split('class="annotation-text"')[1:]
    assert len(labels) > 15
    assert any(">Ar 763.5<" in label for label in labels)


def test_other_forms_are_refused(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for form in (".pdf", ""):
        with pytest.raises(PictureError, match=r"\.png or \.html"):
            picture(form, *documents, "t")
        with pytest.raises(PictureError, match=r"\.png or \.html"):
            curve_picture(form, np.arange(3.0), np.arange(3.0), "A", "t")


@pytest.mark.parametrize("form", [".png", ".html"])
def test_a_curve_with_gaps_is_drawn(form: str) -> None:
    nm = np.linspace(300.0, 800.0, 100)
    values = np.where(nm > 500, np.nan, nm)
    assert len(curve_picture(form, nm, values, "absorbance", HOSTILE, sigma=np.full(100, 3.0))) > 1000
