"""GET /waterfall: rows spread over a time, no line lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import Api

from oesd.store import Store
from oesd.store.evenly import spread_entries
from oesd.web.waterfall import greatest

DEVICE = spectra.device()


def span(hours: float = 1.0) -> dict[str, str]:
    now = datetime.now(UTC)
    return {"since": (now - timedelta(hours=hours)).isoformat(), "until": (now + timedelta(hours=hours)).isoformat()}


def test_rows_in_order_with_every_line(api: Api, store: Store) -> None:
    ids = [spectra.store_spectrum(store, DEVICE, seed=seed) for seed in range(3)]
    spectra.store_spectrum(store, DEVICE, processed=False)
    spectra.store_spectrum(store, spectra.device("other"))
    found = api.client.get("/waterfall", params={"device": DEVICE.name, "columns": 200, **span()}).json()
    assert found["data_id"] == ids and sorted(found["taken_at_utc"]) == found["taken_at_utc"]
    values, axis = np.array(found["values"]), np.array(found["wavelengths_nm"])
    assert values.shape == (3, 200) and axis.shape == (200,)
    for nm in (324.75, 763.51):
        assert values[:, np.argmin(abs(axis - nm))].min() > 10_000
    again = api.client.get("/waterfall", params={"device": DEVICE.name, "columns": 200, **span()}).json()
    assert again["values"] == found["values"]


@pytest.mark.parametrize("most", [1, 5, 16, 100])
def test_entries_are_spread_and_stay_the_same_ones(store: Store, most: int) -> None:
    for _ in range(37):
        spectra.store_spectrum(store, DEVICE, processed=False)
    since, until = (datetime.fromisoformat(moment) for moment in span().values())
    chosen = [data_id for data_id, _ in store.read(lambda db: spread_entries(db, DEVICE.name, since, until, most))]
    assert min(most, 37) / 2 <= len(chosen) <= most or len(chosen) == 37
    spectra.store_spectrum(store, DEVICE, processed=False)
    later = [data_id for data_id, _ in store.read(lambda db: spread_entries(db, DEVICE.name, since, until, most))]
    assert len(set(chosen) & set(later)) >= len(chosen) // 2
    assert store.read(lambda db: spread_entries(db, DEVICE.name, until, until + timedelta(1), most)) == []


def test_nothing_and_nonsense(api: Api) -> None:
    nothing = api.client.get("/waterfall", params={"device": "nobody", **span()}).json()
    assert nothing["values"] == [] and nothing["wavelengths_nm"] == []
    assert api.client.get("/waterfall", params={"device": "a", "since": "x", "until": "y"}).status_code == 422


def test_a_stretch_without_a_value_has_none() -> None:
    row = greatest(np.array([1.0, 2.0, 3.0]), np.array([5.0, np.nan, 7.0]), np.array([0.0, 1.5, 2.5, 3.0, 4.0]))
    assert row[[0, 3]].tolist() == [5.0, 7.0] and np.isnan(row[[1, 2]]).all()
