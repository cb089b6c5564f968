"""Remote results over the daemon's API."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.daemon.web import spectra
from tests.daemon.web.conftest import Api

from oesd.model import new_id
from oesd.store import Store
from oesd.store.remote import RemoteResult

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DIFFERENCE = {"wavelength_nm": 400.0, "here": "Ga", "there": "Mn", "text": "peak at 400.00 nm named otherwise"}


def test_what_differs_and_what_is_in_conflict_is_listed(api: Api, store: Store) -> None:
    one, two, three = (spectra.store_spectrum(store, spectra.device(), seed=n) for n in range(3))
    for data_id, differences, conflicts in ((one, [DIFFERENCE], []), (two, [], [DIFFERENCE]), (three, [], [])):
        diff = {"differences": differences, "conflicts": conflicts, "by_hand": []}
        store.remote.save(RemoteResult(data_id, 1, NOW, diff, {"id": "oes_009"})).result()
    listed = api.client.get("/remote").json()
    assert (listed["differing"], listed["conflicting"]) == (1, 1)
    assert [entry["data_id"] for entry in listed["entries"]] == [one]
    conflicts = api.client.get("/remote", params={"kind": "conflicts"}).json()["entries"]
    assert [entry["conflicts"] for entry in conflicts] == [[DIFFERENCE]]
    found = api.client.get(f"/oes/{one}/remote").json()
    assert found["document"] == {"id": "oes_009"}
    assert found["fetched_at"] == "2026-11-22T00:00:00.000Z"


def test_what_was_never_fetched_is_not_there(api: Api, store: Store) -> None:
    data_id = spectra.store_spectrum(store, spectra.device())
    for absent in (data_id, new_id(), "x"):
        assert api.client.get(f"/oes/{absent}/remote").status_code == 404
    assert api.client.get("/remote", params={"kind": "odd"}).status_code == 422
    assert api.client.get("/remote").json() == {"differing": 0, "conflicting": 0, "entries": []}
