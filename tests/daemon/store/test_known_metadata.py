from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.daemon.store.making import analysis, capture, device, entry, stored_entry

from oesd.processing.metadata import capture_metadata, choice_metadata
from oesd.store import Store
from oesd.store.known_metadata import kept_of, known_metadata, whole_of

NAMES = st.sampled_from("abcdefgh")
VALUES = st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 2) | st.text("xy", max_size=2) | st.just([1, {}])
METADATA = st.lists(st.tuples(NAMES, VALUES), max_size=8).map(dict)


# What stands in every result that leaves out what is known: another order, or a name less, and they read differently.
STORED_FORM = (
    "record_id device serial model simulated calibrated taken_at run_id sequence slot integration_us scans "
    "boxcar_half_width_px saturation_counts saturated_pixels detector_temperature_c board_temperature_c cause labels "
    "dark_id dark_reason dark_modelled reference_id reference_reason"
).split()


def test_names_and_their_order_are_those_of_the_stored_form() -> None:
    sample = capture(of=device(pixels=32))
    assert list(known_metadata(entry(sample), sample)) == STORED_FORM


@given(METADATA, METADATA)
def test_any_metadata_come_back_in_their_order(metadata: dict[str, Any], known: dict[str, Any]) -> None:
    kept = json.loads(json.dumps(kept_of(metadata, known)))
    assert json.dumps(whole_of(kept, known)) == json.dumps(metadata)


def test_of_a_spectrum_next_to_nothing_is_kept() -> None:
    sample = capture(of=device(pixels=32))
    made = entry(sample)
    metadata = {**capture_metadata(sample), **choice_metadata(made), "oesd_version": "0.1.0"}
    kept = kept_of(metadata, known_metadata(made, sample))
    assert kept["metadata"] == {"oesd_version": "0.1.0"}, "the words of the API are those that the store knows"
    assert whole_of(kept, known_metadata(made, sample)) == metadata


def test_metadata_that_say_otherwise_are_kept_as_they_are(store: Store) -> None:
    made = stored_entry(store)
    measured = store.measurement(made.data_id)
    assert measured is not None
    for metadata in ({"slot": 1.0, "mine": None, "record_id": made.sample_id}, {"record_id": "another"}, {}):
        again = analysis(measured, warnings=(json.dumps(metadata),))
        store.save_result(made.data_id, again, metadata).result(10)
        found = store.result(made.data_id)
        assert found is not None
        assert json.dumps(found.metadata) == json.dumps(metadata)
