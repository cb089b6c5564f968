from __future__ import annotations

import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Api

from oesd.model import Kind, Loss, RunRecord, new_id
from oesd.store import Store

AUTH = {"X-API-KEY": TOKEN}


class TestReading:
    def test_health(self, api: Api) -> None:
        assert api.client.get("/healthz").status_code == 200
        api.daemon.healthy = False
        answer = api.client.get("/healthz")
        assert (answer.status_code, answer.json()) == (503, {"healthy": False})

    def test_status_is_what_the_daemon_says(self, api: Api) -> None:
        api.daemon.status = {"version": "0.1.0", "tally": {"lost": {"device gone": 3}}, "problems": {"usb:1": "é"}}
        assert api.client.get("/status").json() == api.daemon.status

    def test_entries_page_by_page(self, api: Api, store: Store) -> None:
        ids = [spectra.store_spectrum(store, spectra.device(pixels=256), seed=i) for i in range(5)]
        first = api.client.get("/entries", params={"limit": 3}).json()
        rest = api.client.get("/entries", params={"limit": 3, "before": first[-1]["data_id"]}).json()
        assert [entry["data_id"] for entry in first + rest] == ids[::-1]
        assert first[0]["elements"] == ["Ar", "Cu", "Al"] and first[0]["revision"] == 1
        assert first[0]["taken_at_utc"].endswith("Z") and first[0]["simulated"] is True

    @pytest.mark.parametrize(
        "query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "-1"}, {"limit": "1e3"}, {"limit": "٣"}, {"before": "x"}]
    )
    def test_bad_page_bounds(self, api: Api, query: dict[str, str]) -> None:
        answer = api.client.get("/entries", params=query)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]

    def test_newest_entry_of_each_spectrometer(self, api: Api, store: Store) -> None:
        assert api.client.get("/latest").json() == {}
        spectra.store_spectrum(store, spectra.device("a", pixels=256))
        newest = {name: spectra.store_spectrum(store, spectra.device(name, pixels=256)) for name in ("a", "b")}
        assert api.client.get("/latest").json() == newest

    def test_live_names_the_newest_and_the_newest_with_a_result(self, api: Api, store: Store) -> None:
        processed = spectra.store_spectrum(store, spectra.device(pixels=256))
        waiting = spectra.store_spectrum(store, spectra.device(pixels=256), processed=False)
        api.daemon.status = {"simulated": True}
        live = api.client.get("/live").json()
        assert live["status"] == {"simulated": True} and live["now_utc"].endswith("Z")
        (shown,) = live["devices"]
        assert shown["newest"]["data_id"] == waiting and shown["newest"]["revision"] == 0
        assert shown["shown"]["data_id"] == processed

    def test_ledger(self, api: Api, store: Store) -> None:
        began = datetime(2026, 3, 1, 12, 59, 50, tzinfo=UTC)
        run = RunRecord("run", "chamber-a", 1_000_000, True, began, 0, "boot")
        at = began + timedelta(seconds=14)
        store.record_loss(Loss("chamber-a", "run", Kind.SAMPLE, 0, 15, "device gone", "", at), run=run).result()
        answer = api.client.get("/ledger", params={"since": "2026-03-01T12:30:00Z"}).json()
        hours = [(a["hour_utc"], a["device_name"], a["due"], a["stored"], a["lost"]) for a in answer["accounts"]]
        assert hours == [
            ("2026-03-01T12:00:00.000Z", "chamber-a", 10, 0, {"device gone": 10}),
            ("2026-03-01T13:00:00.000Z", "chamber-a", 5, 0, {"device gone": 5}),
        ]
        assert answer["total"] == {"due": 15, "stored": 0, "lost": {"device gone": 15}}
        assert len(api.client.get("/ledger", params={"since": "2026-03-01T14:00:00+01:00"}).json()["accounts"]) == 1
        assert api.client.get("/ledger", params={"device_name": "other"}).json()["accounts"] == []
        (account,) = api.client.get("/ledger", params={"by": "run"}).json()["accounts"]
        assert (account["run_id"], account["due"], account["ended_at_utc"]) == ("run", 15, None)

    @pytest.mark.parametrize("query", [{"by": "day"}, {"since": "yesterday"}])
    def test_bad_questions_to_the_ledger(self, api: Api, query: dict[str, str]) -> None:
        answer = api.client.get("/ledger", params=query)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]

    def test_errors_of_the_router_have_the_same_form(self, api: Api) -> None:
        assert api.client.get("/nothing").json() == {"detail": "Not Found"}
        assert api.client.post("/status").status_code == 405

    def test_a_failing_daemon_is_a_500_without_inner_details(self, api: Api) -> None:
        api.daemon.status = {"not json": object()}
        answer = api.client.get("/status")
        assert (answer.status_code, answer.json()) == (500, {"detail": "internal error; see the log"})


