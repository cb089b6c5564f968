"""A certificate with its key, as a server uses them and as a client would judge them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

_NOT_YET, _EXPIRED, _OTHER_NAME = 9, 10, 62  # X509_V_ERR_ of OpenSSL's verify(1)
_LEAF = "-----END CERTIFICATE-----"


class BadCertificate(Exception):
    """The certificate or its key cannot be used; the message is one line for a person."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later with this certificate.

    Raises
    ------
    BadCertificate
        When a file is missing or unreadable, is no certificate or key, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _text(certificate, "certificate")
    _text(key, "key")
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _Encrypted:
        raise BadCertificate(f"the key {key} is encrypted: nobody is there to give its password; decrypt it") from None
    except ssl.SSLError as problem:
        if problem.reason == "KEY_VALUES_MISMATCH":
            raise BadCertificate(f"the key {key} is not that of the certificate {certificate}") from None
        raise BadCertificate(f"{certificate} with {key}: no PEM certificate with its key") from None
    return context


def check_certificate(certificate: Path, key: Path, hosts: Sequence[str] = ()) -> datetime:
    """See that a client that trusts its issuer would talk to it today, by a handshake in memory.

    Parameters
    ----------
    hosts : sequence of str
        Names without a port that it must be good for.

    Returns
    -------
    datetime
        Until when it is good, UTC.

    Raises
    ------
    BadCertificate
        As of :func:`server_context`; also when it has expired, is not good yet, or is for another name.
    """
    server = server_context(certificate, key)
    text = _text(certificate, "certificate")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=text[: text.find(_LEAF) + len(_LEAF)] + "\n")
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it is trusted itself: who issued it is the client's business
    client.check_hostname = False
    until = _good_until(client, server, "", certificate)
    client.check_hostname = True
    for host in hosts:
        _good_until(client, server, host.strip("[]"), certificate)
    return until


def _good_until(client: ssl.SSLContext, server: ssl.SSLContext, host: str, certificate: Path) -> datetime:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=host or None)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        while not (_stepped(asking) & _stepped(answering)):
            pass
    except ssl.SSLCertVerificationError as problem:
        raise BadCertificate(_judged(problem, certificate, host)) from None
    except ssl.SSLError as problem:
        raise BadCertificate(f"the certificate {certificate} cannot be used: {problem.reason or problem}") from None
    told = asking.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)


def _stepped(side: ssl.SSLObject) -> bool:
    """Whether a side is done with its handshake, after another step of it."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _judged(problem: ssl.SSLCertVerificationError, certificate: Path, host: str) -> str:
    why = {
        _EXPIRED: "has expired: have a new one issued",
        _NOT_YET: "is not good yet: see the dates in it, and this computer's clock",
        _OTHER_NAME: f"is not for {host}: have one issued that names it",
    }
    return f"the certificate {certificate} {why.get(problem.verify_code, problem.verify_message)}"


def _text(file: Path, what: str) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        raise BadCertificate(f"the {what} {file} is not there") from None
    except OSError as problem:
        raise BadCertificate(f"the {what} {file} cannot be read: {problem.strerror}") from None


class _Encrypted(Exception):
    """A password was asked for."""


def _no_password() -> str:
    raise _Encrypted
