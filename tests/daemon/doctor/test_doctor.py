"""What the doctor says of machines that are built in a folder: a line for each trouble, with the next command."""

import json
import os
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from oesd.cli.doctor import doctor, report
from oesd.config import Config, parse_config
from oesd.doctor import Finding, Host, Level
from oesd.doctor.bundle import blotted
from oesd.doctor.bus import bus, rules
from oesd.doctor.finding import every, ok
from oesd.doctor.network import network
from oesd.doctor.settings import settings
from oesd.doctor.storage import _kind, storage
from oesd.doctor.unit import service
from oesd.host import install, installation, set_key
from oesd.host.plan import RULES, Plan
from oesd_drivers.errors import GiveUp, Retry
from oesd_drivers.spectrometer import Address
from oesd_drivers.usb import Plugged

HERE = Plugged(Address(1, 7, 0x2457, 0x101E, "1-2"), "USB2000+")
CANARY = "canary-0123456789"


def levels(findings) -> list[tuple[str, Level]]:
    return [(f.subject, f.level) for f in findings]


def sole(findings, level: Level) -> Finding:
    (found,) = [f for f in findings if f.level is level]
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Host:
    """A machine with the service's files, one spectrometer's node that nobody of the service may open, no process."""
    install(Plan(installation().files, ()), tmp_path, lambda _: None)
    node = tmp_path / "dev/bus/usb/001/007"
    node.parent.mkdir(parents=True)
    node.write_bytes(b"")
    node.chmod(0o600)
    (tmp_path / "proc").mkdir()
    return Host(tmp_path)


# -- USB -----------------------------------------------------------------------------------------------------------


def test_a_node_that_the_service_may_not_open_says_how_to_apply_the_rules(machine: Host) -> None:
    found = sole(bus(machine, lambda _: [HERE]), Level.FAULT)
    assert "mode 0600" in found.what
    assert "udevadm trigger" in found.do


def test_a_node_that_everybody_may_write_is_warned_of(machine: Host) -> None:
    machine.at("/dev/bus/usb/001/007").chmod(0o666)
    assert "everybody may write" in sole(bus(machine, lambda _: [HERE]), Level.WARNING).what


def test_who_holds_it_is_named_with_its_number(machine: Host) -> None:
    node = machine.at("/dev/bus/usb/001/007")
    worker = b"/opt/oesd/bin/python\0-P\0-m\0oesd_drivers.worker\0009"
    for number, words, parent in (
        (4200, b"/opt/oesd/bin/python3\0/opt/oesd/bin/oesd\0run\0--config\0/etc/oesd/oesd.toml", 1),
        (4201, b"python3\0-m\0ipykernel", 1),
        (4242, b"/opt/OceanView/OceanView\0-x", 1),
        (4243, worker, 4200),
        (4244, worker, 4201),
    ):
        process = machine.at(f"/proc/{number}")
        (process / "fd").mkdir(parents=True)
        if number > 4201:
            (process / "fd/9").symlink_to(node)
        (process / "cmdline").write_bytes(words)
        (process / "status").write_text(f"Name:\tx\nPid:\t{number}\nPPid:\t{parent}\n")
    machine.at("/proc/1").mkdir()
    machine.at("/proc/1/cmdline").write_bytes(b"/sbin/init\0")
    held = [f for f in bus(machine, lambda _: [HERE]) if "has it open" in f.what]
    assert sorted(f.do for f in held) == ["end that program: kill 4242", "end that program: kill 4244"]
    assert any("OceanView" in f.what for f in held)


def test_none_plugged_in_is_no_fault(machine: Host) -> None:
    assert levels(bus(machine, lambda _: [])) == [
        ("udev rules", Level.OK), ("libusb", Level.OK), ("spectrometers", Level.WARNING),
    ]  # fmt: skip


@pytest.mark.parametrize("error", [GiveUp("libusb 1.0 was not found"), Retry("the list could not be read")])
def test_no_usb_is_one_fault(machine: Host, error: Exception) -> None:
    def fails(_: str) -> list[Plugged]:
        raise error

    assert sole(bus(machine, fails), Level.FAULT).what == str(error)


