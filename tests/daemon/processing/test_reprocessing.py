"""Reprocessing: what is out of date is redone, what is not is passed over, choices by hand and peak ids stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.daemon.web import spectra
from tests.support.stores import rot

from oesd.model import Analysis, ElementFinding, Override, Recipe, Result, new_id
from oesd.processing import Processing
from oesd.processing.differences import difference
from oesd.processing.doing import do
from oesd.processing.jobs import OtherVersion, versions
from oesd.processing.keeping import keep_answers, pack_answers, unpack_answers
from oesd.processing.reprocessing import Outcome, Tasks, redone, tasks_of
from oesd.store import Store, StoreError
from oesd.store.onlooker import Onlooker
from oesd.store.standing import Standing, Wanted, list_standings

ALL = Wanted()
TODAY = (versions().engine, versions().line_table)


class Here:
    """Does each job at once, in this process."""

    hands = 2

    def submit(self, job: bytes) -> Future[bytes]:
        future: Future[bytes] = Future()
        future.set_result(do(job))
        return future


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


def filled(store: Store, entries: int = 3, name: str = "chamber-a") -> list[str]:
    """Entries whose results an older engine made."""
    device = spectra.device(name, pixels=1024)
    return [spectra.store_spectrum(store, device, seed=seed) for seed in range(entries)]


def no_metadata(_: str) -> dict[str, object]:
    return {}


def kept(store: Store, tasks: Tasks) -> list[Outcome]:
    outcomes = list(redone(store, Here(), tasks.todo))
    answers = {outcome.task.data_id: outcome.answer for outcome in outcomes if outcome.answer}
    assert set(keep_answers(store, unpack_answers(pack_answers(answers)), no_metadata).values()) <= {""}
    return outcomes


def ids(tasks: Tasks) -> list[str]:
    return [task.data_id for task in tasks.todo]


def latest(store: Store, data_id: str) -> Result:
    result = store.result(data_id)
    assert result is not None
    return result


def test_what_an_older_engine_made_is_done_again_once(store: Store) -> None:
    entries = filled(store)
    tasks = tasks_of(store, ALL, Recipe())
    assert (ids(tasks), tasks.current) == (entries, 0)
    kept(store, tasks)
    assert {latest(store, data_id).analysis.engine_version for data_id in entries} == {TODAY[0]}
    after = tasks_of(store, ALL, Recipe())
    assert (after.todo, after.current) == ((), 3)
    assert ids(tasks_of(store, ALL, Recipe(), again=True)) == entries


def test_a_run_that_was_stopped_goes_on_where_it_was(store: Store) -> None:
    entries = filled(store, 4)
    tasks = tasks_of(store, ALL, Recipe())
    kept(store, replace(tasks, todo=tasks.todo[:2]))
    assert ids(tasks_of(store, ALL, Recipe())) == entries[2:]


def test_doing_it_again_makes_no_revision(store: Store) -> None:
    (data_id,) = filled(store, 1)
    kept(store, tasks_of(store, ALL, Recipe()))
    first = latest(store, data_id)
    kept(store, tasks_of(store, ALL, Recipe(), again=True))
    assert latest(store, data_id).revision == first.revision == 2


def test_workers_make_what_the_daemon_itself_makes(tmp_path: Path) -> None:
    with Store.open(tmp_path / "one") as one, Store.open(tmp_path / "other") as other:
        device = spectra.device(pixels=1024)
        captures = spectra.capture(device), spectra.capture(device, seed=2)
        made = []
        for store in (one, other):
            entry = _entry(store, *captures)
            if store is one:
                kept(store, tasks_of(store, ALL, Recipe()))
            else:
                Processing(store, Recipe(), upload=False, beat=lambda _name, _within_s: None).process(entry)
            made.append(store.read(lambda c: c.execute("SELECT content FROM results ORDER BY revision").fetchall()))
    assert made[0] == made[1]


def _entry(store: Store, dark: object, sample: object) -> str:
    from oesd.model import Capture, Entry

    assert isinstance(dark, Capture)
    assert isinstance(sample, Capture)
    store.save_capture(dark, None, upload=False).result()
    entry = Entry("01a20125-5bd0-7604-9d98-2edaf42b34de", sample.record_id, dark.record_id, None, "", "", spectra.NOW)
    store.save_capture(sample, entry, upload=False).result()
    return entry.data_id


def test_another_recipe_is_a_task_and_none_leaves_each_its_own(store: Store) -> None:
    entries = filled(store, 2)
    kept(store, tasks_of(store, ALL, Recipe(expected=("Ga",))))
    assert ids(tasks_of(store, ALL, Recipe())) == entries
    assert tasks_of(store, ALL, None).todo == ()
    (task, _) = tasks_of(store, ALL, None, again=True).todo
    assert task.recipe == Recipe(expected=("Ga",))


def test_bounds(store: Store) -> None:
    a, b = filled(store, 2), filled(store, 2, "chamber-b")
    assert ids(tasks_of(store, Wanted(device_name="chamber-b"), Recipe())) == b
    assert ids(tasks_of(store, Wanted(data_ids=(b[1], a[0])), Recipe())) == [a[0], b[1]]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert tasks_of(store, Wanted(since=tomorrow), Recipe()).todo == ()
    strange = new_id()
    assert tasks_of(store, Wanted(data_ids=(a[0], strange)), Recipe()).missing == (strange,)


class InPagesOfTwo(Onlooker):
    def standings(self, wanted: Wanted, after_no: int = 0) -> list[Standing]:
        return self.read(lambda connection: list_standings(connection, wanted, after_no, 2))


def test_many_entries_come_page_by_page(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        entries = filled(store, 5)
    with InPagesOfTwo(tmp_path) as paged:
        assert ids(tasks_of(paged, ALL, Recipe())) == entries


def test_a_daemon_is_left_its_own_work(store: Store) -> None:
    waiting = spectra.store_spectrum(store, spectra.device(pixels=1024), processed=False)
    assert tasks_of(store, ALL, Recipe(), leave_waiting=True).left == 1
    assert ids(tasks_of(store, ALL, Recipe())) == [waiting]


def test_choices_by_hand_and_peak_ids_stay(store: Store) -> None:
    (data_id,) = filled(store, 1)
    before = latest(store, data_id)
    chosen = next(peak for peak in before.analysis.detected_peaks if peak.element == "Ar" and len(peak.candidates) > 1)
    key = chosen.candidates[1].candidate_key
    store.assign(data_id, chosen.peak_id, key, now=spectra.NOW)
    kept(store, tasks_of(store, ALL, Recipe()))
    after = {peak.peak_id: peak for peak in latest(store, data_id).analysis.detected_peaks}
    assert (after[chosen.peak_id].manual, after[chosen.peak_id].element) == (True, chosen.candidates[1].element)
    same = [peak for peak in before.analysis.detected_peaks if peak.peak_id in after]
    assert len(same) > 10
    assert all(abs(peak.wavelength_nm - after[peak.peak_id].wavelength_nm) < peak.fwhm_nm for peak in same)


def test_what_cannot_be_read_costs_nothing_else(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        entries = filled(store)
        entry = store.entry(entries[1])
        assert entry is not None
    rot(tmp_path, f"UPDATE captures SET sha256 = zeroblob(32) WHERE record_id = '{entry.sample_id}'")
    with Store.open(tmp_path) as store:
        outcomes = kept(store, tasks_of(store, ALL, Recipe()))
        assert sorted(outcome.task.data_id for outcome in outcomes) == sorted(entries)
        (trouble,) = [outcome for outcome in outcomes if outcome.trouble]
        assert trouble.task.data_id == entries[1]
        assert "damaged" in trouble.trouble
        assert latest(store, entries[2]).revision == 2


def test_a_result_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        (data_id,) = filled(store, 1)
        kept(store, tasks_of(store, ALL, Recipe()))
    rot(tmp_path, "UPDATE results SET payload = x'00'")
    with Store.open(tmp_path) as store:
        assert ids(tasks_of(store, ALL, Recipe())) == [data_id]


def test_a_spectrum_that_the_engine_refuses_is_told(store: Store) -> None:
    device = replace(spectra.device(pixels=64), wavelengths_nm=np.full(64, 500.0))
    data_id = spectra.store_spectrum(store, device, processed=False)
    (outcome,) = kept(store, tasks_of(store, ALL, Recipe()))
    assert "increasing" in outcome.refusal
    (entry,) = [entry for entry in store.entries() if entry.data_id == data_id]
    assert entry.state.startswith("failed: ")


def test_answers_of_another_engine_are_not_kept(store: Store) -> None:
    from oesd.store.analysis_form import pack_analysis

    (data_id,) = filled(store, 1)
    measured = store.measurement(data_id)
    assert measured is not None
    old = pack_analysis(latest(store, data_id).analysis, measured).payload({})
    with pytest.raises(OtherVersion, match="restart"):
        keep_answers(store, {data_id: b"A" + old}, no_metadata)
    strange = new_id()
    told = keep_answers(store, {strange: b"A", data_id: b"junk"}, no_metadata)
    assert strange in told[strange]
    assert "cannot be read" in told[data_id]


def test_a_store_is_read_beside_the_daemon_that_writes_it(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, Onlooker(tmp_path) as beside:
        entries = filled(store, 2)
        assert [standing.data_id for standing in beside.standings(ALL)] == entries
        outcomes = list(redone(beside, Here(), tasks_of(beside, ALL, Recipe()).todo))
        assert [outcome.trouble for outcome in outcomes] == ["", ""]
        assert beside.overrides(entries[0]) == []
        with pytest.raises(StoreError, match="readonly"):
            beside.read(lambda connection: connection.execute("DELETE FROM entries"))


def test_a_directory_without_a_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no data of oesd"):
        Onlooker(tmp_path)


# -- differences -----------------------------------------------------------------------------------------------------


def result_of(analysis: Analysis, orphaned: Iterable[Override] = ()) -> Result:
    return Result("id", 1, spectra.NOW, analysis, {}, tuple(orphaned))


def told(before: Analysis, after: Analysis, overrides: tuple[Override, ...] = ()) -> str:
    found = difference("id", result_of(before), after, overrides)
    renamed = " ".join(f"{r.peak_id}:{r.before}>{r.after}" for r in found.renamed)
    return f"+{','.join(found.gained)} -{','.join(found.lost)} {renamed} {found.peaks_before}>{found.peaks_after}"


def an_analysis() -> Analysis:
    device = spectra.device(pixels=256)
    return spectra.analysis(device.wavelengths_nm, spectra.counts(device.wavelengths_nm))


def test_the_same_analysis_is_no_difference() -> None:
    before = an_analysis()
    found = difference("id", result_of(before), replace(before, engine_version="other"), ())
    assert (found.names, found.numbers) == (False, False)


def test_a_difference_names_elements_peaks_and_numbers() -> None:
    before = an_analysis()
    first, second, *rest = before.detected_peaks
    after = replace(
        before,
        elements=(*before.elements[:2], ElementFinding("Fe", 0.9)),
        detected_peaks=(second._replace(element="Fe", peak_id="p1"), *rest),
    )
    assert told(before, after) == f"+Fe -Al p2:{second.element}>Fe 29>28"
    assert first.peak_id == "p1"  # its id is not given to its neighbour
    numbers = replace(before, elements=(replace(before.elements[0], probability=0.5), *before.elements[1:]))
    found = difference("id", result_of(before), numbers, ())
    assert (found.names, found.numbers) == (False, True)


def test_a_choice_that_would_find_no_peak_is_told() -> None:
    before = an_analysis()
    first = before.detected_peaks[0]
    override = Override("id", "p1", first.wavelength_nm, 0.02, "Fe_308.4", "Fe", spectra.NOW)
    found = difference("id", result_of(before), replace(before, detected_peaks=before.detected_peaks[1:]), (override,))
    assert found.orphaned == ("Fe_308.4",)
    again = difference("id", result_of(before, [override]), replace(before, detected_peaks=()), (override,))
    assert again.orphaned == ()


def test_a_first_result_is_a_difference() -> None:
    found = difference("id", None, an_analysis(), ())
    assert found.gained == ("Ar", "Cu", "Al")
    assert found.numbers
