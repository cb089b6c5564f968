from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY, HubMaker
from tests.daemon.web.uploading import BEGIN, COMPLETE, begin, upload

from oesd.model import new_id
from oesd.store import Store
from oesd.web import Hub


class TestKeys:
    def test_every_call_but_the_clock_needs_the_key(self, hub: Hub, client: httpx.Client, bucket: httpx.Client) -> None:
        data_id = upload(client, bucket, spectra.file_bytes())
        calls = [
            ("POST", BEGIN), ("POST", COMPLETE), ("GET", "/data_entries/"),
            ("GET", f"/data_entries/raw_data/{data_id}"), ("GET", f"/data_entries/processed_data/{data_id}"),
            ("GET", f"/oes/{data_id}"),
            ("PATCH", f"/oes/{data_id}/peaks"), ("GET", "/physical_samples/"), ("POST", "/physical_samples/"),
            ("GET", f"/physical_samples/{data_id}/timeseries/"), ("GET", "/projects/"), ("POST", "/projects/"),
            ("POST", f"/projects/{data_id}/configuration/tracking_samples"),
        ]  # fmt: skip
        for method, path in calls:
            for headers in ({}, {"X-API-KEY": "wrong-key-0123"}):
                answer = bucket.request(method, hub.url + path, headers=headers)
                assert answer.status_code == 401, (method, path)
                assert isinstance(answer.json()["detail"], str)

    def test_the_clock(self, hub: Hub) -> None:
        before = time.time() * 1000
        answer = httpx.get(f"{hub.url}/gateway/time")
        document = answer.json()
        assert answer.headers["cache-control"] == "no-store"
        assert set(document) == {"receivedAtUnixMs", "transmittedAtUnixMs"}
        assert before <= document["receivedAtUnixMs"] <= document["transmittedAtUnixMs"] <= time.time() * 1000


