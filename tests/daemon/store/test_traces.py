"""Traces say what the results say, folded or not, and go on saying it when the results are gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.daemon.store.making import NOW, analysis, capture, device, entry, peak
from tests.daemon.store.test_inspection import inspected
from tests.support.stores import copy_store, open_store, rot

from oesd.model import Analysis, Capture, Entry, Peak
from oesd.store import Store, StoreDamaged, traces

LINES_NM = (250.0, 253.9, 256.1, 417.2, 700.0)


def sample_of(second: int, name: str = "chamber-a") -> tuple[Capture, Entry]:
    sample = capture(seed=second, of=device(name, pixels=16), taken_at_utc=NOW + timedelta(seconds=second))
    return sample, entry(sample)


def stored(store: Store, second: int, lines_nm=LINES_NM, name: str = "chamber-a") -> str:
    sample, made = sample_of(second, name)
    store.save_capture(sample, made, upload=False).result(10)
    again(store, made.data_id, lines_nm, second)
    return made.data_id


def again(store: Store, data_id: str, lines_nm, level: float) -> None:
    store.save_result(data_id, shown(store, data_id, lines_nm, level), {}).result(10)


def shown(store: Store, data_id: str, lines_nm, level: float) -> Analysis:
    found = analysis(store.measurement(data_id), tuple(lines_nm))
    peaks = tuple(
        p._replace(intensity=1000.0 * k + level, area=7.0 * level) for k, p in enumerate(found.detected_peaks, 1)
    )
    return replace(found, detected_peaks=peaks)


MANY = traces.BLOCK + 90


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose first 512 spectra are folded; every fifth lacks the lines in the middle."""
    directory = tmp_path_factory.mktemp("folded") / "data"
    with open_store(directory) as store:
        made = [sample_of(second) for second in range(MANY)]
        wait([store.save_capture(sample, of, upload=False) for sample, of in made])
        results = []
        for second, (_, of) in enumerate(made):
            lines = LINES_NM if second % 5 else (250.0, 700.0)
            found = shown(store, of.data_id, [nm + 0.004 * (second % 3) for nm in lines], second)
            results.append(store.save_result(of.data_id, found, {}))
        assert all(future.exception(10) is None for future in results)
        assert store.read(lambda db: db.execute("SELECT count(*) FROM trace_blocks").fetchone()) == (1,)
    return directory


@pytest.fixture
def folded(once: Path, tmp_path: Path) -> Iterator[Store]:
    copy_store(once, tmp_path / "data")
    with open_store(tmp_path / "data") as store:
        yield store


def test_a_trace_is_the_peaks_of_the_results_folded_or_not(folded: Store) -> None:
    found = folded.trace("chamber-a", 256.0, 0.3)
    assert len(found.area) == MANY
    assert (np.diff(found.taken_at_us) == 1_000_000).all()
    there = np.arange(MANY) % 5 != 0
    assert (np.isnan(found.intensity) == ~there).all()
    assert found.intensity[there] == pytest.approx(3000.0 + np.arange(MANY)[there], rel=1e-6)
    assert found.wavelength_nm[there] == pytest.approx(256.1 + 0.004 * (np.arange(MANY) % 3)[there], abs=1e-9)
    assert found.area[1] == 7.0
    part = folded.trace("chamber-a", 250, 0.3, since=NOW + timedelta(seconds=500), until=NOW + timedelta(seconds=520))
    assert part.area == pytest.approx(7.0 * np.arange(500, 521))
    assert len(folded.trace("chamber-b", 250, 0.3).area) == 0


def test_the_nearest_line_is_taken_also_over_the_edge_of_a_stretch(folded: Store) -> None:
    for nm, nearest in ((254.9, 253.9), (255.5, 256.1), (256.4, 256.1), (255.99, 256.1)):
        found = folded.trace("chamber-a", nm, 2.5).wavelength_nm
        assert np.nanmedian(found) == pytest.approx(nearest, abs=0.01)


def test_a_spectrum_that_was_analysed_again_counts_as_it_stands(folded: Store) -> None:
    ids = [summary.data_id for summary in folded.entries(MANY)][::-1]
    again(folded, ids[3], (250.0, 700.0), 5.5)
    again(folded, ids[-1], (250.0, 417.2), 6.5)
    found = folded.trace("chamber-a", 417.2, 0.2)
    assert len(found.area) == MANY
    assert np.isnan(found.intensity[3])
    assert found.intensity[-1] == 2006.5
    assert folded.trace("chamber-a", 700, 0.2).intensity[3] == 2005.5


