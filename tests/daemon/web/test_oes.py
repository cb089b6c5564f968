from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY, TOKEN, Api, served

from oesd.engine.analyze import analyze_measurement
from oesd.model import Recipe, new_id
from oesd.processing import Processing
from oesd.store import Store
from oesd.web import Shown
from oesd.web.answers import encode
from oesd.web.encoded import encodable

AUTH = {"X-API-KEY": TOKEN}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store and one server for all tests here: each has an entry of its own."""
    with Store.open(tmp_path_factory.mktemp("oes")) as opened:
        yield opened


@pytest.fixture(scope="module")
def api(store: Store) -> Iterator[Api]:
    with served(store) as running:
        yield running


@pytest.fixture
def entry_id(store: Store) -> str:
    return spectra.store_spectrum(store, spectra.device())


def patch(api: Api, entry_id: str, body: object, **headers: str) -> httpx.Response:
    return api.client.patch(f"/oes/{entry_id}/peaks", json=body, headers={**AUTH, **headers})


class TestGet:
    def test_has_every_documented_field_with_its_type(self, api: Api, store: Store, entry_id: str) -> None:
        answer = api.client.get(f"/oes/{entry_id}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        document = answer.json()
        assert document["data_id"] == entry_id
        assert document["id"] == "oes_001"
        assert document["wavelength_unit"] == "nm"
        assert document["spectrum_type"] == "sample"
        assert document["constraint_mode"] == "auto"
        assert document["constrained_elements"] is None
        assert document["last_updated"].endswith("Z")
        assert isinstance(document["spectral_metadata"], dict)
        result = store.result(entry_id)
        assert result is not None
        sample = result.analysis.sample
        assert document["sample"] == sample.tolist()
        assert len(document["wavelengths"]) == len(document["dark"]) == len(sample)
        difference = np.array(document["sample"]) - np.array(document["dark"])
        assert np.allclose(document["scope_corrected"], difference)
        assert "reference" not in document  # none was captured
        first = document["detected_peaks"][0]
        assert first["peak_id"] == "p1" and isinstance(first["wavelength_nm"], float) and first["element"] == "Al"
        assert "manual" not in first

    def test_an_entry_without_a_result_is_not_processed_yet(self, api: Api, store: Store) -> None:
        waiting = spectra.store_spectrum(store, spectra.device(), processed=False)
        answer = api.client.get(f"/oes/{waiting}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "not processed yet"})

    def test_the_evidence_names_the_peaks_of_the_stored_result(self, api: Api, store: Store, entry_id: str) -> None:
        Processing(store, Recipe(), upload=False, beat=lambda _name, _within_s: None).process(entry_id)
        document = api.client.get(f"/oes/{entry_id}/evidence").json()
        assert (document["data_id"], document["id"], document["note"]) == (entry_id, "oes_002", "")
        assert document == api.client.get(f"/oes/{entry_id}/evidence").json()
        stored = store.result(entry_id)
        assert stored is not None
        peaks = {peak.peak_id: peak for peak in stored.analysis.detected_peaks}
        claimed = [one for one in document["evidence"] if one["claimed"]]
        assert [one["element"] for one in claimed] == [e.element for e in stored.analysis.elements]
        lines = [line for one in claimed for line in one["lines"]]
        assert all(peaks[line["peak_id"]].wavelength_nm == line["peak_nm"] for line in lines)
        assert all(line["peak_id"] is None for one in claimed for line in one["missing"])
        assert len(document["baseline"]) == len(stored.analysis.sample)

    def test_evidence_of_another_engine_says_so(self, api: Api, entry_id: str) -> None:
        note = api.client.get(f"/oes/{entry_id}/evidence").json()["note"]
        assert note.startswith("the result was made by engine test-1, lines test-1, this is what engine")

    def test_there_is_no_evidence_without_a_result(self, api: Api, store: Store) -> None:
        waiting = spectra.store_spectrum(store, spectra.device(), processed=False)
        for data_id, detail in ((waiting, "not processed yet"), (new_id(), "no such data entry")):
            answer = api.client.get(f"/oes/{data_id}/evidence")
            assert (answer.status_code, answer.json()) == (404, {"detail": detail})

    def test_an_unknown_entry(self, api: Api) -> None:
        answer = api.client.get(f"/oes/{new_id()}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "no such data entry"})

    @settings(max_examples=60)
    @given(st.text(max_size=60))
    def test_nothing_but_a_uuid_reaches_the_store(self, api: Api, text: str) -> None:
        # Sent raw, as a hostile client would; httpx would normalise `..` away.
        target = "/oes/" + "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
        assert raw_status(api, target) == 404

    @pytest.mark.parametrize(
        "path",
        ["/oes/..", "/oes/../status", "/oes/%2e%2e/status", "/oes/", "/oes/a%00b", "/oes//etc/passwd", "/oes/A1",
         "/oes/00000000-0000-0000-0000-00000000000G", "/oes/{00000000-0000-0000-0000-000000000000}"],
    )  # fmt: skip
    def test_paths_that_try_to_escape(self, api: Api, path: str) -> None:
        assert raw_status(api, path) == 404


class TestPatch:
    def test_sets_the_chosen_element_and_returns_the_document(self, api: Api, store: Store, entry_id: str) -> None:
        before = api.client.get(f"/oes/{entry_id}").json()
        target = next(p for p in before["detected_peaks"] if p["element"] == "Cu")
        key = target["candidates"][1]["candidate_key"]
        answer = patch(api, entry_id, {"peak_id": target["peak_id"], "candidate_key": key})
        assert answer.status_code == 200
        after = answer.json()
        changed = next(p for p in after["detected_peaks"] if p["peak_id"] == target["peak_id"])
        assert changed["element"] == "Fe" and changed["manual"] is True
        assert changed["candidate_key"] == key and "candidate_key" not in target
        assert after["wavelengths"] == before["wavelengths"] and after["sample"] == before["sample"]
        others = [p for p in after["detected_peaks"] if p["peak_id"] != target["peak_id"]]
        assert others == [p for p in before["detected_peaks"] if p["peak_id"] != target["peak_id"]]
        assert api.client.get(f"/oes/{entry_id}").json() == after

    def test_survives_a_new_result(self, api: Api, store: Store, entry_id: str) -> None:
        target = next(p for p in api.client.get(f"/oes/{entry_id}").json()["detected_peaks"] if p["element"] == "Ar")
        key = target["candidates"][1]["candidate_key"]
        assert patch(api, entry_id, {"peak_id": target["peak_id"], "candidate_key": key}).status_code == 200
        measured = store.measurement(entry_id)
        assert measured is not None
        again = spectra.analysis(measured.wavelengths_nm, measured.sample + 3.0, dark=measured.dark)
        store.save_result(entry_id, again, {}).result()
        document = api.client.get(f"/oes/{entry_id}").json()
        assert document["id"] == "oes_002"
        kept = next(p for p in document["detected_peaks"] if p["peak_id"] == target["peak_id"])
        assert kept["element"] == "Fe" and kept["manual"] is True

    def test_a_key_of_no_candidate_lists_the_valid_ones(self, api: Api, entry_id: str) -> None:
        first = api.client.get(f"/oes/{entry_id}").json()["detected_peaks"][0]
        answer = patch(api, entry_id, {"peak_id": first["peak_id"], "candidate_key": "Xx_1.0"})
        assert answer.status_code == 422
        (item,) = answer.json()["detail"]
        assert item["loc"] == ["body", "candidate_key"] and item["type"] == "value_error"
        assert item["ctx"] == {"candidate_keys": [c["candidate_key"] for c in first["candidates"]]}
        assert "manual" not in api.client.get(f"/oes/{entry_id}").json()["detected_peaks"][0]

    def test_unknown_peak_unknown_entry_unprocessed_entry_no_uuid(self, api: Api, store: Store, entry_id: str) -> None:
        body = {"peak_id": "p999", "candidate_key": "Ar_763.5"}
        waiting = spectra.store_spectrum(store, spectra.device(), processed=False)
        details = {
            entry_id: "no such peak: 'p999'",
            new_id(): "no such data entry",
            waiting: "not processed yet",
            "p1": "no such data entry",
        }
        for wanted, detail in details.items():
            answer = patch(api, wanted, body)
            assert (answer.status_code, answer.json()) == (404, {"detail": detail})

    @pytest.mark.parametrize(
        ("headers", "detail"),
        [
            ({}, "missing API key"),
            ({"X-API-KEY": ""}, "wrong API key"),
            ({"X-API-KEY": TOKEN[:-1]}, "wrong API key"),
            ({"X-API-KEY": TOKEN + "0"}, "wrong API key"),
            ({"X-API-KEY": KEY}, "wrong API key"),
            ({"X-API-KEY": "é" * 8}, "wrong API key"),
            ({"Authorization": f"Basic {TOKEN}"}, "missing API key"),
            ({"Authorization": "Bearer nonsense"}, "wrong API key"),
        ],
    )
    def test_no_or_wrong_key(self, api: Api, entry_id: str, headers: dict[str, str], detail: str) -> None:
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        body = {"peak_id": "p1", "candidate_key": "Xx_1.0"}
        answer = httpx.patch(f"{api.url}/oes/{entry_id}/peaks", json=body, headers=encoded)
        assert (answer.status_code, answer.json()) == (401, {"detail": detail})

    def test_a_bearer_token_will_do(self, api: Api, entry_id: str) -> None:
        first = api.client.get(f"/oes/{entry_id}").json()["detected_peaks"][0]
        body = {"peak_id": first["peak_id"], "candidate_key": first["candidates"][0]["candidate_key"]}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert api.client.patch(f"/oes/{entry_id}/peaks", json=body, headers=headers).status_code == 200

    @pytest.mark.parametrize(
        ("body", "places"),
        [
            ({}, [["body", "peak_id"], ["body", "candidate_key"]]),
            ({"peak_id": "p1"}, [["body", "candidate_key"]]),
            ({"peak_id": 1, "candidate_key": 2}, [["body", "peak_id"], ["body", "candidate_key"]]),
            ([], [["body"]]),
            ("p1", [["body"]]),
        ],
    )
    def test_bad_bodies_name_every_fault(self, api: Api, entry_id: str, body: object, places: object) -> None:
        answer = patch(api, entry_id, body)
        assert answer.status_code == 422
        assert [item["loc"] for item in answer.json()["detail"]] == places

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"nonsense", b'{"peak_id": NaN}', b"\xff\xfe", b"[" * 30_000, b'{"peak_id": "\\ud800"}']
    )
    def test_what_is_no_json(self, api: Api, entry_id: str, content: bytes) -> None:
        headers = {**AUTH, "Content-Type": "application/json"}
        answer = api.client.patch(f"/oes/{entry_id}/peaks", content=content, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body"]

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"]
    )
    def test_only_json_is_taken(self, api: Api, entry_id: str, content_type: str) -> None:
        headers = {**AUTH, "Content-Type": content_type}
        answer = api.client.patch(f"/oes/{entry_id}/peaks", content=b"{}", headers=headers)
        assert answer.status_code == 415

    def test_a_body_too_large_is_refused_whether_or_not_it_says_so(self, api: Api, entry_id: str) -> None:
        headers = {**AUTH, "Content-Type": "application/json"}
        large = b'{"peak_id": "' + b"x" * 65_536 + b'"}'

        def in_pieces() -> object:
            yield from (large[i : i + 8192] for i in range(0, len(large), 8192))

        for content in (large, in_pieces()):
            answer = api.client.patch(f"/oes/{entry_id}/peaks", content=content, headers=headers)  # type: ignore[arg-type]
            assert answer.status_code == 413

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
    def test_other_methods(self, api: Api, entry_id: str, method: str) -> None:
        answer = api.client.request(method, f"/oes/{entry_id}/peaks", headers=AUTH)
        assert answer.status_code == 405 and answer.json()["detail"]


def raw_status(api: Api, target: str) -> int:
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        return int(connection.makefile("rb").readline().split()[1])


def test_a_result_that_was_just_told_of_is_the_one_that_is_stored(store: Store) -> None:
    """The newest are encoded from what is at hand: byte for byte what the store would give."""
    device = spectra.device(pixels=512)
    data_id = spectra.store_spectrum(store, device, processed=False)
    measured = store.measurement(data_id)
    assert measured is not None
    told = store.save_result(data_id, analyze_measurement(measured, Recipe()), {"serial": "x", "n": [1, 2]}).result()
    with served(store) as plain, served(store) as telling:
        telling.feed.spectrum(Shown(device.name, told, None))
        assert telling.feed.lately(data_id) is told and telling.feed.lately(new_id()) is None
        one, other = plain.client.get(f"/oes/{data_id}"), telling.client.get(f"/oes/{data_id}")
        assert other.content == one.content and other.headers["etag"] == one.headers["etag"]
    peak = next(one for one in told.analysis.detected_peaks if one.candidates)

    def first() -> dict[str, Any]:
        """The peak as a server shows it that was told of the result, and is asked for it for the first time."""
        with served(store) as telling:
            telling.feed.spectrum(Shown(device.name, told, None))
            peaks = telling.client.get(f"/oes/{data_id}").json()["detected_peaks"]
        return next(dict(one) for one in peaks if one["peak_id"] == peak.peak_id)

    store.assign(data_id, peak.peak_id, peak.candidates[-1].candidate_key, now=spectra.NOW)
    assert first()["manual"] is True
    store.clear(data_id, peak.peak_id, now=spectra.NOW)
    assert "manual" not in first()


@pytest.mark.parametrize("name", ["sample", "dark"])
@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1468.0, -3.0, -0.0, 2.0**53], b"[1468,-3,0,9007199254740992]"),
        ([1.0] * 20 + [0.5], b"[" + b"1.0," * 20 + b"0.5]"),
        ([1.0, math.nan], b"[1.0,null]"),
        ([1.0, math.inf], b"[1.0,null]"),
        ([1e300, 1.0], b"[1e+300,1.0]"),
        ([], b"[]"),
    ],
)
def test_whole_numbers_are_written_as_integers_and_all_others_as_they_are(
    name: str, values: list[float], text: bytes
) -> None:
    assert encode(encodable(name, np.array(values))) == text
    finite = [value if math.isfinite(value) else None for value in values]
    assert json.loads(text) == finite
