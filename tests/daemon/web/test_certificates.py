"""Certificates as servers use them and as clients would judge them, and what ``oesd check-config`` says of them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.certificates import Pair, certificate
from tests.support.daemons import oesd

from oesd.web.certificates import BadCertificate, check_certificate, server_context


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificate(tmp_path_factory.mktemp("good"), "DNS:chamber3.lab", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificate(tmp_path_factory.mktemp("other"), "DNS:chamber3.lab")


def refusal(pair: tuple[Path, Path], *hosts: str) -> str:
    with pytest.raises(BadCertificate) as caught:
        check_certificate(*pair, hosts)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_one_and_until_when(good: Pair) -> None:
    until = check_certificate(*good, ["chamber3.lab", "127.0.0.1"])
    assert abs(until - datetime.now(UTC) - timedelta(days=2)) < timedelta(minutes=5)


def test_for_whom_it_is_not(good: Pair) -> None:
    assert "is not for hub.lab" in refusal(good, "chamber3.lab", "hub.lab")


@pytest.mark.parametrize(("days", "said"), [((-9, -1), "has expired"), ((1, 9), "is not good yet")])
def test_when_it_is_not_good(tmp_path: Path, days: tuple[float, float], said: str) -> None:
    pair = certificate(tmp_path, "DNS:chamber3.lab", days=days)
    assert said in refusal(pair)
    server_context(*pair)  # a daemon serves with it all the same: it has to measure


def test_files_that_are_none(good: Pair, other: Pair, tmp_path: Path) -> None:
    junk, gone = tmp_path / "junk.pem", tmp_path / "gone.pem"
    junk.write_bytes(b"junk \xff")
    assert refusal((gone, good.key)) == f"the certificate {gone} is not there"
    assert refusal((good.certificate, gone)) == f"the key {gone} is not there"
    assert "cannot be read: Is a directory" in refusal((good.certificate, tmp_path))
    assert "is not that of the certificate" in refusal((good.certificate, other.key))
    for pair in ((junk, good.key), (good.certificate, junk), (good.key, good.certificate)):
        assert "no PEM certificate with its key" in refusal(pair)


def test_a_key_with_a_password_asks_nobody(good: Pair, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    words = ["openssl", "ec", "-in", str(good.key), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(words, check=True, capture_output=True)
    assert "is encrypted" in refusal((good.certificate, locked))


SECTIONS = {
    "web": '[web]\nremote = true\nnames = ["chamber3.lab:8521"]\n',
    "hub": '[hub]\nhost = "0.0.0.0"\nname = "chamber3.lab"\n',
}


@pytest.mark.parametrize("section", ["web", "hub"])
def test_check_config_opens_them(section: str, good: Pair, tmp_path: Path) -> None:
    path, files = tmp_path / "lab.toml", 'certificate = "{}"\ncertificate_key = "{}"\n'
    path.write_text(SECTIONS[section] + files.format(*good))
    assert oesd("check-config", path).returncode == 0
    path.write_text(SECTIONS[section] + files.format(good.certificate, tmp_path / "no.key"))
    ran = oesd("check-config", path)
    assert ran.returncode != 0 and ran.stderr.count("\n") == 1
    assert f": {section}.certificate: the key {tmp_path / 'no.key'} is not there" in ran.stderr
    assert f"{path}, line " in ran.stderr


def test_a_hub_beyond_loopback_needs_a_certificate_and_a_name(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text('[hub]\nhost = "0.0.0.0"\nname = "hub.lab"\n')
    ran = oesd("check-config", path)
    assert ran.returncode != 0
    assert "'0.0.0.0' needs certificate and certificate_key too" in ran.stderr
    path.write_text('[hub]\nname = "Hub_Lab"\n')
    assert "'Hub_Lab' is not the name of a host" in oesd("check-config", path).stderr
