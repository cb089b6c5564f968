"""GET /oes: search, pages, CSV; and what is served only when it is another."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Api, served

from oesd.model import ElementFinding, Entry, new_id
from oesd.store import Store

AUTH = {"Authorization": f"Bearer {TOKEN}"}
RUNS = (new_id(), new_id())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("search")) as opened:
        for number in range(12):
            _store(opened, number)
        yield opened


@pytest.fixture(scope="module")
def api(store: Store) -> Iterator[Api]:
    with served(store) as running:
        yield running


def _store(store: Store, number: int) -> None:
    """Entries of two spectrometers by turns, of two runs, a second apart; every third has gallium, the last none."""
    device = spectra.device(f"chamber-{'ab'[number % 2]}", pixels=64)
    labels = {"wafer": f"W{number // 4}", "note": '100% "=_\\ ü'} if number < 8 else {}
    sample = replace(
        spectra.capture(device, sequence=number),
        run_id=RUNS[number // 6], labels=labels, taken_at_utc=spectra.NOW + timedelta(seconds=number),
    )  # fmt: skip
    entry = Entry(new_id(), sample.record_id, None, None, "none", "none", spectra.NOW)
    store.save_capture(sample, entry, upload=False).result()
    if number < 11:
        made = spectra.analysis(device.wavelengths_nm, sample.counts)
        if number % 3 == 0:
            made = replace(made, elements=(*made.elements, ElementFinding("Ga", 0.9)))
        store.save_result(entry.data_id, made, {}).result()


def found(api: Api, **query: Any) -> list[int]:
    answer = api.client.get("/oes", params=query)
    assert answer.status_code == 200, answer.text
    return [one["sequence"] for one in answer.json()["entries"]]


class TestSearch:
    def test_newest_first_or_oldest(self, api: Api) -> None:
        assert found(api) == list(range(11, -1, -1))
        assert found(api, order="oldest", limit=3) == [0, 1, 2]

    def test_by_each_property_and_all_together(self, api: Api) -> None:
        assert found(api, device="chamber-b") == [11, 9, 7, 5, 3, 1]
        assert found(api, run=RUNS[0]) == [5, 4, 3, 2, 1, 0]
        assert found(api, element="Ga") == [9, 6, 3, 0]
        assert found(api, element=["Ga", "Ar"], device="chamber-a") == [6, 0]
        assert found(api, state="waiting") == [11]
        assert found(api, since="2026-11-22T10:30:09Z") == [11, 10, 9]
        assert found(api, since="2026-11-22T11:30:03+01:00", until="2026-11-22T10:30:05Z") == [4, 3]
        assert found(api, since="0001-01-01T00:00:00+14:00", until="2026-11-22T10:30:01Z") == [0]
        assert found(api, until="9999-12-31T23:59:59-14:00", limit=1) == [11]
        assert found(api, since="2300-01-01T00:00:00Z") == []
        assert found(api, label="wafer=W1", device="chamber-b", run=RUNS[1]) == [7]

    def test_nothing_is_nearly_right(self, api: Api) -> None:
        assert found(api, element="G") == found(api, element="ga") == found(api, device="chamber") == []
        assert found(api, run=RUNS[0][:-1]) == found(api, label="wafer=w1") == found(api, label="wafer=W%") == []
        assert found(api, element="%") == found(api, element='Ar", "Cu') == []

    def test_texts_with_every_odd_sign(self, api: Api) -> None:
        assert found(api, label='note=100% "=_\\ ü', limit=2) == [7, 6]
        assert found(api, label='note=100% "=_\\ u') == []

    def test_an_entry_tells_its_run_and_labels(self, api: Api) -> None:
        (last,) = api.client.get("/oes", params={"label": "wafer=W1", "limit": 1}).json()["entries"]
        assert last["run_id"] == RUNS[1] and last["labels"]["wafer"] == "W1" and last["taken_at_utc"].endswith("Z")
        assert last["device_name"] == "chamber-b" and last["revision"] == 1 and last["state"] == "processed"

    @pytest.mark.parametrize(
        "query",
        [{"limit": 0}, {"limit": 1001}, {"limit": "1e2"}, {"limit": "٣"}, {"cursor": "x"}, {"cursor": ""},
         {"label": "x"}, {"label": "=x"}, {"since": "yesterday"}, {"since": "0000-01-01T00:00:00Z"},
         {"until": "10000-01-01T00:00:00Z"}, {"state": "done"}, {"order": "best"}, {"devise": "a"},
         {"element": "x" * 201}, {"element": ["x"] * 17}],
    )  # fmt: skip
    def test_what_cannot_be_asked(self, api: Api, query: dict[str, Any]) -> None:
        answer = api.client.get("/oes", params=query)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][:2] == ["query", next(iter(query))]

    def test_a_misspelt_parameter_is_told_the_right_ones(self, api: Api) -> None:
        (fault,) = api.client.get("/oes?devise=a").json()["detail"]
        assert fault["msg"].startswith("is none of device, run, element, label")


class TestPages:
    def pages(self, api: Api, **query: Any) -> list[list[int]]:
        pages, cursor = [], {}
        while True:
            document = api.client.get("/oes", params={**query, **cursor}).json()
            pages.append([one["sequence"] for one in document["entries"]])
            if document["next"] is None:
                return pages
            cursor = {"cursor": document["next"]}

    def test_page_by_page_gives_the_same_as_all_at_once(self, api: Api) -> None:
        assert self.pages(api, limit=5) == [[11, 10, 9, 8, 7], [6, 5, 4, 3, 2], [1, 0]]
        assert self.pages(api, limit=2, order="oldest", element="Ga") == [[0, 3], [6, 9], []]

    def test_entries_that_come_meanwhile_move_no_page(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        with Store.open(tmp_path_factory.mktemp("pages")) as store, served(store) as api:
            for number in range(4):
                _store(store, number)
            first = api.client.get("/oes?limit=2").json()
            _store(store, 4)
            rest = api.client.get(f"/oes?limit=9&cursor={first['next']}").json()
            assert [one["sequence"] for one in first["entries"] + rest["entries"]] == [3, 2, 1, 0]


class TestForms:
    def rows(self, answer: httpx.Response) -> list[list[str]]:
        assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert "accept" in answer.headers["vary"].lower()
        return list(csv.reader(io.StringIO(answer.text)))

    def test_a_list_as_csv_with_the_next_page_in_a_header(self, api: Api) -> None:
        answer = api.client.get("/oes", params={"limit": 2, "label": "wafer=W1"}, headers={"Accept": "text/csv"})
        rows = self.rows(answer)
        assert rows[0][:4] == ["data_id", "device_name", "model", "taken_at_utc"] and len(rows) == 3
        assert rows[1][rows[0].index("elements")] == "Ar Cu Al"
        following = answer.headers["link"].removeprefix("<").partition(">")[0]
        more = self.rows(api.client.get(following, headers={"Accept": "text/csv"}))
        assert [row[rows[0].index("sequence")] for row in rows[1:] + more[1:]] == ["7", "6", "5", "4"]

    def test_an_entry_as_columns(self, api: Api) -> None:
        data_id = api.client.get("/oes?limit=1&state=processed").json()["entries"][0]["data_id"]
        document = api.client.get(f"/oes/{data_id}").json()
        rows = self.rows(
            api.client.get(f"/oes/{data_id}", headers={"Accept": "text/csv;q=0.9, application/json;q=0.1"})
        )
        assert rows[0] == ["wavelength_nm", "sample", "scope_corrected"]
        assert [float(row[1]) for row in rows[1:]] == document["sample"]
        assert [float(row[0]) for row in rows[1:]] == document["wavelengths"]

    @pytest.mark.parametrize(
        "accept", ["*/*", "application/json", "text/html", "text/csv;q=0.2, */*;q=0.8", "", "text/csv;q=x"]
    )
    def test_json_for_everyone_else(self, api: Api, accept: str) -> None:
        answer = api.client.get("/oes?limit=1", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"

    def test_the_ledger_as_csv(self, api: Api) -> None:
        rows = self.rows(api.client.get("/ledger", headers={"Accept": "text/csv"}))
        assert rows[0][:4] == ["device_name", "hour_utc", "due", "stored"]
        assert sum(int(row[3]) for row in rows[1:]) == 12


class TestConditional:
    def etag(self, api: Api, data_id: str, **headers: str) -> str:
        return str(api.client.get(f"/oes/{data_id}", headers=headers).headers["etag"])

    def test_what_is_there_already_is_not_sent_again_until_a_person_speaks(self, api: Api, store: Store) -> None:
        data_id = spectra.store_spectrum(store, spectra.device("c", pixels=512))
        first = self.etag(api, data_id)
        for known in (first, f"W/{first}", f'"other", {first}', "*"):
            answer = api.client.get(f"/oes/{data_id}", headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", first)
        key = api.client.get(f"/oes/{data_id}").json()["detected_peaks"][0]["candidates"][1]["candidate_key"]
        tags = [first, self.etag(api, data_id, Accept="text/csv")]
        for candidate in (key, None, key):
            body = {"peak_id": "p1", "candidate_key": candidate}
            changed = api.client.patch(f"/oes/{data_id}/peaks", json=body, headers=AUTH).json()
            answer = api.client.get(f"/oes/{data_id}", headers={"If-None-Match": tags[-1]})
            assert answer.status_code == 200 and answer.json() == changed
            tags.append(answer.headers["etag"])
        assert len(set(tags)) == len(tags)

    def test_a_capture_never_changes(self, api: Api) -> None:
        (capture,) = api.client.get("/captures?limit=1").json()["captures"]
        whole = api.client.get(f"/captures/{capture['record_id']}")
        assert whole.json()["counts"][0] > 1000 and len(whole.json()["wavelengths_nm"]) == len(whole.json()["counts"])
        again = api.client.get(f"/captures/{capture['record_id']}", headers={"If-None-Match": whole.headers["etag"]})
        assert again.status_code == 304
        assert api.client.get(f"/captures/{new_id()}").status_code == 404
        assert api.client.get("/captures/..%2f..%2fetc").status_code == 404


class TestClearing:
    def test_the_engine_s_name_counts_again(self, api: Api, store: Store) -> None:
        data_id = spectra.store_spectrum(store, spectra.device("d", pixels=512))
        before = api.client.get(f"/oes/{data_id}").json()
        peak = before["detected_peaks"][1]
        for candidate in (peak["candidates"][1]["candidate_key"], None):
            body = {"peak_id": peak["peak_id"], "candidate_key": candidate}
            after = api.client.patch(f"/oes/{data_id}/peaks", json=body, headers=AUTH).json()
        assert after["detected_peaks"] == before["detected_peaks"] and after["elements"] == before["elements"]
        assert store.overrides(data_id) == [] and len(store.override_history(data_id)) == 1
        again = api.client.patch(f"/oes/{data_id}/peaks", json=body, headers=AUTH)
        assert again.status_code == 200  # nobody spoke of it: as it is
        unknown = {"peak_id": "p999", "candidate_key": None}
        assert api.client.patch(f"/oes/{data_id}/peaks", json=unknown, headers=AUTH).status_code == 404