def test_rules_absent_old_and_undone_by_others(machine: Host) -> None:
    ours = machine.at(str(RULES))
    assert levels(rules(machine)) == [("udev rules", Level.OK)]
    ours.write_text("# of an older version\n")
    assert "not the one of this version" in sole(rules(machine), Level.WARNING).what
    ours.unlink()
    assert sole(rules(machine), Level.WARNING).do == "sudo oesd install-service"
    other = machine.at("/usr/lib/udev/rules.d/10-oceanoptics.rules")
    other.parent.mkdir(parents=True)
    other.write_text('ATTR{idVendor}=="2457", ATTR{idProduct}=="101e", MODE:="0666"\n')
    assert any(f.do.startswith(f"sudo rm {other}") for f in rules(machine))


# -- the service ---------------------------------------------------------------------------------------------------

GOOD = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "NRestarts": "0",
    "WatchdogUSec": "30s", "StatusText": "measuring 2/2", "NeedDaemonReload": "no",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "level", "do"),
    [
        ({}, None, ""),
        ({"LoadState": "not-found"}, Level.WARNING, "sudo oesd install-service"),
        ({"LoadState": "masked"}, Level.FAULT, "systemctl unmask oesd.service"),
        ({"ActiveState": "failed", "Result": "exit-code"}, Level.FAULT, "journalctl -u oesd"),
        ({"ActiveState": "activating"}, Level.WARNING, "journalctl -u oesd"),
        ({"NRestarts": "3"}, Level.WARNING, "journalctl -u oesd"),
        ({"UnitFileState": "disabled"}, Level.WARNING, "sudo systemctl enable oesd.service"),
        ({"WatchdogUSec": "infinity"}, Level.WARNING, "sudo oesd install-service"),
        ({"NeedDaemonReload": "yes"}, Level.WARNING, "sudo systemctl daemon-reload"),
    ],
)
def test_the_state_of_the_unit(change: dict[str, str], level: Level | None, do: str, machine: Host) -> None:
    machine.at("/run/systemd/system").mkdir(parents=True)
    found = list(service(machine, lambda: GOOD | change))
    if level is None:
        assert {f.level for f in found} == {Level.OK}
        assert any("measuring 2/2" in f.what for f in found)
    else:
        assert do in sole([f for f in found if f.level is not Level.OK], level).do


def test_without_systemd_it_says_so(machine: Host) -> None:
    assert "systemd does not run here" in sole(service(machine, dict), Level.WARNING).what


# -- data, configuration, network ----------------------------------------------------------------------------------


def on(path: Path, text: str = "") -> Config:
    return parse_config(f'data_dir = "{path}"\n{text}', "test")


def mounts(host: Host, *lines: str) -> None:
    host.at("/proc/self").mkdir(parents=True)
    host.at("/proc/self/mountinfo").write_text("".join(line + "\n" for line in lines))


def test_a_disk_of_this_machine_is_well(machine: Host, tmp_path: Path) -> None:
    mounts(machine, "1 0 8:1 / / rw - ext4 /dev/sda1 rw")
    found = list(storage(on(tmp_path), machine))
    assert {f.subject for f in found} == {"data", "sync", "room"}
    assert not list(tmp_path.glob("tmp*")), "what was written to try the disk is gone"


@pytest.mark.parametrize(("kind", "level"), [("nfs4", Level.FAULT), ("tmpfs", Level.WARNING), ("ext4", Level.OK)])
def test_the_file_system_under_the_data(kind: str, level: Level, machine: Host, tmp_path: Path) -> None:
    mounts(machine, "1 0 8:1 / / rw - ext4 /dev/sda1 rw", f"2 1 0:9 / {tmp_path} rw shared:1 - {kind} there rw")
    assert next(iter(storage(on(tmp_path), machine))).level is level


def test_the_deepest_mount_counts_and_spaces_are_escaped() -> None:
    text = "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - xfs b rw\n3 1 8:3 / /my\\040disk rw - btrfs c rw\n"
    assert _kind(text, Path("/data/oesd")) == "xfs"
    assert _kind(text, Path("/database")) == "ext4"
    assert _kind(text, Path("/my disk/x")) == "btrfs"


