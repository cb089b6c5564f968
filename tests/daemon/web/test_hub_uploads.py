from __future__ import annotations

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY, HubMaker
from tests.daemon.web.uploading import BEGIN, COMPLETE, begin, completion, download, entry, put, upload

from oesd.listening import PortInUse
from oesd.model import new_id
from oesd.store import Store
from oesd.web import Hub, Server
from oesd.web.answers import EXCEPTION_HANDLERS
from oesd.web.bucket import Bucket
from oesd.web.hub_inbox import Inbox, reading_with
from oesd.web.hub_uploads import Uploads
from oesd.web.keys import everyone
from oesd.web.shelf import Shelf


class TestUpload:
    def test_one_part_from_url_to_result(self, client: httpx.Client, bucket: httpx.Client, hub: Hub) -> None:
        record, data = new_id(), spectra.file_bytes("r-1")
        parts = begin(client, f"{record}.txt")
        (part,) = parts
        assert part["part"] == 1 and part["new_filename"].endswith(".txt")
        assert part["url"].startswith(hub.bucket_url) and not part["url"].startswith(hub.url)
        tag = put(bucket, part, data)
        assert tag == f'"{hashlib.md5(data).hexdigest()}"'
        assert entry(client, part["data_id"])["pipeline_status"] == "pending"
        answer = client.post(COMPLETE, params={"staging_type": "core"}, json=completion(parts, [tag]))
        assert answer.status_code == 200 and answer.json()["data_id"] == part["data_id"]
        found = entry(client, part["data_id"])
        assert found["char_source_type"] == "oes" and found["pipeline_status"] == "success"
        assert found["raw_name"] == f"{record}.txt" and found["record_id"] == "r-1"
        assert found["raw_sha256"] == spectra.sha256(data) and found["size_bytes"] == len(data)
        assert found["sha3_256"] == hashlib.sha3_256(data).hexdigest()
        assert download(client, bucket, part["data_id"]) == data
        document = client.get(f"/oes/{part['data_id']}").json()
        assert document["detected_peaks"] and document["data_id"] == part["data_id"]
        processed = httpx.Response(200, content=download(client, bucket, part["data_id"], "processed_data"))
        assert processed.json() == document

    def test_parts_in_any_order_and_twice(self, client: httpx.Client, bucket: httpx.Client) -> None:
        data = spectra.file_bytes("r-2")
        third = len(data) // 3
        pieces = [data[:third], data[third : 2 * third], data[2 * third :]]
        parts = begin(client, parts=3)
        assert [part["part"] for part in parts] == [1, 2, 3]
        assert len({part["url"] for part in parts}) == 3
        assert len({(p["upload_id"], p["new_filename"], p["data_id"]) for p in parts}) == 1
        assert put(bucket, parts[1], pieces[1]) == put(bucket, parts[1], pieces[1])
        tags = {i: put(bucket, parts[i], pieces[i]) for i in (2, 0, 1)}
        body = completion(parts, [tags[0], tags[1], tags[2]])
        body["etag_data"].reverse()
        assert client.post(COMPLETE, json=body).status_code == 200
        assert download(client, bucket, parts[0]["data_id"]) == data

    def test_complete_again_gives_the_same_answer_and_makes_nothing_new(
        self, client: httpx.Client, bucket: httpx.Client
    ) -> None:
        parts = begin(client)
        body = completion(parts, [put(bucket, parts[0], spectra.file_bytes())])
        first = client.post(COMPLETE, json=body)
        second = client.post(COMPLETE, json=body)
        assert second.status_code == 200 and second.json() == first.json()
        assert len(client.get("/data_entries/").json()) == 1
        assert client.get(f"/oes/{parts[0]['data_id']}").json()["id"] == "oes_001"
        late = bucket.put(parts[0]["url"], content=b"changed my mind")
        assert late.status_code == 404 and "NoSuchUpload" in late.text

    def test_two_complete_calls_at_once_make_one_entry(
        self, hub_maker: HubMaker, store: Store, bucket: httpx.Client
    ) -> None:
        told: list[str] = []
        hub = hub_maker(told.append)
        with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
            parts = begin(client)
            body = completion(parts, [put(bucket, parts[0], spectra.file_bytes())])
            answers: list[httpx.Response] = []
            threads = [
                threading.Thread(target=lambda: answers.append(client.post(COMPLETE, json=body))) for _ in "1234"
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert {answer.status_code for answer in answers} == {200}
        assert told == [parts[0]["data_id"]]

    def test_every_fault_of_a_complete_call(self, client: httpx.Client, bucket: httpx.Client) -> None:
        parts = begin(client, parts=2)
        tag = put(bucket, parts[0], b"x" * 10)
        body = completion(parts, [tag, tag])
        missing = client.post(COMPLETE, json=body)
        assert (missing.status_code, missing.json()["detail"]) == (400, "part 2 has not been received")
        other = put(bucket, parts[1], b"y")
        wrong = client.post(COMPLETE, json=body)
        assert (wrong.status_code, "part 2" in wrong.json()["detail"]) == (400, True)
        good = completion(parts, [tag, other])
        assert client.post(COMPLETE, json={**good, "upload_id": new_id()}).status_code == 404
        assert client.post(COMPLETE, json={**good, "upload_id": "../../x"}).status_code == 404
        assert client.post(COMPLETE, json={**good, "new_filename": "x.txt"}).status_code == 404
        extra = [*good["etag_data"], {"ETag": tag, "PartNumber": 3}]
        assert client.post(COMPLETE, json={**good, "etag_data": extra}).status_code == 400
        for etags in ([], None, [1], [{"ETag": tag}], [{"ETag": 1, "PartNumber": 1}], good["etag_data"][:1] * 2,
                      [{"ETag": tag, "PartNumber": True}, {"ETag": tag, "PartNumber": 2}]):  # fmt: skip
            assert client.post(COMPLETE, json={**good, "etag_data": etags}).status_code == 422
        assert client.post(COMPLETE, json={}).status_code == 422
        unquoted = completion(parts, [tag.strip('"'), other])
        assert client.post(COMPLETE, json=unquoted).status_code == 200

    @pytest.mark.parametrize(
        "query",
        [
            {"num_parts": "1"},
            {"original_filename": "a"},
            {"original_filename": "", "num_parts": "1"},
            {"original_filename": "a", "num_parts": "0"},
            {"original_filename": "a", "num_parts": "65"},
            {"original_filename": "a", "num_parts": "-1"},
            {"original_filename": "a" * 1025, "num_parts": "1"},
        ],
    )
    def test_bad_questions_for_urls(self, client: httpx.Client, query: dict[str, str]) -> None:
        answer = client.post(BEGIN, params=query)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][0] == "query"

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\lab\\s p.txt", "s p.txt"),
            ("a+b ü&c=1#x.csv", "a+b ü&c=1#x.csv"),
            ("..", "unnamed"),
            ("x\x00\x1b[2J\ny.txt", "x[2Jy.txt"),
            ("long" * 80 + ".txt", ("long" * 80 + ".txt")[-200:]),
        ],
    )
    def test_file_names_lose_their_path_and_their_tricks(
        self, client: httpx.Client, bucket: httpx.Client, tmp_path: Path, sent: str, kept: str
    ) -> None:
        data_id = upload(client, bucket, b"no spectrum at all", sent)
        assert entry(client, data_id)["raw_name"] == kept
        assert client.get(f"/data_entries/raw_data/{data_id}").json()["file_name"] == kept
        assert {p.name for p in (tmp_path / "hub").rglob("*") if p.is_file()} == {data_id}

    def test_what_is_no_spectrum_stays_as_an_entry_with_its_reason(
        self, client: httpx.Client, bucket: httpx.Client, tmp_path: Path
    ) -> None:
        data = os.urandom(3_000_000)
        data_id = upload(client, bucket, data, "noise.bin")
        found = entry(client, data_id)
        assert found["pipeline_status"] == "error"
        assert found["pipeline_error"] == "noise.bin is no spectrum: no header"
        assert download(client, bucket, data_id) == data
        assert (tmp_path / "hub" / "files" / data_id).stat().st_mode & 0o777 == 0o600
        assert client.get(f"/oes/{data_id}").status_code == 404
        processed = client.get(f"/data_entries/processed_data/{data_id}")
        assert (processed.status_code, processed.json()["detail"]) == (404, found["pipeline_error"])

    @pytest.mark.parametrize("error", [IndexError("list index out of range"), RecursionError(), OverflowError("x")])
    def test_a_reader_that_stumbles_loses_nothing(
        self, hub_maker: HubMaker, bucket: httpx.Client, error: Exception
    ) -> None:
        def stumble(data: bytes, name: str) -> Any:
            raise error

        hub = hub_maker(parse=stumble)
        with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
            data_id = upload(client, bucket, b"something")
            assert entry(client, data_id)["pipeline_error"] == (str(error) or type(error).__name__)
            assert download(client, bucket, data_id) == b"something"

    def test_the_engine_refuses(self, hub_maker: HubMaker, store: Store, bucket: httpx.Client) -> None:
        hub = hub_maker(lambda data_id: store.fail_result(data_id, "all values are equal").result())
        with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
            data_id = upload(client, bucket, spectra.file_bytes())
            found = entry(client, data_id)
            assert (found["pipeline_status"], found["pipeline_error"]) == ("error", "all values are equal")

    def test_running_until_the_engine_is_done(self, hub_maker: HubMaker, store: Store, bucket: httpx.Client) -> None:
        hub = hub_maker(lambda data_id: None)
        with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
            data_id = upload(client, bucket, spectra.file_bytes())
            assert entry(client, data_id)["pipeline_status"] == "running"
            assert client.get(f"/oes/{data_id}").json() == {"detail": "not processed yet"}
            measured = store.measurement(data_id)
            assert measured is not None
            store.save_result(data_id, spectra.analysis(measured.wavelengths_nm, measured.sample), {}).result()
            assert entry(client, data_id)["pipeline_status"] == "success"

    def test_the_same_record_twice_is_one_entry_with_two_names(
        self, client: httpx.Client, bucket: httpx.Client, store: Store
    ) -> None:
        data = spectra.file_bytes("record-7")
        first, second = upload(client, bucket, data), upload(client, bucket, data)
        changed = upload(client, bucket, spectra.file_bytes("record-7", note="reprocessed"))
        unnamed = [upload(client, bucket, spectra.file_bytes()) for _ in "12"]
        assert entry(client, first)["duplicate_of"] is None
        again = entry(client, second)
        assert (again["duplicate_of"], again["pipeline_status"]) == (first, "success")
        assert entry(client, changed)["duplicate_of"] is None
        assert [entry(client, data_id)["duplicate_of"] for data_id in unnamed] == [None, None]
        assert [found["data_id"] for found in client.get("/data_entries/").json()] == [*unnamed[::-1], changed, first]
        assert len(store.entries()) == 4
        assert download(client, bucket, second) == data
        one, two = (client.get(f"/oes/{data_id}").json() for data_id in (first, second))
        assert two == {**one, "data_id": second}
        key = one["detected_peaks"][0]["candidates"][1]["candidate_key"]
        body = {"peak_id": one["detected_peaks"][0]["peak_id"], "candidate_key": key}
        assert client.patch(f"/oes/{second}/peaks", json=body).json()["data_id"] == second
        assert client.get(f"/oes/{first}").json()["detected_peaks"][0]["manual"] is True

    def test_a_url_takes_one_content_only(self, client: httpx.Client, bucket: httpx.Client, tmp_path: Path) -> None:
        (part,) = begin(client)
        tag = put(bucket, part, b"the spectrum")
        other = bucket.put(part["url"], content=b"something else")
        assert other.status_code == 403 and "used before" in other.text
        assert put(bucket, part, b"the spectrum") == tag  # a lost reply is no other content
        assert len(list((tmp_path / "hub" / "staged").iterdir())) == 1


