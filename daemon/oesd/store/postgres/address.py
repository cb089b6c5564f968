"""Where a PostgreSQL database is: a URL that never shows its password."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from oesd.store.errors import StoreError

SCHEMES = ("postgresql", "postgres")
_SECRETS = ("password", "sslpassword")


class Address:
    """A ``postgresql://`` URL; its text comes out by :meth:`reveal` only, everything else shows ``***``.

    Raises
    ------
    StoreError
        When it is none. The text of the error shows nothing of it.
    """

    __slots__ = ("_secrets", "_url")

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            secrets = [parts.password, *(value for name, value in parse_qsl(parts.query) if name in _SECRETS)]
        except ValueError:
            parts, secrets = urlsplit(""), []
        if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
            url = ""  # a traceback that prints locals shows nothing
            raise StoreError('the URL of a store is such as "postgresql://oesd@db.lab/oesd"')
        self._url = url
        self._secrets = [text for secret in secrets if secret for text in {secret, unquote(secret)}]

    def reveal(self) -> str:
        """Return the whole URL: for the database's client and nothing else."""
        return self._url

    def redact(self, text: str) -> str:
        """Foreign text in one line, with the password, should it stand there, replaced."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())

    @property
    def bare(self) -> str:
        """The URL without any password."""
        parts = urlsplit(self._url)
        user, at, host = parts.netloc.rpartition("@")
        query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] not in _SECRETS], safe="/:")
        return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query=query))

    def __str__(self) -> str:
        parts = urlsplit(self.bare)
        if not urlsplit(self._url).password:
            return self.bare
        user, _, host = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))

    def __repr__(self) -> str:
        return f"Address({self})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an address may hold a password and is not to be copied into a file")