def test_little_room_is_told_in_days(machine: Host, tmp_path: Path) -> None:
    mounts(machine, "1 0 8:1 / / rw - ext4 /dev/sda1 rw")
    fast = on(tmp_path, '[capture]\nevery = "1 ms"\nintegration = "1 ms"\n[store]\nmax_size = "1 GB"')
    found = [f for f in storage(fast, machine) if f.subject == "room"]
    assert "1000 spectra a second" in found[0].what
    assert "on_full" in found[0].do


def test_configurations(tmp_path: Path) -> None:
    file = tmp_path / "oesd.toml"
    assert settings(file)[1][0].level is Level.WARNING
    file.write_text("[capture]\nevry = 1")
    config, (found,) = settings(file)
    assert config is None
    assert found.level is Level.FAULT
    assert "line 2" in found.what
    assert f"oesd check-config {file}" in found.do
    file.write_text(
        '[upload]\nendpoint = "https://example.org"\nkey_file = "/home/me/key"\n[simulation]\nenabled = true'
    )
    said = " ".join(f.what for f in settings(file)[1])
    assert "no real spectrometer is measured" in said
    assert "does not see /home" in said


def test_an_endpoint_without_a_key_says_which_command_sets_it(machine: Host) -> None:
    config = parse_config('[upload]\nendpoint = "https://127.0.0.1:1/"', "test")
    found = sole(network(config, machine), Level.FAULT)
    assert (found.subject, found.do) == ("key", "sudo oesd key set")


def test_an_api_that_does_not_answer_is_named_and_the_key_is_not(machine: Host) -> None:
    set_key(CANARY, machine.root)
    config = parse_config('[upload]\nendpoint = "https://127.0.0.1:1/"', "test")
    found = sole(network(config, machine), Level.FAULT)
    assert found.subject == "API"
    assert CANARY not in found.what + found.do


def test_a_check_that_fails_does_not_end_the_others() -> None:
    def fails() -> list[Finding]:
        raise PermissionError(13, "Permission denied")

    found = list(every([("one", fails), ("two", lambda: [ok("two", "well")])]))
    assert levels(found) == [("one", Level.WARNING), ("two", Level.OK)]
    assert "Permission denied" in found[0].what


# -- the commands --------------------------------------------------------------------------------------------------


def test_the_command_ends_with_status_1_at_a_fault_and_speaks_json(tmp_path: Path) -> None:
    file = tmp_path / "oesd.toml"
    file.write_text("nonsense")
    done = CliRunner().invoke(doctor, ["--config", str(file), "--json"])
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert {"subject", "level", "what", "do"} == set(found[0])
    assert any(f["subject"] == "configuration" and f["level"] == "fault" for f in found)


def test_a_report_holds_no_secret_and_never_overwrites(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "api-token").write_text("local-token-canary\n")
    key = tmp_path / "key"
    key.write_text(CANARY)
    key.chmod(0o600)
    file, target = tmp_path / "oesd.toml", tmp_path / "report.tar.gz"
    file.write_text(
        f'data_dir = "{data}"\n# {CANARY} local-token-canary\n'
        f'[upload]\nendpoint = "https://127.0.0.1:1/"\nkey_file = "{key}"\nproxy = "http://user:word-canary@127.0.0.1:1"\n'
    )
    done = CliRunner().invoke(report, ["--config", str(file), "--to", str(target)])
    assert done.exit_code == 0, done.output
    assert os.stat(target).st_mode & 0o777 == 0o600
    with tarfile.open(target) as bundle:
        texts = {m.name: bundle.extractfile(m).read().decode() for m in bundle.getmembers()}  # type: ignore[union-attr]
    assert "oesd-report/doctor.json" in texts
    assert f'data_dir = "{data}"' in texts["oesd-report/configuration.toml"]
    assert not [name for name, text in texts.items() if "canary" in text]
    again = CliRunner().invoke(report, ["--config", str(file), "--to", str(target)])
    assert again.exit_code == 2
    assert "exists already" in again.output


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("proxy = http://me:pass@host:1", "proxy = http://***@host:1"),
        ("X-API-KEY: abcdefgh12", "X-API-KEY: ***"),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ('smtp_password = "hunter2"', 'smtp_password = "***"'),
        ('key_file = "/etc/oesd/key"', 'key_file = "/etc/oesd/key"'),
        ("elements = [Ga]", "elements = [Ga]"),
    ],
)
def test_what_is_blotted_out(text: str, left: str) -> None:
    assert blotted(text, []) == left