def test_damage_of_a_block_is_named_and_found(folded: Store, tmp_path: Path) -> None:
    folded.close()
    rot(tmp_path / "data", "UPDATE trace_lines SET peaks = substr(peaks, 1, length(peaks) - 3)")
    with open_store(tmp_path / "data") as store:
        with pytest.raises(StoreDamaged, match="block 1 of the traces of chamber-a"):
            store.trace("chamber-a", 417.2, 0.2)
        assert store.tally().stored == MANY
    assert [f.about for f in inspected(tmp_path / "data")] == ["trace_blocks chamber-a"]


def test_damaged_rows_of_the_tail_are_left_out_and_nothing_else_is(folded: Store, caplog) -> None:
    """One such row, and no result was folded any more."""
    directory = folded.database.parent
    query = "SELECT min(entry_no), count(*) FROM trace_tail"
    first, count = folded.read(lambda db: db.execute(query).fetchone())
    more = "INSERT INTO trace_tail SELECT entry_no + {}, device_name, taken_at_us, peaks FROM trace_tail"
    for by in (count, 2 * count, 4 * count):
        folded.write(lambda db, by=by: db.execute(more.format(by))).result(10)
    damage = f"UPDATE trace_tail SET peaks = x'00' WHERE entry_no IN ({first}, {first + 5})"
    folded.write(lambda db: db.execute(damage)).result(10)
    assert len(folded.trace("chamber-a", 417.2, 0.2).area) == traces.BLOCK + 8 * count - 2
    assert [finding.about for finding in inspected(directory)] == ["trace_tail chamber-a"] * 2
    folded.write(lambda db: traces._fold_full(db, "chamber-a")).result(10)
    assert "2 spectra are left out of the traces of chamber-a" in caplog.text
    assert inspected(directory) == []
    assert len(folded.trace("chamber-a", 417.2, 0.2).area) == traces.BLOCK + 8 * count - 2


def test_a_result_without_peaks_is_a_point_without_numbers(store: Store) -> None:
    stored(store, 0, ())
    assert np.isnan(store.trace("chamber-a", 417.2, 0.2).area).tolist() == [True]


numbers = st.floats(0, 1e9, allow_nan=False)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(180, 1100), numbers, st.floats(-1e9, 1e9)), max_size=30))
def test_points_are_kept_to_seven_digits(peaks) -> None:
    made: list[Peak] = [peak(nm)._replace(intensity=i, area=a) for nm, i, a in peaks]
    rows = np.frombuffer(traces.pack_points(made), traces.PEAK)
    assert rows["milli_nm"] / 1000.0 == pytest.approx([p.wavelength_nm for p in made], abs=0.00051)
    assert rows["intensity"] == pytest.approx([p.intensity for p in made], rel=1e-6, abs=1e-30)
    assert rows["area"] == pytest.approx([p.area for p in made], rel=1e-6, abs=1e-30)
    lines = traces._lines([(1, 2, traces.pack_points(made))])
    assert (traces.unpack_rows(traces.pack_rows(lines), traces.LINE) == lines).all()
    for name in ("intensity", "area"):
        assert lines[name] == pytest.approx(rows[name], rel=2.0**-16, abs=1e-38), "a block keeps 16 bits of them"


@pytest.mark.parametrize("together", [2, 3, 4, 16])
def test_each_of_several_spectrometers_that_measure_in_step_is_folded(together: int) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(
            "CREATE TABLE entries (entry_no INTEGER PRIMARY KEY, device_name, taken_at_us);" + traces.SCHEMA
        )
        for number in range(1, together * (traces.BLOCK + 300)):
            db.execute("INSERT INTO entries VALUES (?, ?, ?)", (number, f"chamber-{number % together}", number))
            traces.note(db, number, b"")
        longest = "SELECT max(waiting) FROM (SELECT count(*) AS waiting FROM trace_tail GROUP BY device_name)"
        assert db.execute(longest).fetchone()[0] < traces.BLOCK
