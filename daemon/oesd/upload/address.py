"""Addresses: which endpoint we take, which presigned links we follow, how a request's URL is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, quote, urlsplit

from oesd.upload.errors import EndpointError, ProtocolBroken, one_line

_VISIBLE = re.compile(r"[\x21-\x7e]{1,8192}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_NUMBER_LIKE = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)*/?")
_DEFAULT_PORT = {"https": 443, "http": 80}

Origin = tuple[str, str, int]
QueryPairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The API's address: origin and path prefix.

    ``origin`` is (scheme, host, port); ``prefix`` ends with ``/``, whether or not the configured text did.
    """

    origin: Origin
    base: str

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Endpoint from configuration.

        Raises
        ------
        EndpointError
            Unless it is ``https://host[:port][/prefix]``; ``http`` is for loopback only. No user, query or fragment.
            The text names scheme and host alone: people write passwords and keys into the rest.
        """
        reason, parts = _split(text)
        if parts is None:
            raise EndpointError(f"endpoint{_shown(text)}: {reason}")
        origin = _origin(parts)
        if origin[0] == "http" and not is_loopback(origin[1]):
            raise EndpointError(f"endpoint{_shown(text)}: http is for loopback only, use https")
        if "?" in text or "#" in text:
            raise EndpointError(f"endpoint{_shown(text)}: a query or fragment has no place in it")
        if _PATH.fullmatch(parts.path) is None or any(s in (".", "..") for s in parts.path.split("/")):
            raise EndpointError(f"endpoint{_shown(text)}: not a plain path")
        return cls(origin, f"{origin[0]}://{parts.netloc}{parts.path.rstrip('/')}/")

    @property
    def host(self) -> str:
        """Host without the port."""
        return self.origin[1]

    def url(self, path: str, query: QueryPairs = ()) -> str:
        """URL of a call: ``path`` is ours (relative, constants and checked UUIDs), ``query`` may be foreign text."""
        encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
        return f"{self.base}{path}" + (f"?{encoded}" if encoded else "")


def check_endpoint(text: str) -> None:
    """Say whether the client would take an endpoint; raises EndpointError, see :meth:`Endpoint.parse`."""
    Endpoint.parse(text)


def origin_of(url: str) -> Origin:
    """Origin of an address.

    Raises
    ------
    ProtocolBroken
        When it is no plain http(s) address. The address itself is not in the text: it may hold a signature.
    """
    reason, parts = _split(url)
    if parts is None:
        raise ProtocolBroken(f"link from the server: {reason}")
    return _origin(parts)


def check_link(url: str, endpoint: Endpoint, allowed_hosts: Iterable[str] = ()) -> str:
    """Check a presigned link before anything is sent to it, and return it.

    It must be https; http and loopback hosts are taken only from an endpoint that is itself on loopback. An address in
    numbers must be a public one unless it is the endpoint's own. With ``allowed_hosts`` (suffixes: ``amazonaws.com``
    takes ``b.s3.amazonaws.com``) the host must match one.

    Raises
    ------
    ProtocolBroken
        Naming the host only.
    """
    scheme, host, _ = origin_of(url)
    local = is_loopback(endpoint.host)
    if scheme == "http" and not (local and is_loopback(host)):
        raise ProtocolBroken(f"link from the server: http to {host} is not followed")
    if is_loopback(host) and not local:
        raise ProtocolBroken(f"link from the server: {host} is this machine")
    address = _numeric(host)
    if address is not None and not (address.is_global or address.is_loopback or host == endpoint.host):
        raise ProtocolBroken(f"link from the server: {host} is not a public address")
    suffixes = [s.lower().lstrip(".") for s in allowed_hosts]
    if suffixes and not any(host == s or host.endswith(f".{s}") for s in suffixes):
        raise ProtocolBroken(f"link from the server: {host} is not an allowed host")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: ``localhost``, a name under it, or a loopback address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _numeric(host)
    return address is not None and address.is_loopback


def _shown(text: str) -> str:
    """Scheme and host of a refused address, for its error; "" where it has none."""
    # Greedy: a password may hold "/", "?" and "@" itself, and what follows the last "@" is the host to every reader.
    match = re.match(r"(?is)([a-z][a-z0-9+.-]*://)(.*@)?([^/?#@:\[]*|\[[0-9a-f:.]*\])", text)
    return f" {one_line(match[1] + ('***@' if match[2] else '') + match[3], 100)!r}" if match else ""


def _split(text: str) -> tuple[str, SplitResult | None]:
    """Reason and None, or "" and the parts of a plain http(s) address."""
    # Checked first: urlsplit drops tabs and newlines, and readers disagree about backslashes.
    if _VISIBLE.fullmatch(text) is None or "\\" in text:
        return "not an address of visible ASCII characters", None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "not an address", None
    if parts.scheme not in _DEFAULT_PORT or not text.startswith(f"{parts.scheme}://"):
        return "not an https address", None
    if "@" in parts.netloc:
        return "a user name or password has no place in it", None
    host = parts.hostname or ""
    if port == 0 or not _is_plain(host):
        return "no plain host name", None
    return "", parts


def _is_plain(host: str) -> bool:
    """Whether every reader takes the host for the same: ``2130706433`` and ``0x7f.1`` are addresses to some."""
    if _numeric(host) is not None:
        return "%" not in host  # no zone of a link-local address
    return _HOST.fullmatch(host) is not None and _NUMBER_LIKE.fullmatch(host.rsplit(".", 1)[-1]) is None


def _origin(parts: SplitResult) -> Origin:
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORT[parts.scheme]


def _numeric(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.rstrip("."))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
