from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.daemon.store.making import NOW, analysis, peak, processed, same, spectrum_file, stored_entry

from oesd.model import (
    Candidate,
    ConstraintMode,
    ElementFinding,
    Evidence,
    LineEvidence,
    LineSpread,
    Peak,
    Recipe,
    new_id,
)
from oesd.store import Store, UnknownCandidate, UnknownEntry, UnknownPeak
from oesd.store.analysis_form import pack_analysis, unpack_payload

SPREAD = LineSpread((250.0, 500.0, 750.0), (1.0, 1.1, 1.3), (0.01, 0.01, 0.02), 0.0, 250)


def ids(result) -> list[str]:
    return [p.peak_id for p in result.analysis.detected_peaks]


def test_a_result_comes_back_whole(store: Store) -> None:
    data_id = stored_entry(store).data_id
    measured = store.measurement(data_id)
    made = analysis(measured, recipe=Recipe(ConstraintMode.INCLUDE, ("Ga", "O"), 1.5, ("Ar",), ("As",), 2.0, SPREAD))
    saved = store.save_result(data_id, made, {"run": "7", "depth": [1, None]}).result(10)
    found = store.result(data_id)
    assert same(found, saved)
    assert same(found.analysis, made)
    assert (found.revision, found.metadata, found.made_at_utc) == (1, {"run": "7", "depth": [1, None]}, NOW)
    assert found.to_api()["id"] == "oes_001"
    assert store.result(data_id, 2) is None
    assert store.result(new_id()) is None


def test_spectra_unlike_the_measurement_are_kept_as_they_are(store: Store) -> None:
    data_id = stored_entry(store).data_id
    measured = store.measurement(data_id)
    made = analysis(
        measured,
        wavelengths_nm=measured.wavelengths_nm + 0.1,
        sample=np.round(measured.sample, 3),
        dark=None,
        reference=measured.sample / 3,
        scope_corrected=np.full(len(measured.sample), np.nan),
    )
    store.save_result(data_id, made, {}).result(10)
    assert same(store.result(data_id).analysis, made)


def test_results_of_earlier_versions_lack_what_was_not_told_then(store: Store) -> None:
    data_id = stored_entry(store).data_id
    measured = store.measurement(data_id)
    made = analysis(measured, molecules=(), ambiguous=(), axis=None, line_spread=None)
    packed, later = pack_analysis(made, measured), ("molecules", "ambiguous", "axis", "line_spread")
    earlier = replace(
        packed,
        values={**packed.values, "analysis": {k: v for k, v in packed.values["analysis"].items() if k not in later}},
    )
    assert same(unpack_payload(earlier.payload({}), measured)[0], made)


def test_a_result_as_it_is_shown_is_the_result(store: Store) -> None:
    data_id = stored_entry(store).data_id
    assert store.shown(data_id) is None
    processed(store, data_id)
    for _ in range(2):
        found, shown = store.result(data_id), store.shown(data_id)
        document = {**shown.result.to_api(), "detected_peaks": shown.peaks}
        assert orjson.dumps(document) == orjson.dumps(found.to_api())
        store.assign(data_id, "p2", "Ar_417.3", now=NOW)
    assert any(peak.get("manual") for peak in shown.peaks)


def test_what_the_engine_can_make_again_is_not_kept(store: Store) -> None:
    data_id = stored_entry(store).data_id
    measured = store.measurement(data_id)
    why = Evidence("Ga", 0.97, True, 12.5, (LineEvidence(417.204, 1, 417.2, 900.0, 880.0, 12.0),), (), (), "because")
    made = analysis(measured, baseline=measured.sample, noise=measured.sample, evidence=(why,))
    saved = store.save_result(data_id, made, {}).result(10)
    assert (saved.analysis.baseline, saved.analysis.noise, saved.analysis.evidence) == (None, None, ())
    assert same(store.result(data_id), saved)


def test_a_linearised_scope_takes_next_to_nothing(store: Store) -> None:
    data_id = stored_entry(store).data_id
    measured = store.measurement(data_id)
    difference = measured.sample - measured.dark
    c0, c1, c2 = measured.nonlinearity
    linear = np.round(difference / (c0 + difference * (c1 + difference * c2)), 3)
    store.save_result(data_id, analysis(measured, scope_corrected=linear), {}).result(10)
    assert same(store.result(data_id).analysis.scope_corrected, linear)
    assert store.read(lambda db: db.execute("SELECT length(payload) FROM results").fetchone())[0] < 1000


def test_a_file_has_results_too(store: Store) -> None:
    data_id = new_id()
    store.save_file(data_id, spectrum_file(), b"x", "x.txt").result(10)
    made = analysis(store.measurement(data_id))
    store.save_result(data_id, made, {}).result(10)
    assert same(store.result(data_id).analysis, made)


