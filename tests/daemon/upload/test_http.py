"""What goes over the wire, and what a bad server can do to us."""

from __future__ import annotations

import io
import logging
import os
import resource
import shutil
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.support import fault_server as faults
from tests.support import transport
from tests.support.fault_server import KEY, FaultServer
from tests.support.tls_server import tls_server
from tests.support.upload_bench import QUICK, Bench

from oesd.model import new_id
from oesd.store import OutboxState
from oesd.upload import ApiKey, Deadlines, OesApi, SetupError
from oesd.upload.client import PART_BYTES
from oesd.upload.errors import (
    AnswerTooLarge,
    CredentialBlocked,
    LinkExpired,
    ProtocolBroken,
    RecordRefused,
    RetryLater,
    Uncertain,
    Unreachable,
    UploadError,
)

SHORT = Deadlines(connect_s=2.0, read_s=1.0, call_s=1.0, bytes_per_s=1e9)
SOME_ID = new_id()


@pytest.fixture
def api(server: FaultServer) -> Iterator[OesApi]:
    with OesApi(server.url, ApiKey(KEY), deadlines=QUICK) as made:
        yield made


@pytest.fixture
def hasty(server: FaultServer) -> Iterator[OesApi]:
    with OesApi(server.url, ApiKey(KEY), deadlines=SHORT) as made:
        yield made


CALLS: dict[str, Callable[[OesApi], object]] = {
    "presign": lambda api: api.presign("a.txt"),
    "complete": lambda api: api.complete("u", "n.txt", ['"e"']),
    "entries": lambda api: api.find_entries(keywords="x"),
    "download": lambda api: api.download_raw(SOME_ID, 100),
    "oes": lambda api: api.get_oes(SOME_ID),
    "patch": lambda api: api.patch_peak(SOME_ID, "p1", "Ga_417.2"),
    "clock": lambda api: api.gateway_time(),
}


@pytest.mark.parametrize("route", CALLS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.reset, Uncertain),
        (faults.effect_then_reset, Uncertain),
        (faults.html, ProtocolBroken),
        (faults.raw(b'{"x": '), ProtocolBroken),
        (faults.raw(b"[NaN]"), ProtocolBroken),
        (faults.raw(b"[" * 100_000), ProtocolBroken),
        (faults.raw(b"{}", "text/plain"), ProtocolBroken),
        (faults.bomb, ProtocolBroken),
        (faults.status(418), ProtocolBroken),
        (faults.status(204), ProtocolBroken),
        (faults.status(401), CredentialBlocked),
        (faults.status(403), CredentialBlocked),
        (faults.status(408), RetryLater),
        (faults.status(429), RetryLater),
        (faults.status(500), RetryLater),
        (faults.status(503), RetryLater),
        (faults.status(599), RetryLater),
    ],
)
def test_each_answer_means_what_comes_next(
    api: OesApi, server: FaultServer, route: str, fault: faults.Fault, error: type[UploadError]
) -> None:
    known = faults.Entry(SOME_ID, "a.txt", "u", data=b"x")
    server.entries[SOME_ID], server.results[SOME_ID] = known, faults.result(SOME_ID)
    server.script(route, fault)
    with pytest.raises(error) as caught:
        CALLS[route](api)
    _tells_no_secret(caught.value)


@pytest.mark.parametrize("route", [route for route in CALLS if route != "complete"])
@pytest.mark.parametrize("body", [b"null", b'"text"', b"17", b"[[]]", b'{"url": 1, "data_id": 2}'])
def test_json_of_another_shape_is_refused(api: OesApi, server: FaultServer, route: str, body: bytes) -> None:
    server.script(route, faults.raw(body))
    with pytest.raises(ProtocolBroken):
        CALLS[route](api)


