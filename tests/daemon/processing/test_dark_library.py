"""Darks and references from the capture to the entry that uses them: virtual spectrometer, real store and engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.support.daemons import until
from tests.support.dark_library import Bench
from tests.support.dark_units import Unit
from tests.support.stores import rot

from oesd.formats import read_spectrum
from oesd.model import Capture, Entry, Kind, ModelledDark, Recipe
from oesd.processing import BackgroundRules, Processing
from oesd.processing.shelf import wait_s
from oesd.store import Store
from oesd.store.verdicts import StoredVerdict

HOUR_US = 3_600_000_000
DARK = BackgroundRules(24 * HOUR_US, 2.0, HOUR_US, 1.0)
REFERENCE = BackgroundRules(7 * 24 * HOUR_US, 5.0, 0, 0.0)


class Lab:
    """A data directory, a spectrometer, and the processing room over both."""

    def __init__(self, data: Path, bench: Bench, dark: BackgroundRules = DARK) -> None:
        self.bench = bench
        self.store = Store.open(data)
        self.room = Processing(
            self.store,
            Recipe(),
            upload=False,
            beat=lambda _name, _within_s: None,
            dark=dark,
            reference=REFERENCE,
            monotonic_ns=bench.monotonic_ns,
        )
        self.room.start()

    def close(self) -> None:
        self.room.stop()
        self.store.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def verdict(self, capture: Capture) -> StoredVerdict:
        """Hand a dark or a reference over and wait until it was judged, and is known to be."""
        assert self.room.accept(capture) == ""
        until(lambda: self.store.library.verdict(capture.record_id))
        sort = f"{capture.kind}s"
        until(lambda: self._known(sort, capture.record_id))
        found = self.store.library.verdict(capture.record_id)
        assert found is not None
        return found

    def _known(self, sort: str, record_id: str) -> bool:
        state = self.room.library_state()[self.bench.name][sort]
        return record_id in [last["record_id"] for last in (state["last_accepted"], state["last_refused"]) if last]

    def dark(self, **how: object) -> tuple[Capture, StoredVerdict]:
        taken = self.bench.capture(Kind.DARK, **how)  # type: ignore[arg-type]
        return taken, self.verdict(taken)

    def sample(self, *, integration_us: int = 100_000, counts: float = 5_000.0) -> Entry:
        rate = self.bench.plasma(counts, integration_us)
        taken = self.bench.capture(Kind.SAMPLE, integration_us=integration_us, scans=4, rate=rate)
        assert self.room.accept(taken) == ""
        found = until(lambda: next((e for e in self.store.entries(5) if e.sample_id == taken.record_id), None))
        entry = self.store.entry(found.data_id)
        assert entry is not None
        return entry

    def state(self) -> dict[str, object]:
        state = self.room.library_state()[self.bench.name]
        assert json.loads(json.dumps(state)) == state
        return state

    def teach(self, rounds: int = 3) -> None:
        """Take darks of three integration times at temperatures about 22 C."""
        for turn in range(rounds):
            for integration_us in (10_000, 100_000, 1_000_000):
                self.bench.now_s += 60.0
                self.bench.celsius = 22.0 + turn
                _, verdict = self.dark(integration_us=integration_us)
                assert verdict.accepted, verdict.reason
        until(lambda: self.room.library_state()[self.bench.name]["model"]["learned_from"] == 3 * rounds)


@pytest.fixture
def bench() -> Bench:
    return Bench(Unit("USB2000+", 7))


@pytest.fixture
def lab(tmp_path: Path, bench: Bench) -> Iterator[Lab]:
    with Lab(tmp_path / "data", bench) as made:
        yield made


def test_a_clean_dark_serves_and_one_with_plasma_in_it_does_not(lab: Lab) -> None:
    assert lab.sample().dark_reason == "no dark at 100 ms"
    clean, verdict = lab.dark()
    assert verdict.accepted
    lab.bench.now_s = 600.0
    before = lab.sample()
    assert before.dark_id == clean.record_id
    assert before.dark_reason.startswith("dark of 12:00 UTC, same 100 ms, 16 scans to the sample's 4, 10 min old")
    lit, verdict = lab.dark(rate=lab.bench.plasma(200.0, 100_000))
    assert not verdict.accepted
    assert "the light of the last sample" in verdict.reason
    assert lab.sample().dark_id == clean.record_id
    assert lab.store.capture(lit.record_id) is not None
    (loss,) = lab.store.losses()
    assert (loss.kind, loss.reason, loss.detail, loss.slots) == (Kind.DARK, "dark refused", verdict.reason, 1)
    darks = lab.state()["darks"]
    assert isinstance(darks, dict)
    assert (darks["accepted"], darks["refused"]) == (1, 1)
    assert darks["last_refused"]["reason"] == verdict.reason


def test_a_dark_that_the_disk_has_damaged_spoils_one_sample_and_no_further_one(tmp_path: Path, bench: Bench) -> None:
    with Lab(tmp_path / "data", bench) as lab:
        good, _ = lab.dark()
        bench.now_s = 60.0
        bad, _ = lab.dark()
    rot(tmp_path / "data", f"UPDATE captures SET counts = zeroblob(99) WHERE record_id = '{bad.record_id}'")
    with Lab(tmp_path / "data", bench) as lab:
        spoiled = lab.sample()
        assert spoiled.dark_id == bad.record_id
        until(lab.room.idle)
        assert lab.store.result(spoiled.data_id) is None
        following = lab.sample()
        assert following.dark_id == good.record_id
        until(lambda: lab.store.result(following.data_id))


def test_where_no_dark_fits_the_model_stands_in_and_says_so(lab: Lab) -> None:
    lab.teach()
    bench = lab.bench
    bench.celsius = 23.04
    entry = lab.sample(integration_us=300_000)
    assert entry.dark_reason.startswith("dark by the model learned from 9 darks, good to ")
    assert entry.dark_reason.endswith("no dark at 300 ms")
    modelled = lab.store.library.modelled_dark(entry.dark_id)
    assert modelled is not None
    assert (modelled.integration_us, modelled.temperature_c, modelled.darks) == (300_000, 23.0, 9)
    assert lab.store.capture(modelled.record_id) is None  # no measurement
    off = (modelled.counts - bench.unit.mean(300_000, 23.0)) / modelled.sigma
    assert float(np.sqrt(np.mean(off**2))) < 2.0
    again = lab.sample(integration_us=300_000)
    assert again.dark_id == entry.dark_id  # few are made
    until(lambda: lab.store.result(entry.data_id))
    result = lab.store.result(entry.data_id)
    assert result is not None
    assert result.analysis.dark is not None
    assert np.array_equal(result.analysis.dark, modelled.counts)
    assert result.metadata["dark_modelled"] is True
    assert result.metadata["dark_sigma_counts"] == pytest.approx(float(np.median(modelled.sigma)), abs=1e-3)
    for form in ("columns", "json"):
        rendered = lab.room.render(entry.data_id, form)  # type: ignore[arg-type]
        back = read_spectrum(rendered.data, rendered.name)
        assert back.measurement.dark is not None
        assert np.array_equal(back.measurement.dark, modelled.counts)
        assert "Dark Record ID" not in back.metadata


def test_a_modelled_dark_that_the_disk_has_damaged_spoils_one_sample_and_no_further_one(
    tmp_path: Path, bench: Bench
) -> None:
    with Lab(tmp_path / "data", bench) as lab:
        lab.teach()
        lost = lab.sample(integration_us=300_000).dark_id
    rot(tmp_path / "data", f"UPDATE modelled_darks SET counts = zeroblob(99) WHERE record_id = '{lost}'")
    with Lab(tmp_path / "data", bench) as lab:
        lab.sample()  # the library is read, its model learned
        until(lambda: lab.room.library_state()[bench.name]["model"]["learned_from"])
        spoiled = lab.sample(integration_us=300_000)
        assert spoiled.dark_id == lost
        until(lab.room.idle)
        assert lab.store.result(spoiled.data_id) is None
        following = lab.sample(integration_us=300_000)
        assert following.dark_id not in (lost, None)
        assert lab.sample(integration_us=300_000).dark_id == following.dark_id
        until(lambda: lab.store.result(following.data_id))


def test_a_damaged_dark_keeps_no_model_from_being_learned(tmp_path: Path, bench: Bench) -> None:
    """It was told as "spectra cannot be stored", and there was no model until the next dark."""
    with Lab(tmp_path / "data", bench) as lab:
        lab.teach()
        newest = lab.state()["darks"]["last_accepted"]["record_id"]  # type: ignore[index]
    rot(tmp_path / "data", f"UPDATE captures SET counts = zeroblob(99) WHERE record_id = '{newest}'")
    with Lab(tmp_path / "data", bench) as lab:
        lab.room.due(Kind.DARK, bench.conditions())
        until(lambda: lab.room.library_state()[bench.name]["model"]["learned_from"])
        assert lab.room.trouble == ""


def test_a_detector_that_grew_warmer_is_served_by_the_model_and_by_the_dark_when_it_cooled(lab: Lab) -> None:
    lab.teach()
    lab.bench.celsius = 27.0
    warm = lab.sample()
    assert "the nearest stored one is the dark of" in warm.dark_reason
    assert lab.store.library.modelled_dark(warm.dark_id) is not None
    assert lab.room.due(Kind.DARK, lab.bench.conditions()) is not None
    lab.bench.celsius = 24.0
    cool = lab.sample()
    assert cool.dark_id is not None
    assert lab.store.capture(cool.dark_id) is not None or lab.store.library.modelled_dark(cool.dark_id) is not None


def test_a_restart_keeps_everything(tmp_path: Path, bench: Bench) -> None:
    with Lab(tmp_path / "data", bench) as lab:
        lab.teach()
        before = lab.sample(integration_us=300_000)
        lab.dark(rate=bench.plasma(3_000.0, 100_000))
        state = lab.state()
    with Lab(tmp_path / "data", bench) as lab:
        lab.room.due(Kind.DARK, bench.conditions())  # the first that is asked loads the library, the model follows
        until(lambda: lab.room.library_state()[bench.name]["model"]["learned_from"])
        after = lab.state()
        for told in (state, after):
            for kind in ("darks", "references"):
                told[kind] = {k: v for k, v in told[kind].items() if k not in ("due", "waits")}  # type: ignore[attr-defined]
        assert after == state
        assert lab.sample(integration_us=300_000).dark_id == before.dark_id  # the same prediction, the same record
        assert before.dark_id is not None
        assert isinstance(lab.store.library.dark(before.dark_id), ModelledDark)


def test_steps_of_the_clock_make_no_dark_old(tmp_path: Path, bench: Bench) -> None:
    with Lab(tmp_path / "data", bench) as lab:
        clean, _ = lab.dark()
        for years in (-10, 10):
            bench.now_s += 60.0
            bench.utc_step = timedelta(days=365 * years)
            entry = lab.sample()
            assert entry.dark_id == clean.record_id
            assert "beyond the limits" not in entry.dark_reason
            assert lab.room.due(Kind.DARK, bench.conditions()) is None
    bench.boot_id, bench.utc_step = "boot-2", timedelta(days=2)
    with Lab(tmp_path / "data", bench) as lab:  # another boot: the date is all there is
        assert "beyond the limits" in lab.sample().dark_reason


def test_a_reference_is_refused_when_it_is_saturated_or_dark_and_never_for_its_light(lab: Lab) -> None:
    bench = lab.bench
    lab.dark()
    good = bench.capture(Kind.REFERENCE, rate=bench.lamp(20_000.0, 100_000))
    assert lab.verdict(good).accepted
    for counts, why in ((200_000.0, "saturated at"), (0.0, "no light")):
        verdict = lab.verdict(bench.capture(Kind.REFERENCE, rate=bench.lamp(counts, 100_000)))
        assert not verdict.accepted
        assert verdict.reason.startswith(why)
    assert lab.sample().reference_id == good.record_id
    assert [loss.reason for loss in lab.store.losses()] == ["reference refused"] * 2


def test_a_dark_is_asked_for_when_it_is_due_and_less_often_after_each_refusal(lab: Lab) -> None:
    bench, ask = lab.bench, lambda: lab.room.due(Kind.DARK, lab.bench.conditions())
    assert ask() == "no dark yet"
    lab.sample()
    lab.dark()
    assert ask() is None
    bench.now_s = 3_700.0
    assert ask() == "the last dark is 62 min old, 60 min are allowed"
    for refusals in (1, 2, 3):
        lab.dark(rate=bench.plasma(2_000.0, 100_000))
        assert ask() is None
        bench.now_s += wait_s(refusals) - 1.0
        assert ask() is None
        assert f"{refusals} refused in a row" in json.dumps(lab.state())
        bench.now_s += 2.0
        assert "the last one was refused, not dark" in str(ask())
    assert [wait_s(n) for n in (1, 2, 3, 7, 1000)] == [60.0, 120.0, 240.0, 3600.0, 3600.0]
    lab.dark()
    assert ask() is None
    bench.celsius += 1.5
    assert ask() == "the detector is 1.5 C warmer than at the last dark"
    assert lab.room.due(Kind.REFERENCE, bench.conditions()) is None  # nothing renews it by default
    new = bench.conditions(integration_us=50_000)
    assert lab.room.due(Kind.DARK, new) == "integration time changed from 100 ms to 50 ms"


def test_a_dark_on_its_way_is_not_asked_for_twice(tmp_path: Path, bench: Bench) -> None:
    store = Store.open(tmp_path / "data")
    room = Processing(store, Recipe(), upload=False, beat=lambda *_: None, monotonic_ns=bench.monotonic_ns)
    room.accept(bench.capture(Kind.DARK))
    assert room.due(Kind.DARK, bench.conditions()) is None
    bench.now_s = 121.0  # a judgement does not take that long: something is wrong
    assert room.due(Kind.DARK, bench.conditions()) == "no dark yet"
    store.close()
    bench.now_s = 0.0
    room.accept(bench.capture(Kind.DARK))  # cannot be stored
    bench.now_s = 121.0
    assert room.due(Kind.DARK, bench.conditions()) == "no dark yet"


def test_without_the_check_each_dark_serves_and_none_is_learned_from(tmp_path: Path, bench: Bench) -> None:
    with Lab(tmp_path / "data", bench, BackgroundRules(24 * HOUR_US, 2.0, 0, 0.0, check=False)) as lab:
        lit, verdict = lab.dark(rate=bench.plasma(3_000.0, 100_000))
        assert verdict.accepted
        assert verdict.reason == "not checked: check is off for each dark"
        assert lab.sample().dark_id == lit.record_id
        assert lab.room.due(Kind.DARK, bench.conditions(50_000)) is None  # nothing renews it
        assert not lab.store.library.cells(_key(lit))


def _key(capture: Capture):  # type: ignore[no-untyped-def]
    from oesd.store.verdicts import key_of

    return key_of(capture.device)


def test_darks_of_an_earlier_version_are_judged_at_the_start(tmp_path: Path, bench: Bench) -> None:
    with Store.open(tmp_path / "data") as store:
        clean = bench.capture(Kind.DARK)
        lit = bench.capture(Kind.DARK, rate=bench.plasma(20_000.0, 100_000))
        for dark in (clean, lit):
            store.save_capture(dark, None, upload=False).result(10)
    with Lab(tmp_path / "data", bench) as lab:
        until(lab.room.idle)
        first, second = (lab.store.library.verdict(dark.record_id) for dark in (clean, lit))
        assert first is not None
        assert second is not None
        assert (first.accepted, second.accepted) == (True, False)
        assert lab.sample().dark_id == clean.record_id


def test_darks_darker_than_all_before_begin_the_library_anew(lab: Lab) -> None:
    """An even glow passes in the first darks of a spectrometer; light only adds, so that the darker ones are right."""
    bench = lab.bench
    bench.black = False  # they would tell an even glow at once
    glow = np.full(bench.unit.detector.pixels, 300.0 * bench.unit.detector.electrons_per_count / 0.1)
    lit, verdict = lab.dark(rate=glow)
    assert verdict.accepted
    verdicts = [lab.dark()[1] for _ in range(4)]
    begun = [verdict for verdict in verdicts if verdict.begins]
    assert len(begun) == 1
    assert "set aside" in begun[0].reason
    assert verdicts[-1].accepted
    entry = lab.sample()
    assert entry.dark_id in {verdict.record_id for verdict in verdicts if verdict.accepted}
    assert lit.record_id not in {one.record_id for one in lab.store.library.shelved(_key(lit), Kind.DARK, 50)}


def test_another_spectrometer_of_the_same_name_has_a_library_of_its_own(lab: Lab, bench: Bench) -> None:
    lab.dark()
    other = Bench(Unit("USB4000", 8))
    taken = other.capture(Kind.SAMPLE, rate=other.plasma(5_000.0, 100_000))
    lab.room.accept(taken)
    found = until(lambda: next((e for e in lab.store.entries(5) if e.sample_id == taken.record_id), None))
    entry = lab.store.entry(found.data_id)
    assert entry is not None
    assert (entry.dark_id, entry.dark_reason) == (None, "no dark at 100 ms")
    assert lab.sample().dark_id is not None
