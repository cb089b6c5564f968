"""Answers that are read while they come: events without an end, and files larger than memory.

The second of the two modules that know httpx, as :mod:`~oesd.upload.http` reads every answer to its end under a
deadline; here silence has a limit and length has none. The same rules hold: the key goes to the endpoint's own origin
only, no redirect is followed, nothing is taken from the environment, certificates are judged by the system's store.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import truststore

from oesd.upload.address import Endpoint
from oesd.upload.errors import ProtocolBroken, Uncertain, Unreachable, one_line
from oesd.upload.httpx_alone import httpx
from oesd.upload.judgement import Answer, judge_api
from oesd.upload.key import ApiKey
from oesd.version import __version__

_CONNECT_S = 10.0
_ERROR_CAP = 64 * 1024
_PIECE = 64 * 1024


class Stream:
    """An answer that has begun well; ``headers`` have lower-case names."""

    def __init__(self, response: httpx.Response, server: str) -> None:
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._server = server

    def pieces(self) -> Iterator[bytes]:
        """The bytes as they come.

        Raises
        ------
        Uncertain
            When they end before their end.
        """
        try:
            yield from self._response.iter_raw()
        except (httpx.HTTPError, httpx.StreamError, OSError) as problem:
            raise Uncertain(f"{self._server} did not answer to the end ({type(problem).__name__})") from None


@contextmanager
def stream(
    endpoint: Endpoint,
    key: ApiKey | None,
    what: str,
    path: str,
    *,
    silence_s: float,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Generator[Stream]:
    """GET a path of the endpoint and give its answer as a stream.

    Parameters
    ----------
    path : str
        With its query, as :meth:`~oesd.upload.address.Endpoint.url` makes it.
    silence_s : float
        No longer than this without a byte.

    Raises
    ------
    UploadError
        By what comes next, as :func:`~oesd.upload.judgement.judge_api` has it; ``what`` in its text.
    """
    server = f"{endpoint.origin[1]}:{endpoint.origin[2]}"
    failure: Exception
    try:
        with _client(silence_s, tls) as client, client.stream("GET", path, headers=_headers(headers, key)) as response:
            if not 200 <= response.status_code < 300:
                body = b"".join(_capped(response.iter_raw(_PIECE)))
                answer = Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
                judge_api(what, answer, key.redact if key else str)
            if response.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
                raise ProtocolBroken(f"{server} answered in an encoding nobody asked for")
            yield Stream(response, server)
            return
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as problem:
        reason = one_line(str(problem)) if isinstance(problem, httpx.ConnectError) else ""
        failure = Unreachable(f"{server} not reached ({reason or type(problem).__name__})")
    except (httpx.HTTPError, httpx.StreamError, OSError) as problem:
        failure = Uncertain(f"{server} did not answer to the end ({type(problem).__name__})")
    raise failure


def _client(silence_s: float, tls: ssl.SSLContext | None) -> httpx.Client:
    return httpx.Client(
        verify=tls or truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(silence_s, connect=_CONNECT_S),
    )


def _headers(more: Mapping[str, str] | None, key: ApiKey | None) -> dict[str, str]:
    own = {"User-Agent": f"oesd/{__version__}", "Accept-Encoding": "identity"}
    return {**own, **(more or {}), **({"X-API-KEY": key.reveal()} if key else {})}


def _capped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = _ERROR_CAP
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
