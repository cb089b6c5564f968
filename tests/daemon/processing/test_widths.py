"""What a spectrometer's spectra told of its line widths is known for the next one, and kept with each result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.daemon.web import spectra

from oesd.formats import read_spectrum
from oesd.formats.widths import HEADER, known_widths, widths_text
from oesd.model import LineSpread, Recipe, Result
from oesd.processing import Processing
from oesd.processing.widths import Widths
from oesd.store import Store

SEEN = LineSpread((300.0, 500.0, 700.0), (1.0, 1.1, 1.2), (0.02, 0.02, 0.02), 0.1, 9)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


def scaled(factor: float) -> LineSpread:
    return replace(SEEN, fwhm_nm=tuple(width * factor for width in SEEN.fwhm_nm))


def told(widths: Widths, name: str = "a") -> LineSpread | None:
    return widths.recipe(name, Recipe()).line_spread


def test_nothing_is_known_before_the_first_spectrum(store: Store) -> None:
    widths = Widths(store)
    assert told(widths) is None
    widths.learn("a", None)
    widths.learn("", SEEN)
    assert told(widths) is None
    widths.learn("a", SEEN)
    known = told(widths)
    assert known is not None
    assert all(abs(k / s - 1) < 0.011 for k, s in zip(known.fwhm_nm, SEEN.fwhm_nm, strict=True))
    assert told(widths, "b") is None
    assert widths.recipe("", Recipe()).line_spread is None


def test_a_width_that_a_person_gave_counts_alone(store: Store) -> None:
    widths = Widths(store)
    widths.learn("a", SEEN)
    assert widths.recipe("a", Recipe(fwhm_nm=1.4)) == Recipe(fwhm_nm=1.4)


def test_what_is_told_does_not_flutter_and_follows_a_change(store: Store) -> None:
    widths = Widths(store)
    widths.learn("a", SEEN)
    first = told(widths)
    for factor in (1.005, 0.99, 1.01, 0.995):
        widths.learn("a", scaled(factor))
        assert told(widths) == first
    for _ in range(40):
        widths.learn("a", scaled(1.5))
    after = told(widths)
    assert after is not None
    assert after.fwhm_nm[0] == pytest.approx(1.5, rel=0.03)


def test_a_new_axis_is_a_new_device(store: Store) -> None:
    widths = Widths(store)
    widths.learn("a", SEEN)
    widths.learn("a", replace(scaled(1.2), wavelengths_nm=(310.0, 510.0, 710.0)))
    known = told(widths)
    assert known is not None
    assert known.wavelengths_nm == (310.0, 510.0, 710.0)


def room(store: Store) -> Processing:
    return Processing(store, Recipe(), upload=False, beat=lambda _name, _within_s: None)


def processed(store: Store, processing: Processing, seed: int) -> Result:
    data_id = spectra.store_spectrum(store, spectra.device(pixels=1024), seed=seed, processed=False)
    result = processing.process(data_id)
    assert result is not None
    return result


def test_each_result_keeps_what_was_known_and_a_restart_goes_on(store: Store) -> None:
    first_room = room(store)
    results = [processed(store, first_room, seed) for seed in range(3)]
    known = [result.analysis.recipe.line_spread for result in results]
    assert known[0] is None
    assert known[1] is not None
    last = processed(store, first_room, 3).analysis.recipe.line_spread
    assert processed(store, room(store), 4).analysis.recipe.line_spread == last


def test_doing_it_again_changes_nothing_whatever_was_learned_since(store: Store) -> None:
    processing = room(store)
    second = [processed(store, processing, seed) for seed in range(4)][1]
    again = processing.process(second.data_id)
    assert again is not None
    assert again.revision == second.revision
    assert again.analysis.detected_peaks == second.analysis.detected_peaks


def test_a_file_tells_what_was_known_where_it_comes_from(store: Store) -> None:
    processing = room(store)
    local = [processed(store, processing, seed) for seed in range(3)][-1]
    for form in ("columns", "json"):
        rendered = processing.render(local.data_id, form)  # type: ignore[arg-type]
        spectrum = read_spectrum(rendered.data, rendered.name)
        assert known_widths(spectrum.metadata) == local.analysis.recipe.line_spread
        data_id = f"01a20125-5bd0-7604-9d98-2edaf42b34d{len(form)}"
        store.save_file(data_id, spectrum, rendered.data, rendered.name).result()
        there = processing.process(data_id)
        assert there is not None
        assert there.analysis.detected_peaks == local.analysis.detected_peaks


GOOD = SEEN.as_dict()


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", "[" * 100_000, json.dumps({**GOOD, "fwhm_nm": [1.0, 1.0]}),
        json.dumps({**GOOD, "fwhm_nm": [1.0, 0.0, 1.0]}), json.dumps({**GOOD, "sigma_nm": [1.0, float("nan"), 1.0]}),
        json.dumps({**GOOD, "wing": 7}), json.dumps({**GOOD, "lines": "x"}), json.dumps({**GOOD, "sigma_nm": "abc"}),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_is_passed_over(text: str) -> None:
    assert known_widths({HEADER: text}) is None


def test_the_header_line_comes_back() -> None:
    assert known_widths({HEADER: widths_text(SEEN)}) == SEEN
    assert known_widths({}) is None
