"""What the doctor says of machines that are built in a folder: a line for each trouble, with the next command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from oesd.cli.doctor import doctor
from oesd.config import Config, parse_config
from oesd.doctor import Finding, Host, Level
from oesd.doctor.bus import bus, rules
from oesd.doctor.clock import clock
from oesd.doctor.finding import every, ok
from oesd.doctor.network import _answers, network
from oesd.doctor.redaction import shown_configuration
from oesd.doctor.running import daemon
from oesd.doctor.settings import settings
from oesd.doctor.storage import _kind, storage
from oesd.doctor.unit import service
from oesd.host import install, installation, set_key
from oesd.host.asking import Answer, NoAnswer
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
    older = sole(rules(machine), Level.WARNING)
    assert "not the one of this version" in older.what
    # The service's own program is another than this one, by the unit in that folder: what is older is not known.
    assert older.do == "sudo /opt/oesd/bin/oesd doctor"
    machine.at("/etc/systemd/system/oesd.service").unlink()
    assert sole(rules(machine), Level.WARNING).do == "sudo oesd install-service"
    ours.unlink()
    assert sole(rules(machine), Level.WARNING).do == "sudo oesd install-service"


OPEN = 'MODE="0666"'


@pytest.mark.parametrize(
    "rule",
    [
        'ATTR{idVendor}=="2457", ATTR{idProduct}=="101e", MODE:="0666"',
        f'ATTRS{{idVendor}}=="0999", {OPEN}',
        f'ATTR{{idVendor}}=="184C", {OPEN}',
        'ATTR{idVendor}=="2457", MODE="0777"',
        'ATTR{idVendor}=="2457", MODE="0662"',
        'ATTR{idVendor}=="2457", MODE="666"',
        'ATTR{idVendor}=="2457", \\\n  ATTR{idProduct}=="101e", \\\n  MODE="0666"',
        f'ATTR{{idVendor}}=="1234|2457", {OPEN}',
        f'ATTR{{idVendor}}=="24*", {OPEN}',
        f'ENV{{ID_VENDOR_ID}}=="2457", {OPEN}',
        f'SUBSYSTEM=="usb", {OPEN}',
        f'SUBSYSTEM=="usb", ENV{{DEVTYPE}}=="usb_device", {OPEN}',
    ],
)
def test_a_rule_of_others_that_lets_everybody_write(rule: str, machine: Host) -> None:
    other = machine.at("/etc/udev/rules.d/10-oceanoptics.rules")
    other.write_text(rule + "\n")
    found = sole(rules(machine), Level.WARNING)
    assert "lets everybody write" in found.what
    assert found.do.startswith(f"sudo rm {other}, then: sudo udevadm control --reload")


@pytest.mark.parametrize(
    "rule",
    [
        'ATTR{idVendor}=="2457", MODE="0660", GROUP="lab"',
        f'#ATTR{{idVendor}}=="2457", {OPEN}',
        f'ATTR{{idVendor}}=="1d6b", {OPEN}',
        f'KERNEL=="fuse", {OPEN}',
        f'SUBSYSTEM=="usb", ATTRS{{product}}=="Logic Analyser", {OPEN}',
        f'SUBSYSTEM=="usb", ENV{{ID_DEBUG_APPLIANCE}}=="?*", {OPEN}',
    ],
)
def test_a_rule_of_others_that_is_none_of_our_business(rule: str, machine: Host) -> None:
    machine.at("/etc/udev/rules.d/10-other.rules").write_text(rule + "\n")
    assert levels(rules(machine)) == [("udev rules", Level.OK)]


def test_a_distributions_rules_are_told_once_and_switched_off_where_its_package_does_not_bring_them_back(
    machine: Host,
) -> None:
    theirs = machine.at("/usr/lib/udev/rules.d/10-oceanoptics.rules")
    theirs.parent.mkdir(parents=True)
    theirs.write_text('ATTR{idVendor}=="2457", MODE="0666"\n')
    machine.at("/lib").symlink_to("usr/lib")  # as everywhere today: the same file by two names
    found = sole(rules(machine), Level.WARNING)
    assert found.do.startswith("sudo ln -s /dev/null /etc/udev/rules.d/10-oceanoptics.rules, then: ")
    machine.at("/etc/udev/rules.d/10-oceanoptics.rules").symlink_to("/dev/null")
    assert levels(rules(machine)) == [("udev rules", Level.OK)]


# -- the service ---------------------------------------------------------------------------------------------------

GOOD = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "NRestarts": "0",
    "WatchdogUSec": "30s", "StatusText": "measuring 2/2", "NeedDaemonReload": "no",
    "FragmentPath": "/etc/systemd/system/oesd.service",
}  # fmt: skip
IDLE = GOOD | {"ActiveState": "inactive", "SubState": "dead", "UnitFileState": "disabled", "Result": "success"}


def shows(
    change: dict[str, str], hub: dict[str, str] = IDLE, key: str = "inactive"
) -> Callable[[str], Mapping[str, str]]:
    states = {"oesd.service": GOOD | change, "oesd-hub.service": hub}
    return lambda unit: states.get(unit, {"LoadState": "loaded", "ActiveState": key})


@pytest.mark.parametrize(
    ("change", "level", "do"),
    [
        ({}, None, ""),
        ({"LoadState": "not-found"}, Level.WARNING, "sudo oesd install-service"),
        ({"LoadState": "masked"}, Level.FAULT, "systemctl unmask oesd.service"),
        ({"ActiveState": "failed", "Result": "exit-code"}, Level.FAULT, "journalctl -u oesd"),
        ({"ActiveState": "activating", "StatusText": ""}, Level.WARNING, "journalctl -u oesd"),
        ({"ActiveState": "activating", "StatusText": "did not start"}, Level.FAULT, "journalctl -u oesd"),
        ({"ActiveState": "reloading"}, Level.WARNING, "journalctl -u oesd"),
        ({"NRestarts": "3"}, Level.WARNING, "journalctl -u oesd"),
        ({"UnitFileState": "disabled"}, Level.WARNING, "sudo systemctl enable oesd.service"),
        ({"WatchdogUSec": "infinity"}, Level.WARNING, "sudo oesd install-service"),
        ({"NeedDaemonReload": "yes"}, Level.WARNING, "sudo systemctl daemon-reload"),
    ],
)
def test_the_state_of_the_unit(change: dict[str, str], level: Level | None, do: str, machine: Host) -> None:
    machine.at("/run/systemd/system").mkdir(parents=True)
    found = list(service(machine, shows(change), machine.at("/opt/oesd")))
    if level is None:
        assert {f.level for f in found} == {Level.OK}
        assert any("measuring 2/2" in f.what for f in found)
    else:
        assert do in sole([f for f in found if f.level is not Level.OK], level).do


def test_without_systemd_it_says_so(machine: Host) -> None:
    assert "systemd does not run here" in sole(service(machine, shows({})), Level.WARNING).what


def test_a_unit_of_another_version_or_of_another_program(machine: Host) -> None:
    machine.at("/run/systemd/system").mkdir(parents=True)
    unit = machine.at("/etc/systemd/system/oesd.service")
    unit.write_text(unit.read_text() + "# of an older version\n")
    own = sole(service(machine, shows({}), machine.at("/opt/oesd")), Level.WARNING)
    assert (own.what, own.do) == (f"{unit} is not the one of this version", "sudo oesd install-service")
    other = sole(service(machine, shows({}), machine.at("/opt/oesd-2")), Level.WARNING)
    assert other.what == f"it runs /opt/oesd/bin/oesd, this is {machine.at('/opt/oesd-2')}/bin/oesd"
    assert other.do == "sudo /opt/oesd/bin/oesd doctor"
    machine.at("/opt/oesd-2").mkdir(parents=True)
    machine.at("/opt/oesd").symlink_to("oesd-2")
    assert (
        "not the one of this version"
        in sole(service(machine, shows({}), machine.at("/opt/oesd-2")), Level.WARNING).what
    )


def test_a_key_that_could_not_be_handed_over(machine: Host) -> None:
    machine.at("/run/systemd/system").mkdir(parents=True)
    found = sole(service(machine, shows({}, key="failed"), machine.at("/opt/oesd")), Level.FAULT)
    assert (found.subject, found.what) == ("key", "oesd-key.service failed: the service measures without it")
    assert "oesd key set" in found.do


def test_on_a_sites_hub_the_hub_is_looked_at(machine: Host) -> None:
    machine.at("/run/systemd/system").mkdir(parents=True)
    hub = GOOD | {"StatusText": "hub at", "FragmentPath": "/etc/systemd/system/oesd-hub.service"}
    found = list(service(machine, shows(IDLE, hub), machine.at("/opt/oesd")))
    assert {f.level for f in found} == {Level.OK}
    failed = sole(service(machine, shows(IDLE, hub | {"ActiveState": "failed"}), machine.at("/opt/oesd")), Level.FAULT)
    assert failed.do == "journalctl -u oesd-hub -n 50, then: sudo systemctl start oesd-hub.service"
    both = [f.what for f in service(machine, shows({}, hub), machine.at("/opt/oesd"))]
    assert {"active: measuring 2/2", "active: hub at"} <= set(both)


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


@pytest.mark.parametrize(
    ("took_s", "level", "said"),
    [
        (2e-6, Level.WARNING, "faster than a disk can be"),
        (0.25, Level.WARNING, "more than 4 spectra a second wait"),
        (2e-3, Level.OK, "2 ms"),
    ],
)
def test_how_long_a_sync_takes(took_s: float, level: Level, said: str, machine: Host, tmp_path: Path) -> None:
    mounts(machine, "1 0 8:1 / / rw - ext4 /dev/sda1 rw")
    (found,) = [f for f in storage(on(tmp_path), machine, lambda _: [took_s, took_s, 9.0]) if f.subject == "sync"]
    assert found.level is level
    assert said in found.what


@pytest.mark.parametrize(
    ("store", "level", "said"),
    [
        ('min_free = "900 TB"', Level.FAULT, "less than [store] min_free: nothing is taken in"),
        ('max_size = "100 MB"', Level.FAULT, "fills [store] max_size: nothing is taken in"),
        ('max_size = "100 MB"\non_full = "drop_confirmed"', Level.OK, "GB free"),
        ('max_size = "100 MB"\nfull_rate = "1 d"', Level.OK, "GB free"),
        ('max_size = "400 MB"', Level.WARNING, "about 0 days at 100 spectra a second"),
    ],
)
def test_how_much_room_there_is(store: str, level: Level, said: str, machine: Host, tmp_path: Path) -> None:
    mounts(machine, "1 0 8:1 / / rw - ext4 /dev/sda1 rw")
    data = tmp_path / "data"
    data.mkdir()
    with (data / "segment").open("wb") as file:
        file.truncate(150_000_000)  # a hole, which costs nothing
    config = on(data, f'[capture]\nevery = "10 ms"\nintegration = "5 ms"\n[store]\n{store}')
    (found,) = [f for f in storage(config, machine) if f.subject == "room"]
    assert found.level is level, found
    assert said in found.what


# -- the clock and the daemon --------------------------------------------------------------------------------------


def answers(text: str) -> Callable[[Sequence[str]], Answer]:
    return lambda _: Answer(0, text, "")


def nobody(_: Sequence[str]) -> Answer:
    raise NoAnswer("timedatectl is not on this system")


@pytest.mark.parametrize(
    ("year", "ask", "level", "said"),
    [
        (2027, answers("yes\n"), Level.OK, "kept by the network"),
        (2027, answers("no\n"), Level.WARNING, "kept by nobody"),
        (2027, answers("n/a\n"), Level.OK, "does not say"),
        (2027, nobody, Level.OK, "does not say"),
        (1970, answers("yes\n"), Level.WARNING, "it says 1970-01-01, which is past"),
    ],
)
def test_clocks(year: int, ask: Callable[[Sequence[str]], Answer], level: Level, said: str) -> None:
    (found,) = clock(datetime(year, 1, 1, tzinfo=UTC), ask)
    assert found.level is level
    assert said in found.what
    assert found.do == ("" if level is Level.OK else "sudo timedatectl set-ntp true")


NOTE = {"text": "a dark is due", "level": 1}
UNIT = {"name": "a", "model": "USB2000+", "serial": "S1", "line": "measuring", "notes": [{"text": "x", "level": 0}]}
WELL = {
    "spectrometers": [UNIT], "problems": {}, "late": [], "day": {"lost": {}, "due": 10, "stored": 10}, "store": "",
    "upload": {"state": "ok"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "subject", "level", "said"),
    [
        ({"spectrometers": [UNIT | {"notes": [NOTE]}]}, "measuring", Level.WARNING, "a dark is due"),
        ({"problems": {"1-2": "permission denied"}}, "measuring", Level.FAULT, "1-2: permission denied"),
        ({"late": ["store"]}, "daemon", Level.FAULT, "its store thread does not answer"),
        ({"day": {"lost": {"device gone": 3}, "due": 10, "stored": 7}}, "slots", Level.WARNING, "3 of 10 were lost"),
        ({"store": "the disk is full"}, "storing", Level.FAULT, "the disk is full"),
        ({"upload": {"state": "no key", "blocked": "why"}}, "forwarding", Level.FAULT, "no key: why"),
        ({"upload": {"state": "waiting", "last_error": "x"}}, "forwarding", Level.FAULT, "waiting: x"),
    ],
)
def test_what_the_daemon_says_of_itself(change: dict, subject: str, level: Level, said: str) -> None:
    assert {f.level for f in daemon(Config(), lambda _: WELL)} == {Level.OK}
    found = sole([f for f in daemon(Config(), lambda _: WELL | change) if f.level is not Level.OK], level)
    assert found.subject == subject
    assert said in found.what


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "none answers"),
        ({"detail": "not found"}, "is another program"),
        ({"spectrometers": []}, "of another version"),
        (WELL | {"spectrometers": [{"name": "a"}]}, "of another version"),
        (WELL | {"day": None}, "of another version"),
        (WELL | {"spectrometers": 7}, "of another version"),
    ],
)
def test_a_daemon_that_is_none_or_of_another_version_is_one_line(state: dict | None, said: str) -> None:
    (found,) = daemon(Config(), lambda _: state)
    assert (found.subject, found.level) == ("daemon", Level.WARNING)
    assert said in found.what
    assert found.do


def test_of_a_broken_configuration_what_is_good_counts(tmp_path: Path) -> None:
    file = tmp_path / "oesd.toml"
    for text, endpoint in (
        (f'data_dir = "{tmp_path}"\n[upload]\nendpoint = "https://a.b"\n[capture]\nevry = 1', "https://a.b"),
        (f'data_dir = "{tmp_path}"\n[upload]\nendpoint = "https://a.b"\nkey = "x"', ""),
        (f'data_dir = "{tmp_path}"\n[upload\nendpoint = "https://a.b"', ""),
    ):
        file.write_text(text)
        config, (found,) = settings(file)
        assert found.level is Level.FAULT
        assert config.data_dir == tmp_path
        assert config.upload.endpoint == endpoint


def test_configurations(tmp_path: Path) -> None:
    file = tmp_path / "oesd.toml"
    assert settings(file)[1][0].level is Level.WARNING
    file.write_text("[capture]\nevry = 1")
    config, (found,) = settings(file)
    assert config == Config()
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
    assert (found.subject, found.do) == ("key", "sudo oesd key set, then: sudo systemctl restart oesd")


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
    assert {"data", "daemon", "service", "clock"} <= {f["subject"] for f in found}, (
        "the others are looked at all the same"
    )
    assert "upload" not in {f["subject"] for f in found}, "whether there is an endpoint is not known"


BROKEN = [
    "x = " + "[" * 3000,
    "port = " + "1" * 5000,
    '[capture]\nevery = "' + "9" * 500 + ' s"',
    "\ufeff[web]\nport = 0",
]


@pytest.mark.parametrize("text", BROKEN)
def test_whatever_the_file_holds_it_is_looked_over_and_packed(text: str, tmp_path: Path) -> None:
    file = tmp_path / "oesd.toml"
    file.write_text(f'data_dir = "{tmp_path}"\n{text}')
    config, found = settings(file)
    assert found[0].level is Level.FAULT
    assert shown_configuration(file.read_text())[0]
    assert config.data_dir in (tmp_path, Config().data_dir)


def test_a_configuration_that_only_root_reads_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "closed/oesd.toml"
    file.parent.mkdir(mode=0o700)
    file.write_text("")
    words = "import os, sys; os.getuid() or os.setuid(65534); from pathlib import Path\n"
    words += "print(settings(Path(sys.argv[1]))[1])"
    if os.geteuid() != 0:
        file.parent.chmod(0)
    code = "from oesd.doctor.settings import settings\n" + words
    try:
        ran = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=False)
    finally:
        file.parent.chmod(0o700)
    assert "is not this user's to read" in ran.stdout and "sudo oesd doctor --config" in ran.stdout


def test_mounts_of_other_alphabets() -> None:
    assert (
        _kind("1 2 0:1 / / rw - ext4 a rw\n1 2 0:1 / /Meßdaten\\0401 rw - nfs b rw\n", Path("/Meßdaten 1/oesd"))
        == "nfs"
    )


def test_a_clock_that_is_a_day_off_is_no_ok() -> None:
    assert _answers("https://a", 0.4).level is Level.OK
    assert _answers("https://a", -86_400.0).level is Level.WARNING
