from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.uploading import COMPLETE, begin, completion, put, until, upload

from oesd.model import new_id
from oesd.store import Store
from oesd.web import Server
from oesd.web.bucket import Bucket
from oesd.web.shelf import PartDamaged, Shelf
from oesd.web.signing import SignatureRefused, Signer


class TestBucket:
    def test_a_key_is_neither_needed_nor_looked_at(self, client: httpx.Client, bucket: httpx.Client) -> None:
        (part,) = begin(client)
        assert bucket.put(part["url"], content=b"x", headers={"X-API-KEY": "wrong"}).status_code == 200

    def test_only_the_signed_request_is_permitted(self, client: httpx.Client, bucket: httpx.Client) -> None:
        first, second = begin(client, parts=2)
        url = httpx.URL(first["url"])
        other = httpx.URL(second["url"])
        forged = [
            url.copy_with(query=None),
            url.copy_set_param("signature", "0" * 64),
            url.copy_set_param("signature", ""),
            url.copy_set_param("signature", "é"),
            url.copy_set_param("expires", int(url.params["expires"]) + 1),
            url.copy_set_param("expires", "-1"),
            url.copy_set_param("expires", "9" * 30),
            url.copy_with(path=other.path, query=url.query),
            url.copy_with(path=f"/raw/{first['data_id']}", query=url.query),
        ]
        for bad in forged:
            answer = bucket.put(bad, content=b"x") if bad.path.startswith("/staged") else bucket.get(bad)
            assert answer.status_code == 403, bad
            assert answer.headers["content-type"].startswith("application/xml")
            assert "<Code>" in answer.text
        assert bucket.get(url).status_code == 405
        assert bucket.get(url.copy_with(path="/nothing")).status_code == 404

    def test_a_signature_is_of_one_method(self) -> None:
        signer, now = Signer(b"secret"), datetime(2026, 1, 1, tzinfo=UTC)
        signed = httpx.URL("http://bucket" + signer.sign("GET", "/raw/x", now)).params
        signer.check("GET", "/raw/x", signed["expires"], signed["signature"], now)
        with pytest.raises(SignatureRefused):
            signer.check("PUT", "/raw/x", signed["expires"], signed["signature"], now)

    def test_a_url_expires(self, store: Store, tmp_path: Path) -> None:
        now = [datetime(2026, 1, 1, tzinfo=UTC)]
        shelf = Bucket(store, tmp_path / "hub", clock=lambda: now[0])
        server = Server(shelf.app)
        server.start()
        try:
            upload_id = new_id()
            url = f"http://127.0.0.1:{server.port}{shelf.put_path(upload_id, 1)}"
            assert httpx.put(url, content=b"x").status_code == 404  # permitted, but no such upload
            now[0] = now[0].replace(hour=2)
            answer = httpx.put(url, content=b"x")
            assert answer.status_code == 403 and "Request has expired" in answer.text
        finally:
            server.stop()

    def test_a_part_too_large_is_refused_and_leaves_nothing(
        self, client: httpx.Client, bucket: httpx.Client, tmp_path: Path
    ) -> None:
        (part,) = begin(client)
        piece = b"x" * (1 << 20)
        answer = bucket.put(part["url"], content=(piece for _ in range(65)), timeout=60)
        assert answer.status_code == 400 and "EntityTooLarge" in answer.text
        assert list((tmp_path / "hub" / "staged").iterdir()) == []

    def test_a_broken_off_part_does_not_count(self, client: httpx.Client, tmp_path: Path) -> None:
        (part,) = begin(client)
        url = httpx.URL(part["url"])
        staged = tmp_path / "hub" / "staged"
        with socket.create_connection(("127.0.0.1", url.port or 0)) as sender:
            head = f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: bucket\r\nContent-Length: 9000000\r\n\r\n"
            sender.sendall(head.encode() + b"x" * 5000)
            until(lambda: bool(list(staged.iterdir())))
        until(lambda: not list(staged.iterdir()))
        body = completion([part], ['"0"'])
        assert client.post(COMPLETE, json=body).json() == {"detail": "part 1 has not been received"}

    def test_a_part_that_rots_on_the_disk_is_noticed(
        self, client: httpx.Client, bucket: httpx.Client, tmp_path: Path
    ) -> None:
        (part,) = begin(client)
        data = spectra.file_bytes()
        tag = put(bucket, part, data)
        (staged,) = (tmp_path / "hub" / "staged").iterdir()
        assert staged.stat().st_mode & 0o777 == 0o600 and staged.name.startswith(part["upload_id"])
        staged.write_bytes(data[:-1] + b"?")
        answer = client.post(COMPLETE, json=completion([part], [tag]))
        assert answer.status_code == 400 and "send it again" in answer.json()["detail"]
        put(bucket, part, data)
        assert client.post(COMPLETE, json=completion([part], [tag])).status_code == 200

    def test_a_download_goes_on_while_the_upload_becomes_an_entry(self, tmp_path: Path) -> None:
        """Whoever confirms an upload by looking reads its parts at the moment when they are taken in and dropped."""
        shelf, upload_id = Shelf(tmp_path), new_id()
        parts = []
        for number in (1, 2):
            with shelf.receive(upload_id, number) as writer:
                writer.write(b"%d" % number * 5)
                parts.append(writer.keep(number))
        pieces = shelf.pieces(upload_id, parts)
        shelf.drop_parts(upload_id, parts)
        assert b"".join(pieces) == b"1111122222"
        with pytest.raises(PartDamaged, match="part 1 is missing"):
            shelf.pieces(upload_id, parts)

    def test_bytes_that_are_nowhere_any_more_are_said_to_be_missing(
        self, store: Store, client: httpx.Client, bucket: httpx.Client, tmp_path: Path
    ) -> None:
        data_id = upload(client, bucket, b"no spectrum, and lost by the disk")
        until(lambda: bool(list((tmp_path / "hub" / "files").iterdir())))
        (tmp_path / "hub" / "files" / data_id).unlink()
        link = client.get(f"/data_entries/raw_data/{data_id}", params={"return_as": "url-download"}).json()["url"]
        assert bucket.get(link).status_code == 404
