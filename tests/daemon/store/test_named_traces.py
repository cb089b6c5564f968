"""Named traces are stored with their results, folded or not; what was decided live can be read again as it was."""

from __future__ import annotations

import math
import random
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.daemon.store.making import NOW, analysis, capture, device, entry
from tests.daemon.store.test_inspection import inspected
from tests.support.stores import copy_store, open_store, rot

from oesd.model import Recipe, Result, RunRecord
from oesd.processing.readings import Readings
from oesd.service.golden_means import GoldenMeans
from oesd.service.run_spectra import find_run, spectra_of
from oesd.store import Store, StoreDamaged
from oesd.store.named_reading import NamedReading, NamedTraces
from oesd.store.named_traces import BLOCK, KEPT, SCHEMA, _fold_full, pack_readings
from oesd.store.onlooker import Onlooker
from oesd.watching.reading import State

MANY = BLOCK + KEPT + 60
RATIO, LIGHT = ("f_ar", "(F_703.7 / Ar_750.4)", ""), ("light", "light", "counts nm/s")
RUN = RunRecord("run-1", "chamber-a", 1_000_000, True, NOW, 10**12, "boot-1")


def captured(second: int, name: str = "chamber-a"):
    sample = capture(
        seed=second,
        of=device(name, pixels=16),
        taken_at_utc=NOW + timedelta(seconds=second),
        run_id="run-1",
        slot=second,
        monotonic_ns=10**12 + second * 10**9,
        boot_id="boot-1",
    )
    return sample, entry(sample)


def stored(store: Store, second: int, readings: bytes, name: str = "chamber-a", run: RunRecord | None = RUN) -> str:
    sample, made = captured(second, name)
    store.save_capture(sample, made, upload=False, run=run).result(10)
    again(store, made.data_id, readings).result(10)
    return made.data_id


def again(store: Store, data_id: str, readings: bytes, recipe: Recipe | None = None) -> Future[Result]:
    found = analysis(store.measurement(data_id), (250.0,), recipe=recipe or Recipe())
    return store.save_result(data_id, found, {}, readings)


def told(numbers: dict[str, int], second: int) -> bytes:
    state = second % 4
    value = math.nan if state == 3 else 0.1 * second
    return pack_readings([(numbers["light"], 1e6 + second, 10.0, 0), (numbers["f_ar"], value, 0.01, state)])


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("named") / "data"
    with open_store(directory) as store:
        numbers = NamedTraces(store).register([RATIO, LIGHT])
        entries = [captured(second) for second in range(MANY)]
        for future in [store.save_capture(*pair, upload=False, run=RUN) for pair in entries]:
            future.result(30)
        ids = [made.data_id for _, made in entries]
        for future in [again(store, data_id, told(numbers, second)) for second, data_id in enumerate(ids)]:
            future.result(30)
        assert store.read(lambda db: db.execute("SELECT count(*) FROM named_blocks").fetchone()) == (1,)
    return directory


@pytest.fixture
def folded(once: Path, tmp_path: Path) -> Iterator[Store]:
    copy_store(once, tmp_path / "data")
    with open_store(tmp_path / "data") as store:
        yield store


def test_a_trace_comes_back_as_it_was_stored_folded_or_not(folded: Store) -> None:
    named = NamedReading(folded)
    assert [one.name for one in named.traces()] == ["f_ar", "light"]
    ratio = named.find("f_ar")
    found = named.series(ratio.trace_no, "chamber-a")
    seconds = np.arange(MANY)
    assert (np.diff(found.taken_at_us) == 1_000_000).all()
    assert (found.state == seconds % 4).all()
    assert (np.isnan(found.value) == (seconds % 4 == 3)).all()
    there = seconds % 4 != 3
    assert (found.value[there] == (0.1 * seconds[there]).astype(np.float32)).all()
    assert (found.run_us == seconds * 1_000_000).all()
    assert named.run_ids(found.run_no.tolist()) == {int(found.run_no[0]): "run-1"}
    part = named.series(ratio.trace_no, "chamber-a", NOW + timedelta(seconds=500), NOW + timedelta(seconds=600))
    assert len(part) == 101
    assert len(named.series(ratio.trace_no, "chamber-b")) == 0
    assert named.devices() == ["chamber-a"]


def test_a_name_with_another_definition_is_another_trace(folded: Store) -> None:
    named = NamedTraces(folded)
    before = named.find("f_ar")
    numbers = named.register([("f_ar", "(F_685.6 / Ar_750.4)", ""), RATIO])
    assert numbers["f_ar"] == before.trace_no
    assert named.find("f_ar").definition == "(F_685.6 / Ar_750.4)"
    assert len(named.series(named.find("f_ar").trace_no, "chamber-a")) == 0


