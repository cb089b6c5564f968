"""A whole daemon with remote access: what it measures is seen from another computer, live, and only with the token."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.support.daemons import Daemon, oesd

from oesd.service.directory import local_token

CONFIG = """
data_dir = "{place}/data"
[capture]
every = "500 ms"
integration = "5 ms"
[web]
port = 0
remote = true
remote_host = "127.0.0.1"
remote_port = {port}
names = ["chamber3.lab:{port}"]
certificate = "{place}/tls.pem"
certificate_key = "{place}/{key}"
[simulation]
enabled = true
devices = ["USB4000:SIM1"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x".split()
    files = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.pem")]
    names = ["-addext", "subjectAltName=DNS:chamber3.lab"]
    subprocess.run(["openssl", *command, *names, *files], check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def config(place: Path, port: int, key: str = "tls.key") -> Path:
    path = place / "lab.toml"
    path.write_text(CONFIG.format(place=place, port=port, key=key))
    return path


def test_a_spectrum_is_seen_live_and_only_with_the_token(place: Path, free_port: int) -> None:
    context = ssl.create_default_context(cafile=str(place / "tls.pem"))
    url, named = f"https://127.0.0.1:{free_port}", {"Host": f"chamber3.lab:{free_port}"}
    with Daemon(place / "data", "run", "--config", config(place, free_port)) as daemon:
        assert daemon.get("/healthz") == {"healthy": True}  # this computer needs no token to read
        with httpx.Client(base_url=url, headers=named, verify=context, trust_env=False, timeout=30) as afar:
            extensions = {"sni_hostname": "chamber3.lab"}
            assert afar.get("/status", extensions=extensions).status_code == 401
            token = {"Authorization": f"Bearer {local_token(daemon.data)}"}
            with afar.stream("GET", "/events?points=50", headers=token, extensions=extensions) as events:
                data = [line.removeprefix("data: ") for line in _until_live(events)]
    shown = json.loads(data[-1])
    assert shown["device"] == "SIM1" and shown["simulated"] is True and len(shown["baseline"]) <= 50


def _until_live(events: httpx.Response) -> list[str]:
    """Lines of data up to a spectrum that was measured while we listened: it has its baseline."""
    lines = []
    for line in events.iter_lines():
        if line.startswith("data: "):
            lines.append(line)
            if '"baseline":[' in line:
                break
    return lines


def test_without_its_key_the_daemon_says_so_and_does_not_start(place: Path, free_port: int) -> None:
    ran = oesd("run", "--config", config(place, free_port, "no.key"))
    assert ran.returncode != 0
    assert f"the key {place}/no.key is not there" in ran.stderr
    assert "Traceback" not in ran.stderr