def test_revisions_count_and_keep_ids(store: Store) -> None:
    data_id = stored_entry(store).data_id
    assert ids(processed(store, data_id, (294.4, 417.2))) == ["p1", "p2"]
    second = processed(store, data_id, (250.0, 294.5, 417.1))
    assert (second.revision, ids(second)) == (2, ["p3", "p1", "p2"])
    third = processed(store, data_id, (294.4,))
    assert (third.revision, ids(third)) == (3, ["p1"])
    fourth = processed(store, data_id, (250.0, 294.4))
    assert (fourth.revision, ids(fourth)) == (4, ["p4", "p1"]), "p2 and p3 are not used again"
    assert [ids(store.result(data_id, n)) for n in (1, 2)] == [["p1", "p2"], ["p3", "p1", "p2"]]
    assert [e.revision for e in store.entries()] == [4]


def test_the_same_again_is_no_new_revision(store: Store) -> None:
    data_id = stored_entry(store).data_id
    first = processed(store, data_id, (294.4, 417.2))
    again = processed(store, data_id, (294.4, 417.2))
    assert same(again, first)
    assert processed(store, data_id, (294.4, 417.2), engine_version="engine-2").revision == 2
    assert processed(store, data_id, (294.4, 417.2), engine_version="engine-2").revision == 2
    assert processed(store, data_id, (294.4, 417.2)).revision == 3
    assert processed(store, data_id, (294.4, 417.2), recipe=Recipe(fwhm_nm=1.0)).revision == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.lists(st.lists(st.integers(0, 40), max_size=6, unique=True), min_size=1, max_size=5))
def test_an_id_never_means_another_line(store: Store, runs: list[list[int]]) -> None:
    data_id = stored_entry(store).data_id
    meant: dict[str, float] = {}
    for lines in runs:
        result = processed(store, data_id, tuple(200 + 2.0 * k for k in lines))
        for p in result.analysis.detected_peaks:
            assert meant.setdefault(p.peak_id, p.wavelength_nm) == p.wavelength_nm


def test_a_person_s_word_survives_reprocessing(store: Store) -> None:
    data_id = stored_entry(store).data_id
    processed(store, data_id, (294.4, 417.2))
    later = NOW + timedelta(hours=1)
    result = store.assign(data_id, "p2", "Ar_417.3", now=later)
    assert result.revision == 1
    assert result.made_at_utc == later
    assert result.analysis.detected_peaks[1].manual
    assert same(store.result(data_id), result)
    assert store.entries()[0].elements == ("Ga", "Ar")
    again = processed(store, data_id, (250.0, 294.5, 417.1), engine_version="engine-2")
    named = again.analysis.detected_peaks[2]
    assert (named.peak_id, named.element, named.manual) == ("p2", "Ar", True)
    assert again.to_api()["detected_peaks"][2]["manual"] is True
    assert store.entries()[0].elements == ("Ga", "Ar")
    assert [o.candidate_key for o in store.overrides(data_id)] == ["Ar_417.3"]


def test_an_orphan_is_listed_and_comes_back_with_its_line(store: Store) -> None:
    data_id = stored_entry(store).data_id
    processed(store, data_id, (294.4, 417.2))
    store.assign(data_id, "p2", "Ar_417.3", now=NOW)
    gone = processed(store, data_id, (294.4,))
    assert [o.candidate_key for o in gone.orphaned] == ["Ar_417.3"]
    assert gone.to_api()["spectral_metadata"]["orphaned_overrides"][0]["candidate_key"] == "Ar_417.3"
    assert store.entries()[0].elements == ("Ga",)
    back = processed(store, data_id, (294.4, 417.3))
    assert back.orphaned == ()
    assert [p.manual for p in back.analysis.detected_peaks] == [False, True]


def test_assigning_again_replaces_and_keeps_the_history(store: Store) -> None:
    data_id = stored_entry(store).data_id
    processed(store, data_id, (294.4, 417.2))
    store.assign(data_id, "p1", "Ar_294.5", now=NOW)
    store.assign(data_id, "p2", "Ar_417.3", now=NOW)
    processed(store, data_id, (294.5, 417.3))
    result = store.assign(data_id, "p2", "Fe_417.1", now=NOW)
    assert [p.element for p in result.analysis.detected_peaks] == ["Ar", "Fe"]
    assert [o.candidate_key for o in store.overrides(data_id)] == ["Ar_294.5", "Fe_417.1"]
    assert [o.candidate_key for o in store.override_history(data_id)] == ["Ar_294.5", "Ar_417.3", "Fe_417.1"]