def test_what_was_seen_live_stays_when_a_spectrum_is_analysed_again(folded: Store) -> None:
    named = NamedReading(folded)
    light = named.find("light")
    first = named.series(light.trace_no, "chamber-a")
    ids = [summary.data_id for summary in folded.entries(5)]
    for data_id in ids:
        again(folded, data_id, pack_readings([(light.trace_no, 7.0, 1.0, 0)]), Recipe(fwhm_nm=3.0)).result(10)
    run_no = named.run_number("run-1", "chamber-a")
    live, shown = named.of_run(light.trace_no, "chamber-a", run_no), named.series(light.trace_no, "chamber-a")
    assert np.array_equal(live.value, first.value)
    pieces = list(named.pieces_of_run(light.trace_no, "chamber-a", run_no))
    assert len(pieces) > 1 and max(map(len, pieces)) <= BLOCK
    for name in ("order_no", "run_us", "value", "sigma", "state"):
        assert np.array_equal(np.concatenate([getattr(one, name) for one in pieces]), getattr(live, name))
    assert not list(named.pieces_of_run(light.trace_no, "chamber-a", run_no + 1))
    assert (shown.value[-5:] == 7.0).all()
    assert np.array_equal(shown.value[:-5], first.value[:-5])


def test_a_golden_mean_is_that_of_the_usable_values_of_the_whole_run(folded: Store) -> None:
    named = NamedReading(folded)
    numbers = {name: named.find(name).trace_no for name in ("f_ar", "light")}
    found = GoldenMeans(folded, named, Readings(()), numbers, {}).of(numbers, {"chamber-a": "run-1"}, ())
    seconds = np.arange(MANY)
    assert found["light", "chamber-a"] == pytest.approx(1e6 + seconds.mean())
    series = named.of_run(numbers["f_ar"], "chamber-a", named.run_number("run-1", "chamber-a"))
    usable = series.value[series.state <= State.NOT_DETECTED]
    assert found["f_ar", "chamber-a"] == pytest.approx(usable.mean()) and 0 < len(usable) < MANY


def test_of_a_long_run_a_few_spectra_are_chosen_evenly(folded: Store) -> None:
    run = find_run(folded, "run-1")
    for most in (3, 20, 10 * MANY):
        at_s = np.array([one.run_s for one in spectra_of(folded, run, most)])
        assert len(at_s) == min(most, MANY) and at_s[0] == 0.0
        assert at_s[-1] > MANY * (1 - 1 / most) - 1
        assert np.ptp(np.diff(at_s)) <= 0.3 * (at_s[-1] / (len(at_s) - 1))


