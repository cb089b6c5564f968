"""Others than this computer: TLS, the token for reading too, exact names, a cookie for what carries no header."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN

from oesd.listening import CannotListen
from oesd.store import Store
from oesd.web import Server, create_api
from oesd.web.keys import KeyCheck
from oesd.web.sessions import Sessions

AUTH = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


@dataclass
class Site:
    port: int
    client: httpx.Client
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of our own, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "tls.pem", folder / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=chamber3.lab", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@contextmanager
def reached(store: Store, pair: tuple[Path, Path]) -> Iterator[Site]:
    app = create_api(
        store,
        status=lambda: {"healthy": True},
        healthy=lambda: True,
        token=TOKEN,
        hosts=["chamber3.lab:8521"],
        remote=True,
    )
    server = Server(app, tls=pair)
    server.start()
    context = ssl.create_default_context(cafile=str(pair[0]))
    with httpx.Client(base_url=f"https://localhost:{server.port}", verify=context, trust_env=False) as client:
        try:
            yield Site(server.port, client, context)
        finally:
            server.stop()


@pytest.fixture
def site(store: Store, pair: tuple[Path, Path]) -> Iterator[Site]:
    with reached(store, pair) as running:
        yield running


def test_reading_needs_the_token(site: Site, store: Store) -> None:
    data_id = spectra.store_spectrum(store, spectra.device(pixels=64))
    for path in ("/status", "/live", "/oes", f"/oes/{data_id}", f"/oes/{data_id}?x=1", "/entries", "/latest", "/ledger",
                 "/devices", "/darks", "/captures", "/metrics", "/events", "/trace?nm=700", "/remote"):  # fmt: skip
        answer = site.client.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        assert site.client.get(path, headers={"Authorization": f"Bearer {TOKEN[:-1]}"}).status_code == 401
    assert site.client.get(f"/oes/{data_id}", headers=AUTH).status_code == 200
    assert site.client.get("/status", headers={"X-API-KEY": TOKEN}).status_code == 200


def test_the_page_and_whether_it_is_healthy_are_for_all(site: Site) -> None:
    assert [site.client.get(path).status_code for path in ("/", "/page.css", "/healthz", "/docs")] == [200] * 4


def test_no_word_goes_in_clear(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as plain:
        plain.sendall(f"GET /status HTTP/1.1\r\nHost: localhost:{site.port}\r\n\r\n".encode())
        assert plain.recv(1000) == b""


def test_old_tls_is_refused(site: Site) -> None:
    site.context.minimum_version = site.context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as plain:
        with site.context.wrap_socket(plain, server_hostname="localhost") as wrapped:
            assert wrapped.version() == "TLSv1.2"


def test_only_listed_names_are_served(site: Site) -> None:
    def status(host: str) -> int:
        return site.client.get("/healthz", headers={"Host": host}).status_code

    assert [status("chamber3.lab:8521"), status(f"localhost:{site.port}")] == [200, 200]
    bad = ["chamber3.lab", "chamber3.lab:8522", "evil.example", f"evil.example:{site.port}", "chamber3.lab.evil:8521"]
    assert [status(host) for host in bad] == [421] * len(bad)


def test_a_session_reads_and_never_changes(site: Site, store: Store) -> None:
    data_id = spectra.store_spectrum(store, spectra.device(pixels=512))
    assert site.client.post("/session").status_code == 401
    begun = site.client.post("/session", headers=AUTH)
    assert begun.status_code == 200
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith("__Host-oesd=") and TOKEN not in cookie
    assert all(word in cookie for word in ("; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "Max-Age=43200"))
    assert site.client.get(f"/oes/{data_id}").status_code == 200  # the client has the cookie now
    with site.client.stream("GET", "/events") as events:
        assert events.status_code == 200
    body = {"peak_id": "p1", "candidate_key": None}
    assert site.client.patch(f"/oes/{data_id}/peaks", json=body).status_code == 401
    assert site.client.patch(f"/oes/{data_id}/peaks", json=body, headers=AUTH).status_code == 200
    assert site.client.delete("/session", headers=AUTH).status_code == 200
    site.client.cookies.set("__Host-oesd", cookie.partition("=")[2].partition(";")[0])
    assert site.client.get("/status").status_code == 401


def test_own_pages_may_change_and_no_others(site: Site, store: Store) -> None:
    data_id = spectra.store_spectrum(store, spectra.device(pixels=512))
    body = {"peak_id": "p1", "candidate_key": None}
    own = f"localhost:{site.port}"
    for origin, status in ((f"https://{own}", 200), (f"http://{own}", 403), ("https://chamber3.lab:8521", 403)):
        answer = site.client.patch(f"/oes/{data_id}/peaks", json=body, headers={**AUTH, "Origin": origin})
        assert answer.status_code == status


def test_sessions_end() -> None:
    now_s = 0.0
    sessions = Sessions(KeyCheck(TOKEN), lambda: now_s)
    first = sessions.begin()
    assert sessions._known(first)
    now_s = 12 * 3600.0
    assert not sessions._known(first)
    kept = [sessions.begin() for _ in range(65)]
    assert [sessions._known(one) for one in kept] == [False] + [True] * 64


@pytest.mark.parametrize("wrong", ["missing", "swapped", "junk"])
def test_a_certificate_that_cannot_be_used_is_one_line(
    store: Store, pair: tuple[Path, Path], tmp_path: Path, wrong: str
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    tls = {"missing": (tmp_path / "no.pem", pair[1]), "swapped": (pair[1], pair[0]), "junk": (junk, junk)}[wrong]
    app = create_api(store, status=dict, healthy=lambda: True, token=TOKEN, remote=True)
    with pytest.raises(CannotListen, match=r"is not there$|no PEM certificate with its key$") as caught:
        Server(app, tls=tls).start()
    assert "\n" not in str(caught.value)
