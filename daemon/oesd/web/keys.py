"""Who may: the key in ``X-API-KEY``, or as a bearer token, compared in constant time."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from oesd.web.answers import Refusal


class KeyCheck:
    """Lets a request pass that carries the key; anything else is refused with 401.

    Parameters
    ----------
    key : str
        The key. An empty one lets nobody pass.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def __repr__(self) -> str:
        return "KeyCheck(***)"

    def __call__(self, request: Request) -> None:
        """Raise :class:`Refusal` unless the request carries the key."""
        given = _given(request)
        if given is None:
            raise Refusal(401, "missing API key")
        # Compared even when our key is empty, so that time tells nothing.
        same = hmac.compare_digest(given.encode(), self._key)
        if not (same and self._key):
            raise Refusal(401, "wrong API key")


def everyone(_: Request) -> None:
    """Check that lets every request pass."""


def _given(request: Request) -> str | None:
    key = request.headers.get("x-api-key")
    if key is not None:
        return key
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
