"""The unit under systemd's own checker, the udev rules against the table of ids, the user, the drop-in."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import seabreeze.pyseabreeze.devices  # noqa: F401  # fills the transport's table of ids
from seabreeze.pyseabreeze.transport import USBTransport

SYSTEMD = Path(__file__).resolve().parents[3] / "systemd"
UNIT, RULES = SYSTEMD / "oesd.service", SYSTEMD / "60-oesd-spectrometers.rules"
UNITS = ["oesd.service", "oesd-key.service", "oesd-hub.service"]
HOST_UNITS = Path("/usr/lib/systemd/system")
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or not HOST_UNITS.is_dir(), reason="no systemd-analyze on this machine"
)

OCEAN = (
    "1002 1004 1006 100a 100c 1010 1012 1014 1016 1018 101e 1022 1024 1026 1028 102a 102c 1030 1040 1044 1046 104b "
    "2000 2001 2003 4000 4004 4200 5000"
)
IDS = {
    *(("2457", product) for product in OCEAN.split()),
    *(("0999", f"100{i}") for i in range(7)),
    ("184c", "0000"),
}
BLANK_CYPRESS = {("0547", "2131"), ("0547", "2235"), ("04b4", "8613")}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory with the units of this machine, ours, and stubs of the programs they start."""
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    shutil.copytree(HOST_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    for program in ("opt/oesd/bin/oesd", "bin/kill", "bin/sh"):
        stub = tmp_path / program
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("#!/bin/sh\n")
        stub.chmod(0o755)
    for unit in UNITS:
        shutil.copy(SYSTEMD / unit, units)
    return tmp_path


def verify(root: Path, unit: str = UNIT.name) -> subprocess.CompletedProcess[str]:
    return run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={root}", unit)


def test_these_are_all_units() -> None:
    assert {path.name for path in SYSTEMD.glob("*.service")} == set(UNITS)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_verify_is_silent(root, unit):
    found = verify(root, unit)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@needs_systemd
def test_verify_is_silent_with_the_drop_in(root):
    drop_ins = root / "etc/systemd/system/oesd.service.d"
    drop_ins.mkdir()
    shutil.copy(SYSTEMD / "loopback-only.conf", drop_ins)
    found = verify(root)
    assert (found.returncode, found.stderr) == (0, "")


@needs_systemd
def test_verify_would_not_be_silent_on_a_typing_error(root):
    unit = root / "etc/systemd/system/oesd.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=30s", "WatchdogSecs=30s"))
    assert "Unknown key" in verify(root).stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("threshold", "passes"), [(15, True), (5, False)])
def test_exposure_is_at_most_1_5(unit, threshold, passes):
    found = run("systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}", SYSTEMD / unit)
    assert (found.returncode == 0) is passes, found.stdout[-300:]


def unit_values(path: Path) -> list[tuple[str, str]]:
    lines = (line for line in path.read_text().splitlines() if line and line[0] not in "#[")
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("ExecStart", "/opt/oesd/bin/oesd run --config /etc/oesd/oesd.toml"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("Restart", "always"),
        ("RestartSec", "1s"),
        ("RuntimeDirectory", "oesd"),
        ("RuntimeDirectoryPreserve", "restart"),
        ("KillMode", "control-group"),
        ("OOMPolicy", "continue"),
        ("LimitCORE", "0"),
        ("StartLimitIntervalSec", "0"),
        ("User", "oesd"),
        ("StateDirectory", "oesd"),
        ("StateDirectoryMode", "0700"),
        ("LoadCredential", "api-key:/run/oesd-key/api-key"),
        ("DeviceAllow", "char-usb_device rw"),
        ("DevicePolicy", "closed"),
    ],
)
def test_what_the_daemon_relies_on(key, value):
    assert (key, value) in unit_values(UNIT)


def test_a_site_without_a_key_starts_and_its_placeholder_is_no_key():
    fallback = dict(unit_values(UNIT))["SetCredential"]
    name, _, value = fallback.partition(":")
    assert name == "api-key"
    assert re.fullmatch(r"[\x21-\x7e]{8,256}", value) is None


def test_the_unit_leaves_the_network_and_usb_open():
    keys = dict(unit_values(UNIT))
    assert not {"IPAddressDeny", "PrivateNetwork", "PrivateDevices", "ProcSubset"} & set(keys)
    assert keys["RestrictAddressFamilies"].split() == ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"]


def test_the_drop_in_denies_all_but_loopback():
    drop_in = configparser.ConfigParser()
    drop_in.optionxform = str  # type: ignore[assignment,method-assign]
    drop_in.read(SYSTEMD / "loopback-only.conf")
    assert dict(drop_in["Service"]) == {"IPAddressDeny": "any", "IPAddressAllow": "localhost"}


def test_sysusers_makes_the_user_of_the_unit():
    lines = [line for line in (SYSTEMD / "oesd.sysusers").read_text().splitlines() if line and line[0] != "#"]
    assert lines == ['u oesd - "OES daemon" /var/lib/oesd']


def rule_lines() -> list[str]:
    return [line for line in RULES.read_text().splitlines() if line and not line.startswith("#")]


def ids_in_rules() -> list[tuple[str, str]]:
    form = re.compile(
        r'ATTR\{idVendor\}=="([0-9a-f]{4})", ATTR\{idProduct\}=="([0-9a-f]{4})", ENV\{OESD_MODEL\}="[^"]+"'
    )
    return [match.groups() for line in rule_lines() if (match := form.fullmatch(line))]  # type: ignore[misc]


def test_rules_name_every_id_once_and_no_blank_chip():
    found = ids_in_rules()
    assert len(found) == len(set(found))
    assert set(found) == IDS
    assert not set(found) & BLANK_CYPRESS


def test_rules_name_every_id_that_seabreeze_opens():
    opened = {(f"{vendor:04x}", f"{product:04x}") for vendor, product in USBTransport.vendor_product_ids}
    assert len(opened) > 25
    assert opened - BLANK_CYPRESS <= set(ids_in_rules())


def test_every_other_rule_is_one_of_these():
    others = [line for line in rule_lines() if 'OESD_MODEL}="' not in line or "ATTR" not in line]
    assert others == [
        'ACTION=="remove", GOTO="oesd_end"',
        'SUBSYSTEM!="usb", GOTO="oesd_end"',
        'ENV{DEVTYPE}!="usb_device", GOTO="oesd_end"',
        'ENV{OESD_MODEL}!="", GROUP="oesd", MODE="0660", TAG+="systemd", ENV{SYSTEMD_WANTS}+="oesd.service"',
        'LABEL="oesd_end"',
    ]


def udev_verifies() -> bool:
    return shutil.which("udevadm") is not None and run("udevadm", "verify", "--help").returncode == 0  # systemd >= 254


@pytest.mark.skipif(not udev_verifies(), reason="no udevadm verify on this machine")
def test_udev_takes_the_rules():
    found = run("udevadm", "verify", "--resolve-names=never", RULES)
    assert found.returncode == 0, found.stdout + found.stderr
