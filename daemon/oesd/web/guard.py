"""The door of an application: exact Host, no foreign Origin, security headers on every answer.

Against DNS rebinding the Host header must name this very listener. Against
cross-site requests every mutation with an Origin that is not our own page is
refused, and no CORS header is ever sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oesd.web.answers import JsonAnswer

SAFE_METHODS = frozenset({"GET", "HEAD"})

_NOTHING = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="  # sha256 of no bytes
SECURITY_HEADERS = {
    # Plots: plotly.js makes an empty style element and fills it by script, gives texts a style of their own, and draws
    # maps of colours as pictures of its own making. No script but ours and no text from elsewhere gets to run.
    "content-security-policy": (
        f"default-src 'self'; style-src 'self' '{_NOTHING}'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_AS_SENT = [(name.encode(), text.encode()) for name, text in SECURITY_HEADERS.items()]


class Guard:
    """ASGI middleware that keeps foreign sites away from a local service.

    Parameters
    ----------
    hosts : iterable of str
        Host header values accepted beside the loopback names of the listening port, exact (``"chamber3.lab:8520"``).
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an allowed request on; answer 421 or 403 otherwise."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> JsonAnswer | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        served = self._hosts | _loopback_names(scope["scheme"], scope["server"][1])
        if len(headers.getlist("host")) != 1 or host not in served:
            return JsonAnswer({"detail": "this host name is not served here"}, 421)
        origins = headers.getlist("origin")
        if scope["method"] not in SAFE_METHODS and any(
            origin.lower() != f"{scope['scheme']}://{host}" for origin in origins
        ):
            return JsonAnswer({"detail": "requests from other sites are refused"}, 403)
        return None


@lru_cache(maxsize=8)
def _loopback_names(scheme: str, port: int) -> frozenset[str]:
    names = ("127.0.0.1", "localhost", "[::1]")
    usual = port == {"http": 80, "https": 443}.get(scheme)
    return frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if usual else frozenset())


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = message["headers"]
            names = {name for name, _ in told}
            message["headers"] = [*told, *(one for one in _AS_SENT if one[0] not in names)]
        await send(message)

    return send_with_headers
