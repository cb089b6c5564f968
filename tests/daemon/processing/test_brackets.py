"""A bracketed sample from the acquisition thread to a hub that analyses its file; labels and cause on the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.daemon.processing.test_processing import DEVICE, RUN, accepted, capture, room

from oesd.formats import read_spectrum
from oesd.model import Capture, Kind, new_id
from oesd.processing import Processing
from oesd.store import Store

LABELS = {"growth": "Ga₂O₃ #7", "operator": "A\nScans: 9\u202e"}
FULL = DEVICE.saturation_counts
NOISE = 512.0  # of one scan: 28 times the noise of 9 counts, twice for four scans


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


def exposure(integration_us: int, **changes: object) -> Capture:
    """Mercury whose lines are four times too bright for 100 ms."""
    dim = capture(Kind.SAMPLE, integration_us=integration_us)
    light = 28.0 * (dim.counts - 1500.0) * integration_us / 100_000 + 1500.0
    counts = np.rint(4 * np.clip(light, 0.0, FULL)).astype(np.uint32)
    return replace(dim, counts_sum=counts, saturated=light >= FULL, **changes)


def bracketed(processing: Processing, store: Store) -> tuple[str, Capture, Capture]:
    """Data id, sample and shorter exposure, taken in and processed."""
    sample = exposure(100_000, labels=LABELS, spread=np.full(DEVICE.pixels, NOISE, np.float32))
    short = exposure(10_000, slot=-1)
    processing.begin_run(replace(RUN, cause="plasma on", labels=LABELS))
    assert processing.accept(sample, short) == ""
    store.write(lambda _: None).result(10)
    (entry,) = store.entries()
    assert processing.process(entry.data_id) is not None
    return entry.data_id, sample, short


def test_a_bracket_is_one_slot_one_entry_and_no_line_is_clipped(store: Store) -> None:
    data_id, sample, short = bracketed(room(store), store)
    result = store.result(data_id)
    assert result is not None
    assert not any(peak.saturated for peak in result.analysis.detected_peaks)
    assert result.analysis.scope_corrected.max() > 3.0 * FULL
    assert {finding.element for finding in result.analysis.elements} == {"Hg"}
    assert store.tally().captured == 1
    assert (store.entries()[0].sample_id, len(store.entries())) == (sample.record_id, 1)
    assert store.capture(short.record_id) is not None
    assert np.array_equal(result.analysis.sample, sample.counts), "raw stays raw"


def test_metadata_tell_of_the_bracket_the_labels_and_the_cause(store: Store) -> None:
    data_id, sample, short = bracketed(room(store), store)
    result = store.result(data_id)
    assert result is not None
    told = result.to_api()["spectral_metadata"]
    assert told["bracket"] == {
        "short_id": short.record_id,
        "short_integration_us": 10_000,
        "replaced_pixels": int(sample.saturated.sum()),
    }
    assert (told["cause"], told["labels"]) == ("plasma on", LABELS)


def test_without_a_shorter_exposure_nothing_is_told_of_one(store: Store) -> None:
    processing = room(store)
    data_id = accepted(processing, store, exposure(100_000))
    result = processing.process(data_id)
    assert result is not None
    assert "bracket" not in result.metadata
    assert result.metadata["cause"] == ""
    assert any(peak.saturated for peak in result.analysis.detected_peaks)


@pytest.mark.parametrize("form", ["columns", "json"])
def test_a_hub_that_gets_the_file_finds_and_tells_the_same(tmp_path: Path, store: Store, form: str) -> None:
    processing = room(store)
    data_id, *_ = bracketed(processing, store)
    mine = store.result(data_id)
    rendered = processing.render(data_id, form)
    with Store.open(tmp_path / "hub") as hub:
        there, spectrum = new_id(), read_spectrum(rendered.data)
        hub.save_file(there, spectrum, rendered.data, rendered.name).result(10)
        theirs = room(hub).process(there)
        kept = hub.spectrum_file(there)
        assert kept is not None
        assert kept.spread is not None
        assert np.array_equal(kept.spread, np.full(DEVICE.pixels, NOISE, np.float32))
    assert mine is not None
    assert theirs is not None
    assert theirs.analysis.detected_peaks == mine.analysis.detected_peaks
    assert theirs.analysis.warnings == mine.analysis.warnings
    for key in ("bracket", "labels", "cause", "record_id"):
        assert theirs.metadata[key] == mine.metadata[key]