class TestRestart:
    def test_in_the_middle_of_an_upload(self, hub_maker: HubMaker, bucket: httpx.Client) -> None:
        hub = hub_maker()
        data = spectra.file_bytes("r-9")
        headers = {"X-API-KEY": KEY}
        with httpx.Client(base_url=hub.url, headers=headers) as client:
            parts = begin(client, parts=2)
            tag = put(bucket, parts[0], data[:1000])
        port = httpx.URL(parts[1]["url"]).port
        hub = hub_maker(bucket_port=port)
        tags = [tag, put(bucket, parts[1], data[1000:])]  # the URL of before is still good
        hub = hub_maker(bucket_port=port)
        with httpx.Client(base_url=hub.url, headers=headers) as client:
            assert client.post(COMPLETE, json=completion(parts, tags)).status_code == 200
            assert download(client, bucket, parts[0]["data_id"]) == data

    def test_between_the_entry_and_the_end_of_the_upload(
        self, client: httpx.Client, bucket: httpx.Client, store: Store
    ) -> None:
        """The power went after the spectrum was stored and before the upload was marked: the same call ends well."""
        parts = begin(client)
        data = spectra.file_bytes("r-10")
        tag = put(bucket, parts[0], data)
        data_id = parts[0]["data_id"]
        store.save_file(data_id, spectra.parse(data, "spectrum.txt"), data, "spectrum.txt").result()
        assert entry(client, data_id)["pipeline_status"] == "pending"
        assert client.post(COMPLETE, json=completion(parts, [tag])).status_code == 200
        assert entry(client, data_id)["pipeline_status"] == "success"
        assert len(store.entries()) == 1

    def test_leftovers_of_a_crash_are_swept(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path)
        needed, gone = new_id(), new_id()
        for name in (f"{needed}.00001.abc", f"{gone}.00001.abc", f"{needed}.00002.ff.tmp"):
            (tmp_path / "staged" / name).write_bytes(b"x")
        (tmp_path / "files" / f"{gone}.ff.tmp").write_bytes(b"x")
        (tmp_path / "files" / gone).write_bytes(b"kept")
        shelf.sweep({needed})
        assert [p.name for p in (tmp_path / "staged").iterdir()] == [f"{needed}.00001.abc"]
        assert [p.name for p in (tmp_path / "files").iterdir()] == [gone]

    def test_abandoned_parts_go_after_two_weeks_and_can_be_sent_again(
        self, hub_maker: HubMaker, store: Store, bucket: httpx.Client, tmp_path: Path
    ) -> None:
        hub = hub_maker()
        with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
            parts = begin(client, parts=2)
            tag = put(bucket, parts[0], b"half of it")
            staged = tmp_path / "hub" / "staged"
            now = [datetime.now(UTC) + timedelta(days=13)]
            old = Bucket(store, tmp_path / "hub", clock=lambda: now[0])
            assert len(list(staged.iterdir())) == 1
            now[0] += timedelta(days=2)
            old.drop_abandoned()
            assert list(staged.iterdir()) == []
            tags = [tag, put(bucket, parts[1], b"the rest")]
            answer = client.post(COMPLETE, json=completion(parts, tags))
            assert answer.status_code == 400 and "send it again" in answer.json()["detail"]
            assert put(bucket, parts[0], b"half of it") == tag
            assert client.post(COMPLETE, json=completion(parts, tags)).status_code == 200
            assert download(client, bucket, parts[0]["data_id"]) == b"half of itthe rest"

    def test_without_room_nothing_is_begun_and_what_was_begun_is_finished(
        self, hub: Hub, store: Store, client: httpx.Client, bucket: httpx.Client
    ) -> None:
        parts = begin(client)
        store.refuse("the data directory has no room: 5 MB are missing")
        refused = client.post(BEGIN, params={"original_filename": "a", "num_parts": 1})
        assert (refused.status_code, refused.json()["detail"][:32]) == (507, "the data directory has no room: ")
        tag = put(bucket, parts[0], b"x")
        assert client.post(COMPLETE, json=completion(parts, [tag])).status_code == 200
        store.refuse("")
        begin(client)

    def test_too_much_unfinished_is_refused_before_the_disk_is_full(
        self, store: Store, bucket: httpx.Client, tmp_path: Path
    ) -> None:
        shelf = Bucket(store, tmp_path / "hub")
        bucket_server = Server(shelf.app)
        bucket_server.start()
        uploads = Uploads(
            shelf, arrived=lambda data_id: inbox.take(data_id), staged_limit_bytes=1000,
            bucket_url=lambda: f"http://localhost:{bucket_server.port}",
        )  # fmt: skip
        inbox = Inbox(store, shelf, read=reading_with(spectra.parse), ingested=lambda _: None)
        server = Server(Starlette(routes=uploads.routes(everyone), exception_handlers=EXCEPTION_HANDLERS))
        server.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
                parts = begin(client)
                tag = put(bucket, parts[0], b"x" * 1001)
                full = client.post(BEGIN, params={"original_filename": "a", "num_parts": 1})
                assert full.status_code == 507 and "unfinished" in full.json()["detail"]
                assert client.post(COMPLETE, json=completion(parts, [tag])).status_code == 200
                begin(client)
        finally:
            server.stop()
            bucket_server.stop()

    def test_a_port_in_use_leaves_neither_server(self, hub: Hub, store: Store, tmp_path: Path) -> None:
        port = httpx.URL(hub.url).port
        assert port is not None
        second = Hub(store, tmp_path / "two", key=KEY, arrived=lambda _: None, port=port)
        before = threading.active_count()
        with pytest.raises(PortInUse, match="--hub-port"):
            second.start()
        assert threading.active_count() == before
