"""What the doctor says of the way to the API: an API and a proxy of the test's own, keys that are wrong in each way."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.certificates import certificate
from tests.support.fault_server import KEY, FaultServer, html, status
from tests.support.tls_server import tls_server

from oesd.cli.check import check_config
from oesd.config import Config, parse_config
from oesd.doctor import Finding, Host, Level
from oesd.doctor.key import service_key, service_user
from oesd.doctor.network import network
from oesd.host import set_key
from oesd.host.secret import ENCRYPTED, _sealed

CANARY = "canary-0123456789"
RESTART = "sudo systemctl restart oesd"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture(scope="module")
def running() -> Iterator[FaultServer]:
    with FaultServer() as made:
        yield made


@pytest.fixture
def api(running: FaultServer) -> FaultServer:
    running.reset()
    return running


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One with a service user and no proxy in the environment."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\noesd:x:12345:12345::/var/lib/oesd:/bin/false\n")
    return Host(tmp_path)


def upload(endpoint: str, more: str = "") -> Config:
    return parse_config(f'[upload]\nendpoint = "{endpoint}"\n{more}', "test")


def said(config: Config, host: Host) -> dict[str, Finding]:
    found = list(network(config, host))
    assert not [f for f in found if CANARY in f.what + f.do]
    assert len({f.subject for f in found}) == len(found)
    return {f.subject: f for f in found}


# -- the API -------------------------------------------------------------------------------------------------------


def test_a_key_that_the_api_takes(api: FaultServer, machine: Host) -> None:
    set_key(KEY, machine.root)
    found = said(upload(api.url), machine)
    assert {s: f.level for s, f in found.items()} == {"API": Level.OK, "key": Level.OK}
    assert "its clock is +" in found["API"].what or "its clock is -" in found["API"].what


@pytest.mark.parametrize("code", [401, 403])
def test_a_key_that_the_api_refuses(code: int, api: FaultServer, machine: Host) -> None:
    api.script("projects", status(code))
    set_key(CANARY, machine.root)
    found = said(upload(api.url), machine)
    assert (found["API"].level, found["key"].level) == (Level.OK, Level.FAULT)
    assert "does not take it" in found["key"].what
    assert found["key"].do == f"sudo oesd key set, then: {RESTART}"


def test_a_captive_portal(api: FaultServer, machine: Host) -> None:
    api.script("any", html, html)
    set_key(CANARY, machine.root)
    found = said(upload(api.url), machine)["API"]
    assert found.level is Level.FAULT
    assert "captive portal" in found.what


def test_a_certificate_that_nobody_knows(machine: Host, tmp_path: Path) -> None:
    set_key(CANARY, machine.root)
    with tls_server(*certificate(tmp_path / "tls", "IP:127.0.0.1")) as port:
        found = said(upload(f"https://127.0.0.1:{port}"), machine)["API"]
    assert found.level is Level.FAULT
    assert "certificate" in found.what
    assert "certificates" in found.do


def test_a_proxy_of_the_environment_is_told_not_taken(
    api: FaultServer, machine: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{CANARY}@127.0.0.1:1")
    set_key(KEY, machine.root)
    found = said(upload(api.url), machine)
    assert found["proxy"].level is Level.WARNING
    assert found["key"].level is Level.OK
    assert "proxy" not in said(upload("https://127.0.0.1:1", 'proxy = "http://127.0.0.1:1"'), machine)


def test_without_an_endpoint_nothing_is_asked(machine: Host) -> None:
    assert said(Config(), machine)["upload"].level is Level.OK


# -- the service's own key -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "short", f"{CANARY}\nsecond\n", f"{CANARY} x"])
def test_what_is_no_key(content: str, machine: Host) -> None:
    file = set_key(CANARY, machine.root)
    file.write_text(content)
    found = said(upload("https://127.0.0.1:1"), machine)["key"]
    assert found.level is Level.FAULT
    assert "not one line of 8 to 256" in found.what
    assert found.do == f"sudo oesd key set, then: {RESTART}"


@as_root
def test_a_sealed_key_and_one_that_cannot_be_unsealed_here(machine: Host) -> None:
    text = _sealed(CANARY, must=False)
    if text is None:
        pytest.skip("systemd-creds seals nothing here")
    sealed = machine.at(str(ENCRYPTED))
    sealed.parent.mkdir(parents=True)
    sealed.write_text(text)
    key = service_key(Config(), machine)
    assert key is not None
    assert key.reveal() == CANARY
    sealed.write_text("c2VhbGVkIGVsc2V3aGVyZQ==\n")
    found = said(upload("https://127.0.0.1:1"), machine)["key"]
    assert found.level is Level.FAULT
    assert "cannot be unsealed on this machine" in found.what
    assert found.do == f"sudo oesd key set, then: {RESTART}"


# -- a key file of the site's own ----------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    return file


def test_the_service_user_is_known_by_its_name(machine: Host, tmp_path: Path) -> None:
    assert service_user(machine) == 12345
    assert service_user(Host(tmp_path / "elsewhere")) is None
    machine.at("/etc/passwd").write_text("oesd2:x:1:1::/:/bin/false\noesd:broken\n")
    assert service_user(machine) is None


@as_root
def test_a_key_file_of_the_service_user_is_well(api: FaultServer, machine: Host, own: Path) -> None:
    os.chown(own, 12345, 12345)
    assert said(upload(api.url, f'key_file = "{own}"'), machine)["key"].level is Level.OK


@as_root
@pytest.mark.parametrize(("uid", "mode", "why"), [(0, 0o600, "cannot read it"), (777, 0o600, "owned by user 777"),
                                                  (12345, 0o644, "mode 0644")])  # fmt: skip
def test_a_key_file_that_is_not_the_services(uid: int, mode: int, why: str, machine: Host, own: Path) -> None:
    os.chown(own, uid, uid)
    own.chmod(mode)
    found = said(upload("https://127.0.0.1:1", f'key_file = "{own}"'), machine)["key"]
    assert found.level is Level.FAULT
    assert why in found.what
    assert f"sudo chown oesd {own} && sudo chmod 600 {own}" in found.do
    assert RESTART in found.do


def test_a_key_file_that_is_absent_is_not_what_key_set_writes(machine: Host, own: Path) -> None:
    own.unlink()
    found = said(upload("https://127.0.0.1:1", f'key_file = "{own}"'), machine)["key"]
    assert f"write the key into {own}, or take [upload] key_file out" in found.do


# -- check-config --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (CANARY, 0o600, "good"),
        (None, 0o600, "good"),  # none yet: the daemon measures
        (f"{CANARY}\nx", 0o600, "line 3: upload.key_file: API key file"),
        (CANARY, 0o644, "mode 0644"),
    ],
)
def test_check_config_judges_the_key(content: str | None, mode: int, said: str, tmp_path: Path) -> None:
    key, file = tmp_path / "key", tmp_path / "oesd.toml"
    if content is not None:
        key.write_text(content)
        key.chmod(mode)
        user = service_user(Host())
        if os.geteuid() == 0 and user:
            os.chown(key, user, -1)
    file.write_text(f'[upload]\nendpoint = "https://127.0.0.1:1"\nkey_file = "{key}"\n')
    done = CliRunner().invoke(check_config, [str(file)])
    assert done.exit_code == (0 if said == "good" else 2)
    assert said in done.output
    assert CANARY not in done.output
