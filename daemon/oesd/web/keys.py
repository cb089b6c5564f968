"""Who may: the key in ``X-API-KEY``, or as a bearer token, compared in constant time."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from oesd.store.hub_keys import HubKeys
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


class HubKeyCheck:
    """Lets a request pass that carries a key with a scope: the hub's own key has all, others what they were made with.

    The id of the key is then in ``request.state.key_id``, its quota in ``request.state.day_bytes``.

    Parameters
    ----------
    own : str
        The hub's own key, of its key file.
    keys : HubKeys
        The keys that were made since, by their hashes.
    """

    def __init__(self, own: str, keys: HubKeys, scope: str) -> None:
        self._own = own.encode()
        self._keys = keys
        self._scope = scope

    def __repr__(self) -> str:
        return f"HubKeyCheck(***, {self._scope})"

    def __call__(self, request: Request) -> None:
        """Raise :class:`Refusal`: 401 without a key that is known, 403 when it has not the scope."""
        given = _given(request)
        if given is None:
            raise Refusal(401, "missing API key")
        request.state.key_id, request.state.day_bytes = "", 0
        if self._own and hmac.compare_digest(given.encode(), self._own):
            return
        known = self._keys.known(given)
        if known is None:
            raise Refusal(401, "wrong API key")
        if self._scope not in known.scopes:
            raise Refusal(403, f"this key may not {self._scope}")
        request.state.key_id, request.state.day_bytes = known.key_id, known.day_bytes
