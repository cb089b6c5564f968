"""HTTP to strangers: the only module that knows httpx.

Two clients that share nothing. :class:`ApiHttp` sends the key, to the API's own origin only. :class:`BucketHttp` goes
wherever a checked link points and has no credential to lose. For both: no redirect is followed, no proxy or ``.netrc``
is taken from the environment, no cookie is kept, certificates are judged by the system's store (labs with TLS
inspection), a compressed answer is refused, an answer is read up to a cap, and every call ends by its deadline.

httpx's timeouts are per read: a server that drips a byte a second holds a call for ever. So each exchange runs on a
line of its own (one connection, kept alive between calls), and a watch cuts its socket when the deadline has passed.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Generator, Iterator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import truststore

from oesd.upload.address import Endpoint, origin_of
from oesd.upload.call import Call, Deadlines
from oesd.upload.errors import (
    AnswerTooLarge,
    ProtocolBroken,
    SetupError,
    Uncertain,
    Unreachable,
    UploadError,
    one_line,
)
from oesd.upload.httpx_alone import httpx
from oesd.upload.judgement import Answer, judge_api, judge_bucket
from oesd.upload.key import ApiKey
from oesd.upload.strict_json import parse_json
from oesd.upload.watch import Watch
from oesd.version import __version__

_CHUNK = 64 * 1024
_ERROR_CAP = 64 * 1024
_KEEP_ALIVE_S = 2.0  # shorter than a server's usual 5 s: we, not it, close an idle connection
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)

for _name in ("httpx", "httpcore", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # their INFO line holds the whole presigned URL


class _KeyAuth(httpx.Auth):
    """Adds the key as the request leaves, so that no list of headers of ours ever holds it."""

    def __init__(self, key: ApiKey) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["X-API-KEY"] = self._key.reveal()
        yield request


class _Line:
    """One httpx client with one connection, and the means to cut it. One thread at a time."""

    def __init__(self, watch: Watch, tls: ssl.SSLContext, deadlines: Deadlines, proxy: str | None) -> None:
        self._watch = watch
        self._socket: socket.socket | None = None
        self._overdue = False
        self._client = httpx.Client(
            verify=tls,
            trust_env=False,
            proxy=proxy,
            follow_redirects=False,
            headers={"User-Agent": f"oesd/{__version__}", "Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEP_ALIVE_S),
            timeout=httpx.Timeout(deadlines.read_s, connect=deadlines.connect_s, pool=deadlines.connect_s),
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def exchange(self, call: Call, url: httpx.URL) -> Answer:
        """Send a request to the call's address as read by httpx, and read the answer.

        Raises
        ------
        UploadError
            When there is no whole answer. It stands alone, without httpx's own error behind it: that may quote headers.
        """
        failure: UploadError
        self._overdue = False
        try:
            with self._watch.limit(call.deadline_s, self._cut):
                return self._converse(call, url)
        except httpx.LocalProtocolError:
            failure = ProtocolBroken(f"request to {call.server} could not be made")
        except _NEVER_SENT as problem:
            failure = Unreachable(f"{call.server} not reached ({_reason(problem)})")
        except (httpx.HTTPError, httpx.StreamError, OSError) as problem:
            reason = f"not within {call.deadline_s:.0f} s" if self._overdue else _reason(problem)
            failure = Uncertain(f"{call.server} did not answer to the end ({reason})")
        raise failure

    def _cut(self) -> None:
        self._overdue = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes a blocked read, as close() would not
            except OSError:
                return  # closed meanwhile: that is what was wanted

    def _note_socket(self, event: str, info: Mapping[str, Any]) -> None:
        """Httpcore's trace hook: remember the socket when a connection stands, and again when it is encrypted."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._overdue:
                self._cut()

    def _converse(self, call: Call, url: httpx.URL) -> Answer:
        headers = dict(call.headers)
        if call.body is not None:
            headers["Content-Length"] = str(len(call.body))
        with self._client.stream(
            call.method,
            url,
            content=None if call.body is None else _pieces(call.body),
            headers=headers,
            auth=None if call.key is None else _KeyAuth(call.key),
            extensions={"trace": self._note_socket},
        ) as response:
            body = _read(response, call.cap_bytes, call.server)
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)


class _Lines:
    """Lines to one kind of server, as many as threads ask at once."""

    def __init__(self, tls: ssl.SSLContext | None, deadlines: Deadlines | None, proxy: str | None) -> None:
        self.deadlines = deadlines or Deadlines()
        self._tls = tls or truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._proxy = proxy
        self._watch = Watch()
        # One is made now: a proxy that cannot be used is told at the start.
        self._idle = [self._new_line()]
        self._guard = threading.Lock()
        self._closed = False

    def exchange(self, call: Call) -> Answer:
        """Exchange on a line that is free, or on a new one."""
        url = _same_reading(call)
        with self._guard:
            line = self._idle.pop() if self._idle else None
        line = line or self._new_line()
        try:
            return line.exchange(call, url)
        finally:
            self._give_back(line)

    def _new_line(self) -> _Line:
        try:
            return _Line(self._watch, self._tls, self.deadlines, self._proxy)
        except (ValueError, httpx.InvalidURL):
            raise SetupError("proxy is no address such as http://proxy.lab:3128") from None

    def _give_back(self, line: _Line) -> None:
        with self._guard:
            if not self._closed:
                self._idle.append(line)
                return
        line.close()

    def close(self) -> None:
        """Close idle lines now, busy ones when they come back."""
        with self._guard:
            self._closed, idle, self._idle = True, self._idle, []
        for line in idle:
            line.close()
        self._watch.close()