def test_rows_come_in_the_order_of_storing_and_none_is_missed(folded: Store) -> None:
    named = NamedReading(folded)
    rows, after = [], 0
    while batch := named.rows_after(after, 100):
        rows += batch
        after = batch[-1].order_no
    assert [row.run_us // 1_000_000 for row in rows] == list(range(MANY))
    assert after == named.newest_order()
    light = named.find("light").trace_no
    assert [row.readings[light][0] for row in rows[:3]] == [1e6, 1e6 + 1, 1e6 + 2]


class Plain:
    """Named traces alone, of many rows of two spectrometers at very different paces, folded as a store folds them."""

    def __init__(self, rows: int, seed: int) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(SCHEMA)
        pick = random.Random(seed)
        for number in range(1, rows + 1):
            name = "slow" if pick.random() < 0.2 else "fast"
            self.db.execute(
                "INSERT INTO named_tail VALUES (?, ?, 1, ?, ?, 1, ?, ?)",
                (number, number, name, number, number, pack_readings([(1, number, 1.0, 0)])),
            )
            if number % KEPT == 0:
                _fold_full(self.db, name)

    def read(self, query):
        return query(self.db)


@pytest.mark.parametrize("seed", [1, 2])
def test_two_spectrometers_are_followed_in_the_order_of_storing(seed: int) -> None:
    plain = Plain(8 * BLOCK, seed)
    assert plain.db.execute("SELECT count(DISTINCT device_name) FROM named_blocks").fetchone() == (2,)
    named, found, after = NamedReading(plain), [], 0
    while batch := named.rows_after(after, 200):
        assert len(batch) <= 200
        found += [row.order_no for row in batch]
        after = found[-1]
    assert found == list(range(1, 8 * BLOCK + 1))
    assert min(filter(None, map(named.first_of_newest_run, ("fast", "slow")))) == 1


def test_the_next_rows_cost_the_same_however_many_come_after() -> None:
    """Following a run of a week read everything behind each row again: its daemon took an hour to start, and a GB."""
    plain = Plain(8 * BLOCK, 3)
    firsts = "SELECT min(block_no) FROM named_blocks GROUP BY device_name"
    plain.db.execute(f"UPDATE named_blocks SET spectra = x'00' WHERE block_no NOT IN ({firsts})")
    named = NamedReading(plain)
    assert len(named.rows_after(0, 100)) == 100  # none of those was touched
    with pytest.raises(StoreDamaged):
        named.rows_after(5 * BLOCK, 100)


def test_the_newest_rows_cost_the_same_however_many_lie_before_them() -> None:
    """It is asked after each spectrum, for years."""
    plain, steps = Plain(8 * BLOCK, 3), []

    def steps_of_the_newest() -> int:
        del steps[:]
        plain.db.set_progress_handler(lambda: steps.append(1), 10)
        assert NamedReading(plain).rows_after(8 * BLOCK, 100) == []
        plain.db.set_progress_handler(None, 0)
        return len(steps)

    few = steps_of_the_newest()
    plain.db.executemany(
        "INSERT INTO named_blocks (device_name, last_order, first_us, last_us, first_run, last_run, spectra) "
        "VALUES ('fast', 0, 0, ?, 1, 1, x'')",
        ((number,) for number in range(2000)),
    )
    assert steps_of_the_newest() < 2 * few


def test_order_goes_on_after_folding(folded: Store) -> None:
    numbers = NamedTraces(folded).register([RATIO, LIGHT])
    before = NamedReading(folded).newest_order()
    for second in range(MANY, MANY + 3):
        stored(folded, second, told(numbers, second))
    assert NamedReading(folded).newest_order() == before + 3


def test_a_result_without_readings_or_run_is_no_error(folded: Store) -> None:
    named = NamedTraces(folded)
    light = named.find("light").trace_no
    stored(folded, MANY, b"")
    stored(folded, MANY + 1, pack_readings([(light, 5.0, 1.0, 0)]), name="chamber-b", run=None)
    found = named.series(light, "chamber-b")
    assert (found.run_no.tolist(), found.value.tolist()) == ([0], [5.0])
    assert named.rows_after(named.newest_order() - 1)[0].device_name == "chamber-b"


def test_a_damaged_block_is_named(folded: Store, tmp_path: Path) -> None:
    light = NamedReading(folded).find("light").trace_no
    directory = folded.database.parent
    folded.close()
    rot(
        directory,
        f"UPDATE named_columns SET readings = substr(readings, 1, length(readings) - 9) WHERE trace_no = {light}",
    )
    with Onlooker(directory) as store, pytest.raises(StoreDamaged, match="block 1 of the named traces"):
        NamedReading(store).series(light, "chamber-a")
    with open_store(directory) as store:  # what is golden is asked for at start: a daemon measures without it, too
        means = GoldenMeans(store, NamedReading(store), Readings(()), {"light": light}, {})
        assert means.of(["light"], {"chamber-a": "run-1"}, ()) == {}
    assert any("block 1 of the named traces" in finding.text for finding in inspected(directory))


def test_damaged_rows_of_the_tail_are_left_out_and_nothing_else_is(folded: Store, caplog) -> None:
    """One such row, and no result was folded any more; the thread that follows ended, and with it the daemon."""
    named, columns = NamedReading(folded), "entry_no, revision, device_name, taken_at_us, run_no, run_us, readings"
    light = named.find("light").trace_no
    for _ in range(3):
        double = f"INSERT INTO named_tail ({columns}) SELECT {columns} FROM named_tail"
        folded.write(lambda db, query=double: db.execute(query)).result(10)
    first, count = folded.read(lambda db: db.execute("SELECT min(order_no), count(*) FROM named_tail").fetchone())
    strange = pack_readings([(77, 1.0, 1.0, 0)]).hex()
    changes = (
        "readings = x'00'",
        "revision = 1099511627776",
        "revision = -3",
        f"readings = x'{strange}'",
        "run_no = -4611686018427387904",
    )
    for number, change in enumerate(changes):
        query = f"UPDATE named_tail SET {change} WHERE order_no = {first + number}"
        folded.write(lambda db, query=query: db.execute(query)).result(10)
    assert len(named.rows_after(first - 1, count)) == count - 3
    assert len(list(named.pieces_of_run(light, "chamber-a", 1))) == 2
    found = [finding.about for finding in inspected(folded.database.parent)]
    assert found == ["named_tail chamber-a"] * 3
    folded.write(lambda db: _fold_full(db, "chamber-a")).result(10)
    assert "3 spectra are left out of the named traces of chamber-a" in caplog.text
    assert folded.read(lambda db: db.execute("SELECT count(*) FROM named_tail").fetchone()) == (count - BLOCK,)
    assert inspected(folded.database.parent) == []
    assert len(named.rows_after(first - 1, BLOCK - 3)) == BLOCK - 3


def test_a_trace_whose_number_was_damaged_costs_no_result() -> None:
    sound = (7, 1.0, 1.0, 0)
    assert pack_readings([(-(1 << 62), 1.0, 1.0, 0), sound, (1 << 40, 1.0, 1.0, 0)]) == pack_readings([sound])


def test_five_thousand_points_are_read_within_a_few_copies_of_the_peaks(folded: Store) -> None:
    """A ratio within one run: reading 600 points costs less than storing one result and far less than 600 of them."""
    named = NamedReading(folded)
    light = named.find("light").trace_no

    def cost(what) -> float:
        best = 9.0
        for _ in range(7):
            begun = time.process_time()
            what()
            best = min(best, time.process_time() - begun)
        return best

    ids = [summary.data_id for summary in folded.entries(20)]
    twenty_results = cost(lambda: [folded.result(data_id) for data_id in ids])
    assert cost(lambda: named.series(light, "chamber-a")) < twenty_results
