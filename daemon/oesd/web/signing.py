"""Bucket URLs that carry their own permission: method, path and expiry, signed."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from urllib.parse import urlencode

URL_LIFETIME = timedelta(hours=1)


class SignatureRefused(Exception):
    """The URL gives no permission; ``code`` is the name S3 has for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Signer:
    """Signs and checks ``path?expires=...&signature=...``.

    Parameters
    ----------
    secret : bytes
        HMAC-SHA256 key; the same over restarts, so that URLs handed out stay good until they expire.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, method: str, path: str, now: datetime, lifetime: timedelta = URL_LIFETIME) -> str:
        """Return path and query of a URL that permits one method on one path until ``now + lifetime``."""
        expires = int((now + lifetime).timestamp())
        return f"{path}?{urlencode({'expires': expires, 'signature': self._mark(method, path, expires)})}"

    def check(self, method: str, path: str, expires: str, signature: str, now: datetime) -> None:
        """Raise :class:`SignatureRefused` unless the signature is ours and not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            raise SignatureRefused("AccessDenied", "the URL is not signed")
        mark = self._mark(method, path, int(expires))
        if not hmac.compare_digest(mark.encode(), signature.encode("utf-8", "replace")):
            raise SignatureRefused("SignatureDoesNotMatch", "the signature does not match the request")
        if now.timestamp() > int(expires):
            raise SignatureRefused("AccessDenied", "Request has expired")

    def _mark(self, method: str, path: str, expires: int) -> str:
        text = f"{method}\n{path}\n{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