class TestOrders:
    def test_reprocess(self, api: Api, store: Store) -> None:
        entry_id = spectra.store_spectrum(store, spectra.device(pixels=256))
        path = f"/oes/{entry_id}/reprocess"
        assert api.client.post(path).status_code == 401
        assert api.daemon.reprocessed == []
        answer = api.client.post(path, headers=AUTH)
        assert (answer.status_code, answer.json()) == (202, {"data_id": entry_id, "ordered": True})
        assert api.daemon.reprocessed == [entry_id]
        assert api.client.post(f"/oes/{new_id()}/reprocess", headers=AUTH).status_code == 404
        assert api.client.get(path).status_code == 405

    def test_capture(self, api: Api) -> None:
        assert api.client.post("/captures", json={"kind": "dark"}).status_code == 401
        answer = api.client.post("/captures", json={"kind": "dark"}, headers=AUTH)
        assert (answer.status_code, answer.json()) == (202, {"ordered": ["chamber-a"]})
        assert api.daemon.captured == [(Kind.DARK, "")]
        unknown = api.client.post("/captures", json={"kind": "dark", "device": "x"}, headers=AUTH)
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "no spectrometer called 'x' is at work"})
        for body in ({"kind": "light"}, {}, {"kind": "dark", "device": 3}):
            assert api.client.post("/captures", json=body, headers=AUTH).status_code == 422

    def test_results_of_workers(self, api: Api) -> None:
        binary = {**AUTH, "Content-Type": "application/octet-stream"}
        assert api.client.post("/results", content=b"x").status_code == 401
        assert api.client.post("/results", content=b"x", headers=AUTH).status_code == 415
        answer = api.client.post("/results", content=b"\x00" * 100_000, headers=binary)
        assert (answer.status_code, answer.json()) == (200, {"kept": {"one": "", "other": "no entry"}})
        assert api.daemon.kept == [b"\x00" * 100_000]
        refused = api.client.post("/results", content=b"junk", headers=binary)
        assert (refused.status_code, refused.json()) == (409, {"detail": "of another engine"})


class TestDoor:
    def ask(self, api: Api, *lines: str, method: str = "GET", path: str = "/healthz") -> int:
        """Status of a request with exactly these header lines."""
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", "", ""])
        with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
            connection.sendall(head.encode())
            return int(connection.makefile("rb").readline().split()[1])

    def test_loopback_names_and_configured_names_with_the_exact_port(self, api: Api) -> None:
        good = [f"127.0.0.1:{api.port}", f"localhost:{api.port}", f"LOCALHOST:{api.port}", f"[::1]:{api.port}",
                "chamber3.lab:8520"]  # fmt: skip
        assert [self.ask(api, f"Host: {host}") for host in good] == [200] * len(good)

    def test_every_other_host_is_misdirected(self, api: Api) -> None:
        bad = ["evil.example", f"evil.example:{api.port}", f"localhost.evil.example:{api.port}", "localhost",
               "127.0.0.1", f"127.0.0.1:{api.port + 1}", f"127.0.0.1.evil:{api.port}", f"user@127.0.0.1:{api.port}",
               "chamber3.lab", f"127.0.0.1:{api.port}, evil.example", f"0:{api.port}", f"2130706433:{api.port}",
               "chamber3.lab:8521", ""]  # fmt: skip
        assert [self.ask(api, f"Host: {host}") for host in bad] == [421] * len(bad)

    def test_host_missing_or_twice(self, api: Api) -> None:
        good = f"Host: 127.0.0.1:{api.port}"
        assert self.ask(api) == 400
        assert self.ask(api, good, "Host: evil.example") == 400

    def test_foreign_origins_change_nothing(self, api: Api, store: Store) -> None:
        entry_id = spectra.store_spectrum(store, spectra.device(pixels=256))
        foreign = ["http://evil.example", "null", f"https://127.0.0.1:{api.port}", f"http://localhost:{api.port}",
                   f"http://127.0.0.1:{api.port + 1}", "file://", ""]  # fmt: skip
        for origin in foreign:
            headers = {**AUTH, "Origin": origin}
            assert api.client.post(f"/oes/{entry_id}/reprocess", headers=headers).status_code == 403
        assert api.daemon.reprocessed == []
        own = {**AUTH, "Origin": api.url}
        assert api.client.post(f"/oes/{entry_id}/reprocess", headers=own).status_code == 202

    def test_a_preflight_gets_no_permission(self, api: Api) -> None:
        headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PATCH"}
        answer = api.client.options(f"/oes/{new_id()}/peaks", headers=headers)
        assert answer.status_code in (403, 405)
        assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_no_cors_header_and_no_frame_anywhere(self, api: Api) -> None:
        for path in ("/", "/page.js", "/status", "/nothing"):
            answer = api.client.get(path, headers={"Origin": "http://evil.example"})
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert answer.headers["content-security-policy"].startswith("default-src 'self';")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"

    def test_a_crowd_of_slow_senders_keeps_nobody_out(self, api: Api) -> None:
        """32 connections at most: who says nothing gives way to who comes."""
        crowd = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(100)]
        for connection in crowd:
            with suppress(ConnectionError):  # the first of them had to go
                connection.sendall(b"GET / HTTP/1.1\r\n")
        assert [httpx.get(f"{api.url}/healthz").status_code for _ in range(5)] == [200] * 5
        for connection in crowd:
            connection.close()