def test_the_time_of_the_last_change_never_goes_back(store: Store) -> None:
    data_id = stored_entry(store).data_id
    times = [processed(store, data_id, (294.4, 417.2)).made_at_utc]
    hours = (NOW + timedelta(hours=hour) for hour in range(1, 5))
    for key in ("Ar_417.3", None, "Fe_417.0", None):
        now = next(hours)
        result = store.assign(data_id, "p2", key, now=now) if key else store.clear(data_id, "p2", now=now)
        shown = store.shown(data_id)
        assert shown is not None and same(store.result(data_id), result)
        assert shown.result.made_at_utc == result.made_at_utc
        times.append(result.made_at_utc)
    assert times == sorted(set(times)) and times[-1] == NOW + timedelta(hours=4)


def test_another_line_of_the_same_element_is_told_apart(store: Store) -> None:
    data_id = stored_entry(store).data_id
    lines = tuple(Candidate(f"Ga_{nm}", "Ga", 1, nm, share) for nm, share in ((294.4, 0.8), (294.2, 0.2)))
    first = processed(store, data_id, detected_peaks=(peak(294.4, candidates=lines),)).analysis.detected_peaks[0]
    assert (first.candidate_key, "candidate_key" in first.as_dict()) == (None, False)
    keys = [one.candidate_key for one in first.candidates]
    for key in keys:
        chosen = store.assign(data_id, "p1", key, now=NOW).analysis.detected_peaks[0]
        assert (chosen.candidate_key, chosen.line_key) == (key, key)
        shown = store.shown(data_id)
        assert shown is not None and shown.peaks[0]["candidate_key"] == key
        assert Peak.from_dict(chosen.as_dict()) == chosen
    cleared = store.clear(data_id, "p1", now=NOW).analysis.detected_peaks[0]
    assert (cleared.candidate_key, cleared.line_key) == (None, keys[0])


def test_a_wrong_word_is_refused_and_changes_nothing(store: Store) -> None:
    data_id = stored_entry(store).data_id
    with pytest.raises(UnknownPeak):
        store.assign(data_id, "p1", "Ga_417.2", now=NOW)
    before = processed(store, data_id)
    with pytest.raises(UnknownEntry, match="no entry"):
        store.assign(new_id(), "p1", "Ga_417.2", now=NOW)
    with pytest.raises(UnknownPeak, match="'p7'"):
        store.assign(data_id, "p7", "Ga_417.2", now=NOW)
    with pytest.raises(UnknownCandidate, match=r"it has Ga_417\.2, Ar_417\.3, Fe_417\.0") as refused:
        store.assign(data_id, "p2", "Xe_417.2", now=NOW)
    assert refused.value.keys == ("Ga_417.2", "Ar_417.3", "Fe_417.0")
    assert same(store.result(data_id), before)
    assert store.override_history(data_id) == []


def test_results_of_unknown_entries_are_refused(store: Store) -> None:
    measured = spectrum_file().measurement
    with pytest.raises(UnknownEntry):
        store.save_result(new_id(), analysis(measured), {})
    with pytest.raises(UnknownEntry):
        store.fail_result(new_id(), "x").result(10)


def test_a_failed_entry_may_be_processed_after_all_and_a_result_outlives_a_failure(store: Store) -> None:
    data_id = stored_entry(store).data_id
    store.fail_result(data_id, "no light").result(10)
    assert store.tally().failed == 1
    processed(store, data_id)
    assert (store.tally().failed, store.tally().processed) == (0, 1)
    store.fail_result(data_id, "engine error").result(10)
    assert (store.tally().failed, store.tally().processed) == (0, 1)
    assert store.result(data_id).revision == 1


def test_an_element_found_already_keeps_its_place(store: Store) -> None:
    data_id = stored_entry(store).data_id
    processed(store, data_id, elements=(ElementFinding("Ar", 0.4), ElementFinding("Ga", 0.3)))
    result = store.assign(data_id, "p2", "Ar_417.3", now=NOW)
    assert [e.element for e in result.analysis.elements] == ["Ar", "Ga"]


def test_two_entries_do_not_share_overrides(store: Store) -> None:
    one, other = stored_entry(store, 1).data_id, stored_entry(store, 2).data_id
    for data_id in (one, other):
        processed(store, data_id)
    store.assign(one, "p2", "Ar_417.3", now=NOW)
    assert not any(p.manual for p in store.result(other).analysis.detected_peaks)


def test_peaks_without_candidates_take_no_assignment(store: Store) -> None:
    data_id = stored_entry(store).data_id
    processed(store, data_id, detected_peaks=(peak(417.2, None, candidates=()),))
    with pytest.raises(UnknownCandidate, match="it has none"):
        store.assign(data_id, "p1", "Ga_417.2", now=NOW)