class TestCatalogue:
    @pytest.fixture
    def uploaded(self, client: httpx.Client, bucket: httpx.Client) -> dict[str, str]:
        return {
            "good": upload(client, bucket, spectra.file_bytes("REC-ABC"), "first_50%.txt"),
            "bad": upload(client, bucket, b"no", "second.bin"),
            "unfinished": begin(client, "third.csv")[0]["data_id"],
        }

    def ids(self, client: httpx.Client, **params: Any) -> list[str]:
        answer = client.get("/data_entries/", params=params)
        assert answer.status_code == 200, answer.text
        return [found["data_id"] for found in answer.json()]

    def test_a_damaged_row_takes_no_other_out_of_the_list(
        self, store: Store, client: httpx.Client, uploaded: dict[str, str]
    ) -> None:
        change = "UPDATE hub_upload SET data_id = 'x{' WHERE data_id = ?"
        store.write(lambda db: db.execute(change, (uploaded["good"],))).result(10)
        assert self.ids(client) == ["x{", uploaded["unfinished"], uploaded["bad"]]

    def test_filters(self, client: httpx.Client, uploaded: dict[str, str]) -> None:
        good, bad, unfinished = uploaded.values()
        ids = self.ids
        assert ids(client) == [unfinished, bad, good]
        assert ids(client, include_organization_data="True", data_type="oes", status="all") == [unfinished, bad, good]
        assert ids(client, data_type="xrd") == []
        assert ids(client, data_ids=[good, bad]) == [bad, good]
        assert ids(client, data_ids=[good, "../../x"]) == [good]
        assert ids(client, data_ids=new_id()) == []
        assert [ids(client, status=s) for s in ("success", "error", "pending", "running", "stream_active")] == [
            [good], [bad], [unfinished], [], []]  # fmt: skip
        for keyword in ("rec-abc", "FIRST_50%", good[:23] + good[23:], "first"):
            assert ids(client, keywords=keyword) == [good], keyword
        assert ids(client, keywords=["first", "abc"]) == [good]
        assert ids(client, keywords=["first", "second"]) == []
        assert ids(client, keywords="%") == [good]
        assert ids(client, keywords="'; DROP TABLE hub_upload; --") == []
        assert ids(client, upload_datetime_min="2020-01-01 00:00:00+00:00") == [unfinished, bad, good]
        assert ids(client, upload_datetime_max="2020-01-01T00:00:00Z") == []
        assert ids(client, last_updated_min="2999-01-01") == []

    @pytest.mark.parametrize("query", [{"status": "odd"}, {"limit": "0"}, {"upload_datetime_min": "yesterday"}])
    def test_bad_filters(self, client: httpx.Client, query: dict[str, str]) -> None:
        answer = client.get("/data_entries/", params=query)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]

    def test_pages_follow_their_link(self, client: httpx.Client) -> None:
        ids = [begin(client)[0]["data_id"] for _ in range(5)]
        seen: list[str] = []
        url = "/data_entries/?limit=2&status=pending"
        while url:
            answer = client.get(url)
            seen += [found["data_id"] for found in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
        assert seen == sorted(ids, reverse=True)

    def test_downloads_that_are_not_there(self, client: httpx.Client, uploaded: dict[str, str]) -> None:
        for kind in ("raw_data", "processed_data"):
            for data_id in (uploaded["unfinished"], new_id(), "x"):
                assert client.get(f"/data_entries/{kind}/{data_id}").status_code == 404


class TestSamplesAndProjects:
    def test_samples(self, client: httpx.Client) -> None:
        assert client.get("/physical_samples/").json() == []
        made = client.post("/physical_samples/", json={"name": " Wafer 7 "})
        assert made.status_code == 201 and made.json()["name"] == "Wafer 7"
        taken = client.post("/physical_samples/", json={"name": "WAFER 7"})
        assert (taken.status_code, taken.json()) == (409, {"detail": {"physical_sample_id": made.json()["id"]}})
        assert [sample["name"] for sample in client.get("/physical_samples/").json()] == ["Wafer 7"]
        for body in ({}, {"name": ""}, {"name": "  "}, {"name": 7}, {"name": "x" * 201}):
            assert client.post("/physical_samples/", json=body).status_code == 422
        series = client.get(f"/physical_samples/{made.json()['id']}/timeseries/")
        assert series.json() == {"results": []}
        assert client.get(f"/physical_samples/{new_id()}/timeseries/").status_code == 404

    def test_an_upload_is_filed_under_its_sample_and_its_project(
        self, client: httpx.Client, bucket: httpx.Client
    ) -> None:
        sample = client.post("/physical_samples/", json={"name": "Wafer 8"}).json()
        project = client.post("/projects/", json={"name": "Nitrides"}).json()
        assert client.post("/projects/", json={"name": "nitrides"}).status_code == 409
        tracking = f"/projects/{project['id']}/configuration/tracking_samples"
        body = {"physical_sample_id": sample["id"], "set_active": True}
        assert client.post(tracking, json=body).status_code == 200
        assert client.post(tracking, json={**body, "physical_sample_id": new_id()}).status_code == 404
        assert client.post(tracking, json={**body, "set_active": "yes"}).status_code == 422
        nowhere = f"/projects/{new_id()}/configuration/tracking_samples"
        assert client.post(nowhere, json=body).status_code == 404
        metadata = {"physical_sample_id": sample["id"], "physical_sample_name": "Wafer 8"}
        (part,) = begin(client, json=metadata)
        begin(client)
        for query in ({"physical_sample_ids": sample["id"]}, {"project_ids": project["id"]}):
            (found,) = client.get("/data_entries/", params=query).json()
            assert found["data_id"] == part["data_id"]
            assert found["physical_sample_name"] == "Wafer 8"
            assert found["projects"] == [{"id": project["id"], "name": "Nitrides"}]
        unknown = client.post(
            BEGIN, params={"original_filename": "a", "num_parts": 1}, json={"physical_sample_id": "x"}
        )
        assert unknown.status_code == 422


class TestOes:
    def test_patch_survives_a_new_result(self, hub_maker: HubMaker, store: Store, bucket: httpx.Client) -> None:
        hub = hub_maker()
        with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
            data_id = upload(client, bucket, spectra.file_bytes())
            first = client.get(f"/oes/{data_id}").json()["detected_peaks"][0]
            body = {"peak_id": first["peak_id"], "candidate_key": first["candidates"][1]["candidate_key"]}
            assert client.patch(f"/oes/{data_id}/peaks", json=body).status_code == 200
            measured = store.measurement(data_id)
            assert measured is not None
            again = spectra.analysis(measured.wavelengths_nm, measured.sample + 1)
            store.save_result(data_id, again, {}).result()
            kept = client.get(f"/oes/{data_id}").json()["detected_peaks"][0]
            assert kept["manual"] is True and kept["element"] == first["candidates"][1]["element"]

    def test_an_upload_on_its_way_is_not_processed_yet(self, client: httpx.Client) -> None:
        (part,) = begin(client)
        assert client.get(f"/oes/{part['data_id']}").json() == {"detail": "not processed yet"}
        assert client.get(f"/oes/{new_id()}").json() == {"detail": "no such data entry"}
