"""What a spectrometer's spectra told of its line widths is known for the next one, and kept with each result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.daemon.web import spectra

from oesd.formats import read_spectrum
from oesd.formats.widths import HEADER, known_widths, widths_text
from oesd.model import FloatArray, LineSpread, Recipe, Result
from oesd.processing import Processing
from oesd.processing.importing import import_file
from oesd.processing.widths import Widths
from oesd.store import Store

SEEN = LineSpread((300.0, 500.0, 700.0), (1.0, 1.1, 1.2), (0.02, 0.02, 0.02), 0.1, 9)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


def scaled(factor: float) -> LineSpread:
    return replace(SEEN, fwhm_nm=tuple(width * factor for width in SEEN.fwhm_nm))


def axis(first_nm: float = 200.0) -> FloatArray:
    """One on which ``SEEN`` was told: 1/6, 1/2 and 5/6 of it lie 100, 300 and 500 nm from its beginning."""
    return np.linspace(first_nm, first_nm + 600.0, 601)


def told(widths: Widths, name: str = "a", first_nm: float = 200.0) -> LineSpread | None:
    return widths.recipe(name, axis(first_nm), Recipe()).line_spread


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
    assert told(widths, "") is None


def test_a_width_that_a_person_gave_counts_alone(store: Store) -> None:
    widths = Widths(store)
    widths.learn("a", SEEN)
    assert widths.recipe("a", axis(), Recipe(fwhm_nm=1.4)) == Recipe(fwhm_nm=1.4)


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
    assert told(widths, first_nm=210.0) is None, "of the spectrometer that had the name before"
    widths.learn("a", replace(scaled(1.2), wavelengths_nm=(310.0, 510.0, 710.0)))
    known = told(widths, first_nm=210.0)
    assert known is not None
    assert known.wavelengths_nm == (310.0, 510.0, 710.0)
    assert told(widths) is None


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


def test_a_restart_after_any_spectrum_tells_the_next_one_the_same(tmp_path: Path) -> None:
    told_on, told_anew = [], []
    with Store.open(tmp_path / "on") as on, Store.open(tmp_path / "anew") as anew:
        room_on = room(on)
        for seed in range(6):
            told_on.append(processed(on, room_on, seed).analysis.recipe.line_spread)
            told_anew.append(processed(anew, room(anew), seed).analysis.recipe.line_spread)
    assert told_on[0] is None and told_on[1] is not None
    assert told_anew == told_on


def test_doing_it_again_changes_nothing_whatever_was_learned_since(store: Store) -> None:
    processing = room(store)
    second = [processed(store, processing, seed) for seed in range(4)][1]
    again = processing.process(second.data_id)
    assert again is not None
    assert again.revision == second.revision
    assert again.analysis.detected_peaks == second.analysis.detected_peaks


def test_a_file_that_names_a_spectrometer_of_ours_teaches_nothing_about_it(store: Store, tmp_path: Path) -> None:
    """The archive may hold files of a namesake, processed by other software, from years ago."""
    processing = room(store)
    local = processed(store, processing, 0)
    file = processing.render(local.data_id, "columns")
    with Store.open(tmp_path / "other") as other:
        there = room(other)
        imported = import_file(other, file.data, file.name)
        assert there.process(imported.data_id) is not None
        first = processed(other, there, 1)
        assert first.analysis.recipe.line_spread is None
        assert processed(other, room(other), 2).analysis.recipe.line_spread is not None


def numbers(result: Result) -> list[tuple[float, float]]:
    return [(peak.wavelength_nm, peak.fwhm_nm) for peak in result.analysis.detected_peaks]


def test_a_width_that_a_person_gives_later_counts_when_it_is_done_again(store: Store) -> None:
    processing = room(store)
    first = [processed(store, processing, seed) for seed in range(2)][-1]
    assert first.analysis.recipe.line_spread is not None
    processing.use(Recipe(fwhm_nm=5.0))
    given = processing.process(first.data_id)
    assert given is not None
    assert numbers(given) != numbers(first)
    processing.use(Recipe())
    again = processing.process(first.data_id)
    assert again is not None
    assert numbers(again) == numbers(first)
    assert again.analysis.recipe == first.analysis.recipe


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
