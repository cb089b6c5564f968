from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.daemon.store.making import NOW, analysis, peak

from oesd.model import Measurement, Override, Peak
from oesd.store.anchors import apply_overrides, carry_peak_ids

FWHM = 1.2

# Lines a line width and more apart, as an engine resolves them.
spectra = st.lists(st.integers(0, 400), min_size=1, max_size=30, unique=True).map(
    lambda steps: tuple(200 + 1.3 * step for step in sorted(steps))
)
small_shifts = st.floats(-0.55, 0.55)


def numbered(wavelengths_nm: tuple[float, ...]) -> tuple[Peak, ...]:
    return tuple(peak(nm, peak_id=f"p{k}") for k, nm in enumerate(wavelengths_nm, start=1))


def override(nm: float, key: str = "Ar_417.3", element: str = "Ar", sigma_nm: float = 0.01) -> Override:
    return Override("d", "p1", nm, sigma_nm, key, element, NOW)


@given(spectra, small_shifts, st.randoms(use_true_random=False))
def test_a_shift_under_half_a_line_width_keeps_every_id_in_any_order(
    nm: tuple[float, ...], shift: float, random
) -> None:
    previous = numbered(nm)
    shuffled = list(range(len(nm)))
    random.shuffle(shuffled)
    new = tuple(peak(nm[k] + shift, peak_id=f"p{place}") for place, k in enumerate(shuffled, start=1))
    assert [p.peak_id for p in carry_peak_ids(previous, new)] == [previous[k].peak_id for k in shuffled]


@given(spectra, spectra, st.integers(1, 60))
def test_ids_are_unique_and_fresh_ones_never_used_before(
    old: tuple[float, ...], new: tuple[float, ...], used: int
) -> None:
    previous = numbered(old)
    carried = carry_peak_ids(previous, numbered(new), next_number=used)
    ids = [p.peak_id for p in carried]
    assert len(set(ids)) == len(ids)
    known = {p.peak_id: p for p in previous}
    for p in carried:
        if p.peak_id in known:
            assert abs(known[p.peak_id].wavelength_nm - p.wavelength_nm) <= FWHM / 2 + 1e-9
        else:
            assert int(p.peak_id[1:]) >= used
    assert [p._replace(peak_id="") for p in carried] == [p._replace(peak_id="") for p in numbered(new)]


def test_first_ids_count_by_wavelength() -> None:
    made = carry_peak_ids((), (peak(500.0, peak_id="x"), peak(300.0, peak_id="x")))
    assert [p.peak_id for p in made] == ["p2", "p1"]


def test_the_nearer_of_two_keeps_the_id() -> None:
    made = carry_peak_ids((peak(400.0, peak_id="p9"),), (peak(399.6), peak(400.1)))
    assert [p.peak_id for p in made] == ["p10", "p9"]


def test_an_uncertain_wavelength_reaches_further() -> None:
    vague = peak(402.0, wavelength_sigma_nm=0.9)
    assert carry_peak_ids((peak(400.0, peak_id="p9"),), (vague,))[0].peak_id == "p9"
    assert carry_peak_ids((peak(400.0, peak_id="p9"),), (peak(402.0),))[0].peak_id == "p10"


def test_ids_of_another_form_do_not_stop_the_count() -> None:
    assert carry_peak_ids((peak(400.0, peak_id="peak-²"),), (peak(500.0),))[0].peak_id == "p1"


flat = Measurement(np.arange(10.0) + 200, np.zeros(10))


def test_an_override_names_the_peak_and_leaves_its_candidates() -> None:
    before = analysis(flat, (294.4, 417.2))
    after, orphaned = apply_overrides(before, [override(417.2)])
    changed = after.detected_peaks[1]
    assert (changed.element, changed.manual, changed.probability, orphaned) == ("Ar", True, 1.0, ())
    assert changed.candidates == before.detected_peaks[1].candidates
    assert after.detected_peaks[0] == before.detected_peaks[0]
    assert [(e.element, e.probability) for e in after.elements] == [("Ga", 0.97), ("Ar", 1.0)]


def test_an_override_stands_when_its_candidate_is_gone() -> None:
    after, orphaned = apply_overrides(analysis(flat, (417.2,)), [override(417.2, "Xe_417.2", "Xe")])
    assert after.detected_peaks[0].element == "Xe"
    assert orphaned == ()


def test_an_override_without_a_peak_is_orphaned_and_claims_no_element() -> None:
    lost = override(600.0, "Xe_600.0", "Xe")
    after, orphaned = apply_overrides(analysis(flat), [lost])
    assert orphaned == (lost,)
    assert after.detected_peaks == analysis(flat).detected_peaks
    assert [e.element for e in after.elements] == ["Ga"]


def test_a_split_line_goes_to_the_part_that_lists_the_candidate() -> None:
    nearer = peak(417.25, candidates=())
    parts = (nearer, peak(417.0))
    after, _ = apply_overrides(replace(analysis(flat), detected_peaks=parts), [override(417.2, "Ga_417.0", "Ga")])
    assert [p.manual for p in after.detected_peaks] == [False, True]


def test_without_overrides_nothing_changes() -> None:
    made = analysis(flat)
    assert apply_overrides(made, []) == (made, ())


@given(spectra, small_shifts, st.data())
def test_overrides_survive_reprocessing(nm: tuple[float, ...], shift: float, data: st.DataObject) -> None:
    """Whatever order and ids the peaks get, moved by less than half a width, each override finds its line."""
    chosen = data.draw(st.lists(st.sampled_from(range(len(nm))), unique=True))
    made = [
        Override("d", f"p{k}", nm[k], 0.01, f"Ar_{nm[k] + 0.1:.1f}", "Ar", NOW + timedelta(seconds=k)) for k in chosen
    ]
    peaks = tuple(peak(x + shift, peak_id=f"q{k}") for k, x in enumerate(reversed(nm)))
    after, orphaned = apply_overrides(replace(analysis(flat), detected_peaks=peaks), made)
    assert orphaned == ()
    assert {round(p.wavelength_nm - shift, 6) for p in after.detected_peaks if p.manual} == {
        round(nm[k], 6) for k in chosen
    }


@given(spectra, st.lists(st.floats(190, 730), max_size=8))
def test_every_override_is_applied_once_or_orphaned(nm: tuple[float, ...], places: list[float]) -> None:
    made = [Override("d", "p", x, 0.01, "Ar_1.0", "Ar", NOW + timedelta(seconds=k)) for k, x in enumerate(places)]
    after, orphaned = apply_overrides(replace(analysis(flat), detected_peaks=numbered(nm)), made)
    assert sum(p.manual for p in after.detected_peaks) + len(orphaned) == len(made)