@pytest.mark.parametrize("code", [400, 413, 422])
@pytest.mark.parametrize("route", ["presign", "complete", "entries", "oes", "patch"])
def test_a_refusal_is_the_records(api: OesApi, server: FaultServer, route: str, code: int) -> None:
    server.script(route, faults.status(code, "why\x1b[2J\nnot"))
    with pytest.raises(RecordRefused) as caught:
        CALLS[route](api)
    assert caught.value.status == code
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("code", "error"),
    [(400, RetryLater), (403, LinkExpired), (404, LinkExpired), (410, LinkExpired), (413, RecordRefused),
     (409, RetryLater), (503, RetryLater), (302, ProtocolBroken), (418, ProtocolBroken)],
)  # fmt: skip
def test_a_buckets_status_is_read_as_a_buckets(
    api: OesApi, server: FaultServer, code: int, error: type[UploadError]
) -> None:
    url = api.presign("a.txt").urls[0]
    server.script("put", faults.status(code))
    with pytest.raises(error) as caught:
        api.put_part(url, b"x")
    _tells_no_secret(caught.value)


@pytest.mark.parametrize("route", ["presign", "entries", "download", "oes", "patch", "complete", "clock"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_and_the_key_stays(api: OesApi, server: FaultServer, route: str, code: int) -> None:
    server.script(route, faults.redirect(code, server.elsewhere_url + "/x"))
    with pytest.raises(ProtocolBroken, match="a redirect, which is not followed"):
        CALLS[route](api)
    assert server.count("elsewhere") == 0


def test_the_bucket_follows_no_redirect_either(api: OesApi, server: FaultServer) -> None:
    url = api.presign("a.txt").urls[0]
    server.script("put", faults.redirect(307, server.elsewhere_url))
    with pytest.raises(ProtocolBroken):
        api.put_part(url, b"x")
    assert server.count("elsewhere") == 0


def test_the_key_goes_to_the_api_and_nowhere_else(api: OesApi, server: FaultServer) -> None:
    given = api.presign("a.txt")
    tags = [api.put_part(given.urls[0], b"data")]
    api.complete(given.upload_id, given.new_filename, tags)
    assert api.download_raw(given.data_id, 100) == b"data"
    api.gateway_time()
    with_key = {s.route for s in server.seen if _has_key(s)}
    assert with_key == {"presign", "complete", "download"}
    for seen in server.seen:
        names = {name.lower() for name in seen.headers}
        assert not names & {"authorization", "cookie", "proxy-authorization"}
        assert seen.headers["Accept-Encoding"] == "identity"
    put = next(s for s in server.seen if s.route == "put")
    assert put.headers["Content-Length"] == "4"
    assert "Content-Type" not in put.headers
    assert "Transfer-Encoding" not in put.headers
    presign = next(s for s in server.seen if s.route == "presign")
    assert (presign.headers["Content-Length"], presign.body) == ("0", b"")


def test_no_cookie_is_kept(api: OesApi, server: FaultServer) -> None:
    for route in ("entries", "entries"):
        server.script(route, faults.headers_changed(Set_Cookie="a=b", **{"Set-Cookie": "session=1; Path=/"}))
        api.find_entries(keywords="x")
    assert all("Cookie" not in s.headers for s in server.seen)


def test_a_proxy_or_netrc_of_the_environment_is_not_used(tmp_path: Path, server: FaultServer) -> None:
    """In a process of its own, whose environment names the third server as proxy for everything."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    code = (
        "from oesd.upload import ApiKey, OesApi\n"
        f"with OesApi({server.url!r}, ApiKey({KEY!r})) as api: print(api.find_entries(keywords='x'))"
    )
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), server.elsewhere_url)
    done = _python(code, {**proxies, "HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc")})
    assert done == "[]\n"
    assert server.count("elsewhere") == 0
    assert "Authorization" not in server.seen[0].headers


def test_a_configured_proxy_is_used_and_a_bad_one_told_at_once(server: FaultServer) -> None:
    with OesApi("http://localhost:9/v1", ApiKey(KEY), proxy=server.elsewhere_url, deadlines=QUICK) as api:
        assert api.find_entries(keywords="x") == []
    assert server.count("elsewhere") == 1
    for bad in ("proxy.lab:3128", "ftp://proxy.lab", "http://[::1"):
        with pytest.raises(SetupError):
            OesApi(server.url, ApiKey(KEY), proxy=bad)


@pytest.mark.parametrize("fault", [faults.hang, faults.drip, faults.drip_head])
@pytest.mark.parametrize("route", ["presign", "entries"])
def test_every_call_ends_by_its_deadline(hasty: OesApi, server: FaultServer, route: str, fault: faults.Fault) -> None:
    server.script(route, fault)
    started = time.monotonic()
    with pytest.raises(Uncertain):
        CALLS[route](hasty)
    assert time.monotonic() - started < 3.0
    CALLS[route](hasty)  # the next call has a connection of its own


def test_a_slow_bucket_gets_time_for_its_bytes_and_no_more(server: FaultServer) -> None:
    with OesApi(server.url, ApiKey(KEY), deadlines=Deadlines(1.0, 5.0, 0.3, 1000.0)) as api:
        given = api.presign("a.txt")
        server.script("put", faults.hang)
        started = time.monotonic()
        with pytest.raises(Uncertain, match="not within 1 s"):
            api.put_part(given.urls[0], b"x" * 700)
        assert 0.9 < time.monotonic() - started < 2.0


def test_a_server_that_does_not_listen_is_unreachable() -> None:
    with OesApi("http://127.0.0.1:9", ApiKey(KEY), deadlines=QUICK) as api, pytest.raises(Unreachable) as caught:
        api.presign("a.txt")
    assert "Connection refused" in str(caught.value)


def test_a_name_that_does_not_exist_is_unreachable() -> None:
    with OesApi("http://nowhere.localhost:9", ApiKey(KEY), deadlines=QUICK) as api:
        with pytest.raises(Unreachable):
            api.presign("a.txt")


def test_answers_are_capped_while_they_are_read(api: OesApi, server: FaultServer) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    server.script("entries", faults.flood)
    with pytest.raises(AnswerTooLarge):
        api.find_entries(keywords="x")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 64 * 1024
    assert api.find_entries(keywords="x") == []


def test_a_bomb_is_not_opened(api: OesApi, server: FaultServer) -> None:
    server.entries[SOME_ID] = faults.Entry(SOME_ID, "a.txt", "u", data=b"x")
    faults.packed_zeros()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for route in ("entries", "fetch"):
        server.script(route, faults.bomb)
    with pytest.raises(ProtocolBroken, match="encoding"):
        api.find_entries(keywords="x")
    with pytest.raises(ProtocolBroken, match="encoding"):
        api.download_raw(SOME_ID, 10_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 20 * 1024


def test_an_error_page_of_any_size_and_encoding_keeps_its_status(api: OesApi, server: FaultServer) -> None:
    server.script("entries", faults.raw(b"x" * 1_000_000, "text/html", 503))
    server.script("entries", faults.raw(b"not even gzip", "text/html", 503, **{"Content-Encoding": "gzip"}))
    for _ in range(2):
        with pytest.raises(RetryLater):
            api.find_entries(keywords="x")


def test_a_large_body_goes_out_whole(api: OesApi, server: FaultServer) -> None:
    data = bytes(range(256)) * (PART_BYTES // 256)
    api.put_part(api.presign("big.txt").urls[0], data)
    assert next(s for s in server.seen if s.route == "put").body == data


def test_many_threads_share_a_client(api: OesApi, server: FaultServer) -> None:
    done: list[int] = []
    threads = [threading.Thread(target=lambda n=n: done.append(len(api.presign(f"{n}.txt").urls))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1] * 12
    assert {e.name for e in server.entries.values()} == {f"{n}.txt" for n in range(12)}


def test_retry_after_arrives(api: OesApi, server: FaultServer) -> None:
    server.script("presign", faults.status(503, Retry_After="17"), faults.status(429, Retry_After="999999"))
    for seconds in (17.0, 3600.0):
        with pytest.raises(RetryLater) as caught:
            api.presign("a.txt")
        assert caught.value.retry_after_s == seconds


def test_the_key_is_nowhere_after_all_faults(server: FaultServer) -> None:
    """A server that echoes the key, breaks in every way, with every logger open: nothing of it is left in our words."""
    heard = io.StringIO()
    listener = logging.StreamHandler(heard)
    root = logging.getLogger()
    root.addHandler(listener)
    level, root.level = root.level, logging.DEBUG
    told: list[str] = []
    kinds = [faults.status(c, f"bad key {KEY}") for c in (400, 401, 403, 404, 409, 422, 429, 500)]
    kinds += [faults.reset, faults.html, faults.hang, faults.drip_head, faults.redirect(302, f"http://x/{KEY}")]
    try:
        with OesApi(server.url, ApiKey(KEY), deadlines=Deadlines(1.0, 0.2, 0.2, 1e9)) as api:
            for route, call in CALLS.items():
                for kind in kinds:
                    server.script(route, kind)
                    try:
                        call(api)
                    except UploadError as error:
                        told += [str(error), repr(error), "".join(traceback.format_exception(error))]
                        assert error.__context__ is None or isinstance(error.__context__, UploadError)
            told += [repr(api), repr(vars(api))]
    finally:
        root.removeHandler(listener)
        root.level = level
    assert len(told) > 100
    assert KEY not in heard.getvalue() + "".join(told)
    assert "signature=" not in heard.getvalue() + "".join(told)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")
def test_certificates_are_judged(tmp_path: Path) -> None:
    """An unknown certificate and one for another host are a network matter: nothing is sent, everything is kept."""
    good, other = _certificate(tmp_path, "localhost"), _certificate(tmp_path, "elsewhere.example")
    trusting = ssl.create_default_context(cafile=str(good))
    trusting.load_verify_locations(str(other))
    with tls_server(good, handler=Empty) as port:
        with OesApi(f"https://localhost:{port}", ApiKey(KEY), tls=trusting, deadlines=QUICK) as api:
            assert api.find_entries(keywords="x") == []
        with OesApi(f"https://localhost:{port}", ApiKey(KEY), deadlines=QUICK) as api, pytest.raises(Unreachable):
            api.find_entries(keywords="x")
    with tls_server(other, handler=Empty) as port:
        with OesApi(f"https://localhost:{port}", ApiKey(KEY), tls=trusting, deadlines=QUICK) as api:
            with pytest.raises(Unreachable):
                api.find_entries(keywords="x")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")
def test_an_expired_certificate_stops_the_queue_says_so_and_discards_nothing(bench: Bench, tmp_path: Path) -> None:
    expired, records = _expired_certificate(tmp_path), [bench.record() for _ in range(4)]
    trusting = ssl.create_default_context(cafile=str(expired))
    working, asked = bench.api, len(bench.server.seen)
    with tls_server(expired, handler=Empty) as port:
        with OesApi(f"https://localhost:{port}", ApiKey(KEY), tls=trusting, deadlines=QUICK) as bench.api:
            forwarder = bench.new_forwarder()
            for _ in range(20):
                bench.step(seconds=3600)
    state = forwarder.state()
    assert "certificate has expired" in state["last_error"]
    assert state["state"] == "failing"
    assert [bench.item(known).state for known in records] == [OutboxState.STORED] * 4
    assert len(bench.server.seen) == asked
    bench.api = working  # there is a new certificate
    bench.new_forwarder()
    for known in records:
        bench.until(known, OutboxState.PROCESSED)


def _has_key(seen: faults.Seen) -> bool:
    return KEY in "".join([seen.path, *seen.headers, *seen.headers.values()]) or KEY.encode() in seen.body


def _tells_no_secret(error: UploadError) -> None:
    text = "".join(traceback.format_exception(error))
    assert KEY not in text
    assert "s3cr3t" not in text
    assert "\n" not in str(error)


def _python(code: str, environment: dict[str, str]) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def _certificate(directory: Path, host: str) -> Path:
    path = directory / f"{host}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-keyout", path, "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


_AUTHORITY = """
[ca]
default_ca = own
[own]
new_certs_dir = {0}
database = {0}/index
serial = {0}/serial
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = DNS:localhost
"""


def _expired_certificate(directory: Path) -> Path:
    (directory / "ca.cnf").write_text(_AUTHORITY.format(directory))
    (directory / "index").touch()
    (directory / "serial").write_text("01")
    path, request = directory / "expired.pem", directory / "request"
    for command in (
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
         "-keyout", path, "-out", request],
        ["ca", "-batch", "-selfsign", "-config", directory / "ca.cnf", "-keyfile", path, "-in", request, "-notext",
         "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-out", f"{path}.crt"],
    ):  # fmt: skip
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


class Empty(BaseHTTPRequestHandler):
    """Answers every GET with an empty list."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_library_that_was_asked_for_is_the_one_under_test() -> None:
    import oesd.upload.http

    assert vars(oesd.upload.http)["httpx"].__name__ == transport.NAME
