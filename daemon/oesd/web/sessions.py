"""POST /session: a page that is reached from afar shows the token once, and reads with a cookie from then on.

A browser's EventSource and its links cannot carry a header. The cookie is for reading alone: it never changes anything,
no script sees it, and no other site's page makes the browser send it.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.calls import About, Body, Call, changing
from oesd.web.keys import KeyCheck

COOKIE = "__Host-oesd"
LIFETIME_S = 12 * 3600
_MOST = 64


class Sessions:
    """Who reads by cookie; forgotten with the process.

    Parameters
    ----------
    check : KeyCheck
        The token, which is as good as a session.
    monotonic_s : callable
        The clock by which sessions end.
    """

    def __init__(self, check: KeyCheck, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._ends_s: OrderedDict[bytes, float] = OrderedDict()

    def __call__(self, request: Request) -> None:
        """Raise :class:`Refusal` unless the request carries the token, or the cookie of a session."""
        if not self._known(request.cookies.get(COOKIE, "")):
            self._check(request)

    def begin(self) -> str:
        """Begin a session; the oldest goes when there are too many. Returns the cookie's value."""
        text = secrets.token_urlsafe(32)
        with self._lock:
            self._ends_s[_digest(text)] = self._monotonic_s() + LIFETIME_S
            while len(self._ends_s) > _MOST:
                self._ends_s.popitem(last=False)
        return text

    def end(self, text: str) -> None:
        """End a session; nothing when there is none."""
        with self._lock:
            self._ends_s.pop(_digest(text), None)

    def _known(self, text: str) -> bool:
        # Looked up by its hash: how long that takes tells nothing of a session's value.
        with self._lock:
            return bool(text) and self._ends_s.get(_digest(text), 0.0) > self._monotonic_s()


def session_routes(sessions: Sessions, may_change: KeyCheck) -> list[Call]:
    """Return POST and DELETE /session; both need the token."""

    def begin(_: Request, __: Nobody) -> Response:
        return _answer({"lasts_s": LIFETIME_S}, f"{sessions.begin()}; Max-Age={LIFETIME_S}")

    def end(request: Request, _: Nobody) -> Response:
        text = request.cookies.get(COOKIE)
        if text is None:
            raise Refusal(404, "no session")
        sessions.end(text)
        return _answer({"lasts_s": 0}, "; Max-Age=0")

    opening = About("state", "Read by cookie from now on", "Session")
    closing = About("state", "End that", "Session", refusals=(404,))
    return [
        changing("POST", "/session", begin, Nobody, may_change, opening, optional=True),
        changing("DELETE", "/session", end, Nobody, may_change, closing, optional=True),
    ]


class Nobody(Body):
    """Nothing to say."""


def _answer(document: dict[str, Any], cookie: str) -> Response:
    return JsonAnswer(document, headers={"set-cookie": f"{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Strict"})


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