class ApiHttp:
    """HTTP to the API's own origin, with the key."""

    def __init__(
        self,
        endpoint: Endpoint,
        key: ApiKey,
        *,
        deadlines: Deadlines | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._lines = _Lines(tls, deadlines, proxy)

    def json(
        self, what: str, method: str, url: str, *, body: bytes | None = None, cap_bytes: int, with_key: bool = True
    ) -> Any:
        """Make a call and return its JSON; raises :class:`UploadError` by what comes next, ``what`` in its text."""
        if (origin := origin_of(url)) != self._endpoint.origin:
            raise ProtocolBroken(f"{what}: not the API's own address")
        headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})
        if method == "POST" and body is None:
            body = b""  # says Content-Length: 0, as the API's own clients do
        key = self._key if with_key else None
        deadline_s = self._lines.deadlines.total_s(0)
        answer = self._lines.exchange(Call(method, url, origin, cap_bytes, deadline_s, body, headers, key))
        judge_api(what, answer, self._key.redact)
        if not answer.is_json:
            raise ProtocolBroken(f"{what}: {answer.status} without JSON (a captive portal or a proxy in between?)")
        document = parse_json(answer.body, what)
        if self._key.is_quoted(answer.body, document):  # ids and names of an answer are kept and shown
            raise ProtocolBroken(f"{what}: the answer quotes our key")
        return document

    def close(self) -> None:
        """Close the connections."""
        self._lines.close()


class BucketHttp:
    """HTTP to wherever a checked presigned link points, without any credential."""

    def __init__(
        self, *, deadlines: Deadlines | None = None, tls: ssl.SSLContext | None = None, proxy: str | None = None
    ) -> None:
        self._lines = _Lines(tls, deadlines, proxy)

    def put(self, what: str, url: str, body: bytes, *, method: str = "PUT", media: str = "") -> Answer:
        """PUT (or POST) bytes to a checked link. Raises :class:`UploadError` by what comes next."""
        deadline_s, headers = self._lines.deadlines.total_s(len(body)), {"Content-Type": media} if media else {}
        answer = self._lines.exchange(Call(method, url, origin_of(url), _ERROR_CAP, deadline_s, body, headers))
        judge_bucket(what, answer)
        return answer

    def get(self, what: str, url: str, cap_bytes: int) -> bytes:
        """GET at most ``cap_bytes`` from a checked link. Raises :class:`UploadError` by what comes next."""
        deadline_s = self._lines.deadlines.total_s(cap_bytes)
        answer = self._lines.exchange(Call("GET", url, origin_of(url), cap_bytes, deadline_s))
        judge_bucket(what, answer)
        return answer.body

    def close(self) -> None:
        """Close the connections."""
        self._lines.close()


def _same_reading(call: Call) -> httpx.URL:
    """Check that httpx reads an address as we did: readers that disagree are how a key leaves for another host."""
    try:
        url = httpx.URL(call.url)
    except (httpx.InvalidURL, UnicodeError):
        raise ProtocolBroken(f"link to {call.server} cannot be read") from None
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    if (url.scheme, url.host, port) != call.origin or url.userinfo:
        raise ProtocolBroken(f"link to {call.server} can be read in two ways")
    return url


def _pieces(body: bytes) -> Iterator[bytes]:
    """Chunks of a body: one send of 40 MiB would be copied over and over by the socket layer."""
    view = memoryview(body)
    for start in range(0, len(body), _CHUNK):
        yield bytes(view[start : start + _CHUNK])


def _read(response: httpx.Response, cap_bytes: int, server: str) -> bytes:
    """Body of an answer as it came over the wire; of an error, whose status says enough, only a readable beginning."""
    encoded = response.headers.get("content-encoding", "identity").strip().lower() not in ("identity", "")
    if response.status_code >= 300:
        return b"" if encoded else _read_up_to(response, _ERROR_CAP)[:_ERROR_CAP]
    if encoded:
        raise ProtocolBroken(f"{server} answered in an encoding nobody asked for")
    body = _read_up_to(response, cap_bytes)
    if len(body) > cap_bytes:
        raise AnswerTooLarge(f"{server} answered more than {cap_bytes} bytes")
    return body


def _read_up_to(response: httpx.Response, cap_bytes: int) -> bytes:
    """Read to the end, or to the chunk that passes the cap."""
    body = bytearray()
    for chunk in response.iter_raw(_CHUNK):
        body += chunk
        if len(body) > cap_bytes:
            break
    return bytes(body)


def _reason(problem: Exception) -> str:
    """Why, in words that cannot hold a header: a connect error's own text, of any other its class."""
    text = one_line(str(problem)) if isinstance(problem, httpx.ConnectError) else ""
    return text or type(problem).__name__
