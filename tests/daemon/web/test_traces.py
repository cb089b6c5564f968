"""GET /trace, and what is said of an entry that was let go."""

from __future__ import annotations

import pytest
from tests.daemon.store.making import NOW, processed, stored_entry
from tests.daemon.store.test_keeping import Desk
from tests.daemon.web.conftest import Api

from oesd.store import Store
from oesd.store.keeping import KeepingRules


def test_a_line_over_time(api: Api, store: Store) -> None:
    for seed in range(3):
        processed(store, stored_entry(store, seed).data_id, (294.4, 417.2) if seed else (294.4,))
    found = api.client.get("/trace", params={"device_name": "chamber-a", "nm": "417.3", "near_nm": "0.2"}).json()
    assert found["intensity"] == [None, pytest.approx(1234.567), pytest.approx(1234.567)]
    assert found["wavelength_nm"][1] == 417.2
    assert len(found["taken_at_us"]) == len(found["area"]) == 3
    after = {"device_name": "chamber-a", "nm": "417.2", "since": f"{NOW.year + 1}-01-01T00:00:00Z"}
    assert api.client.get("/trace", params=after).json()["area"] == []


@pytest.mark.parametrize("query", [{}, {"nm": "x"}, {"nm": "nan"}, {"nm": "0"}, {"nm": "417", "near_nm": "-1"}])
def test_what_is_no_wavelength_is_refused(api: Api, query: dict[str, str]) -> None:
    assert api.client.get("/trace", params=query).status_code == 422


def test_an_entry_that_was_let_go_says_when_and_why(api: Api, store: Store) -> None:
    desk = Desk(store, KeepingRules("drop_oldest_unconfirmed"))
    first, _ = desk.spectrum(0, upload=False), desk.spectrum(1, upload=False)
    desk.free = 0
    desk.work()
    answer = api.client.get(f"/oes/{first.data_id}")
    assert answer.status_code == 410
    assert "let go on" in answer.json()["detail"]
    assert "the disk had no room" in answer.json()["detail"]
