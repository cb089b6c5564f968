"""Certificates that sign themselves, made with openssl: for any names, good in any interval."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

_AUTHORITY = """
[ca]
default_ca = own
[own]
new_certs_dir = {place}
database = {place}/index
serial = {place}/serial
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = {names}
"""


class Pair(NamedTuple):
    """Files of a certificate and of its key."""

    certificate: Path
    key: Path


def certificate(place: Path, *names: str, days: tuple[float, float] = (-1.0, 2.0)) -> Pair:
    """Make one for names, ``DNS:hub.lab`` or ``IP:127.0.0.1``; good between two moments, in days from now."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    place.mkdir(parents=True, exist_ok=True)
    (place / "ca.cnf").write_text(_AUTHORITY.format(place=place, names=",".join(names)))
    (place / "index").write_text("")
    (place / "serial").write_text("01")
    made, request = Pair(place / "tls.pem", place / "tls.key"), place / "request"
    first, last = (f"{datetime.now(UTC) + timedelta(days=one):%Y%m%d%H%M%SZ}" for one in days)
    for command in (
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=some",
         "-keyout", made.key, "-out", request],
        ["ca", "-batch", "-selfsign", "-config", place / "ca.cnf", "-keyfile", made.key, "-in", request, "-notext",
         "-startdate", first, "-enddate", last, "-out", made.certificate],
    ):  # fmt: skip
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    return made
