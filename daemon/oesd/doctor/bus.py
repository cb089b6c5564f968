"""USB: libusb, what is plugged in, who may open it, who has it open, and the udev rules. Nothing is opened."""

from __future__ import annotations

import grp
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from oesd.doctor.finding import Finding, Host, fault, ok, warning
from oesd.doctor.unit import cure
from oesd.host.plan import RULES
from oesd.host.shipped import shipped
from oesd_drivers.errors import GiveUp, SpectrometerError
from oesd_drivers.usb import Plugged, plugged

_GROUP = "oesd"
_RULE_DIRECTORIES = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
_MODE = re.compile(r'\bMODE\s*:?=\s*"([0-7]{3,4})"')
_VENDOR = re.compile(r'(?:idVendor|ID_VENDOR_ID)\}\s*==\s*"([^"]*)"')
# What a rule may ask and still mean every USB device.
_ALL_USB = re.compile(r'\s*(?:SUBSYSTEMS?|ACTION|KERNELS?|ENV\{DEVTYPE\})\s*==\s*"[^"]*"\s*')
_NULL = os.devnull
_LONGEST = 80
_INSTALL = "sudo oesd install-service"
_APPLY = "sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=usb --action=add"


def bus(host: Host, list_plugged: Callable[[str], Sequence[Plugged]] = plugged) -> Iterator[Finding]:
    """Findings on everything between the plug and the daemon."""
    yield from rules(host)
    try:
        found = list_plugged("libusb")
    except GiveUp as error:
        yield fault("libusb", str(error), "pip install libusb-package, in the environment that oesd runs in")
        return
    except SpectrometerError as error:
        yield fault("libusb", str(error), "look whether /dev/bus/usb exists; a container needs it handed in")
        return
    yield ok("libusb", "found")
    if not found:
        yield warning("spectrometers", "none is plugged in", "plug one in, look with: oesd devices")
    for one in found:
        yield from _spectrometer(host, one)


def rules(host: Host) -> Iterator[Finding]:
    """Whether our udev rules are there as this version ships them, and whether others undo them."""
    files = _rule_files(host)
    ours = files.pop(RULES.name, None)
    if ours is None:
        yield warning("udev rules", f"{RULES.name} is not installed: only root may open spectrometers", _INSTALL)
    elif ours.read_text(encoding="utf-8", errors="replace") != shipped(f"systemd/{RULES.name}"):
        yield warning("udev rules", f"{ours} is not the one of this version", cure(host))
    else:
        yield ok("udev rules", f"{ours}")
    for name, other in sorted(files.items()):
        if any(map(_lets_all_write, _lines(other))):
            # A distribution's file comes back with its package; one of its name in /etc takes its place (udev(7)).
            off = (
                f"rm {other}"
                if other.parent == host.at("/etc/udev/rules.d")
                else f"ln -s {_NULL} /etc/udev/rules.d/{name}"
            )
            yield warning("udev rules", f"{other} lets everybody write to spectrometers", f"sudo {off}, then: {_APPLY}")


def _rule_files(host: Host) -> dict[str, Path]:
    """The rules files that count: of one name the first, as udev takes them; masked ones are none."""
    found: dict[str, Path] = {}
    for directory in _RULE_DIRECTORIES:
        for file in sorted(host.at(directory).glob("*.rules")):
            found.setdefault(file.name, file)
    return {name: file for name, file in found.items() if file.is_file()}


def _lines(file: Path) -> Iterator[str]:
    """Rules of a file, those that go on over several lines joined; no comments."""
    text = file.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    return (line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _lets_all_write(rule: str) -> bool:
    """Whether a rule gives everybody a spectrometer: one of our makers', or any USB device."""
    mode = _MODE.search(rule)
    if mode is None or not int(mode[1], 8) & stat.S_IWOTH:
        return False
    asked = _VENDOR.search(rule)
    if asked:
        return any(fnmatchcase(ours, one.lower()) for one in asked[1].split("|") for ours in _vendors())
    matches = [part for part in rule.split(",") if "==" in part or "!=" in part]
    return '"usb' in rule and bool(matches) and all(map(_ALL_USB.fullmatch, matches))


@cache
def _vendors() -> frozenset[str]:
    """Ids of the makers that our own rules name."""
    return frozenset(_VENDOR.findall(shipped(f"systemd/{RULES.name}")))


def _spectrometer(host: Host, one: Plugged) -> Iterator[Finding]:
    node = host.at(f"/dev/bus/usb/{one.address.bus:03d}/{one.address.address:03d}")
    name = f"{one.model} at {node}"
    try:
        found = node.stat()
    except FileNotFoundError:
        yield fault("spectrometers", f"{name}: the kernel's device node is missing", "unplug it, plug it in again")
        return
    mode, group = stat.S_IMODE(found.st_mode), _group_name(found.st_gid)
    if mode & stat.S_IWOTH:
        yield warning("spectrometers", f"{name}: everybody may write to it ({mode:04o})", _INSTALL)
    elif group != _GROUP or mode & 0o060 != 0o060:
        yield fault("spectrometers", f"{name}: mode {mode:04o}, group {group}; the service may not open it", _APPLY)
    else:
        yield ok("spectrometers", f"{name}: group {group} may open it")
    if os.geteuid() != 0:
        yield ok(
            "spectrometers", f"{name}: whether another user's program has it open, only root sees (sudo oesd doctor)"
        )
    for pid, program in _holders(host, node):
        yield fault("spectrometers", f"{name}: process {pid} ({program}) has it open", f"end that program: kill {pid}")


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _holders(host: Host, node: Path) -> Iterator[tuple[int, str]]:
    """Processes that have a device node open and are not the daemon's; of others' processes only root sees that."""
    for process in host.at("/proc").glob("[0-9]*"):
        try:
            holds = any(os.readlink(link) == str(node) for link in (process / "fd").iterdir())
            if holds and not _is_the_daemons(host, process):
                yield int(process.name), _command(process)
        except OSError:
            continue  # it ended meanwhile, or is another user's


def _is_the_daemons(host: Host, process: Path) -> bool:
    """Whether it is a worker of ``oesd run``; one that a notebook started is another program."""
    parent = re.search(r"^PPid:\s*(\d+)", (process / "status").read_text(errors="replace"), re.MULTILINE)
    words = (host.at(f"/proc/{parent[1]}/cmdline").read_bytes() if parent else b"").split(b"\0")
    return b"run" in words and any(Path(word.decode(errors="replace")).name == "oesd" for word in words)


def _command(process: Path) -> str:
    words = (process / "cmdline").read_bytes().split(b"\0")
    told = b" ".join(words[:3]).decode(errors="replace") or (process / "comm").read_text()
    return " ".join(told.split())[:_LONGEST]
