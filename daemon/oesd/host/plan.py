"""What a service takes: files with their places, and what systemd and udev are told. Nothing is done here.

The places are the administrator's (``/etc``), not a distribution's (``/usr/lib``): what is installed by hand stands
there, and a rule or unit of its name in ``/usr/lib`` gives way to it (file-hierarchy(7), udev(7), systemd.unit(5)).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from oesd.host.shipped import shipped

PREFIX = PurePosixPath("/opt/oesd")
CONFIGURATION = PurePosixPath("/etc/oesd")
UNITS = PurePosixPath("/etc/systemd/system")
SYSUSERS = PurePosixPath("/etc/sysusers.d/oesd.conf")
TMPFILES = PurePosixPath("/etc/tmpfiles.d/oesd.conf")
RULES = PurePosixPath("/etc/udev/rules.d/60-oesd-spectrometers.rules")
UDEV, SYSTEMD = "/run/udev/control", "/run/systemd/system"
DAEMON, HUB, KEY = "oesd.service", "oesd-hub.service", "oesd-key.service"


@dataclass(frozen=True, slots=True)
class Placed:
    """A file of the installation.

    Parameters
    ----------
    path : PurePosixPath
        Where it goes, absolute.
    text : str
        What is in it.
    if_absent : bool
        A person's file: written once, then left as it is.
    """

    path: PurePosixPath
    text: str
    if_absent: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """What a program of the system is asked, and why.

    ``in_root`` is the option with which it works on another root directory; "" when it needs the running system.
    ``needs`` is a path that shows that there is somebody to ask: a container has no udev, an image no running systemd.
    """

    argv: tuple[str, ...]
    why: str
    in_root: str = ""
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Files in the order they are written, then commands in the order they are given."""

    files: tuple[Placed, ...]
    commands: tuple[Command, ...]


def unit_text(name: str, prefix: PurePosixPath) -> str:
    """A shipped unit that starts the program of this prefix."""
    return shipped(f"systemd/{name}").replace(f"ExecStart={PREFIX}/", f"ExecStart={prefix}/")


def installation(prefix: PurePosixPath = PREFIX, *, hub: bool = False, start: bool = True) -> Plan:
    """How oesd becomes a service.

    Parameters
    ----------
    prefix : PurePosixPath
        The virtual environment that the service starts.
    hub : bool
        Start the hub, an OES API server for a site, instead of the daemon.
    start : bool
        Start it now and at each boot.
    """
    return Plan(_files(prefix), (*_SET_UP, *(_starting(HUB if hub else DAEMON) if start else ())))


def removal() -> Plan:
    """How it stops being one: the files named here are removed; data, configuration, key and user stay."""
    return Plan(
        tuple(file for file in _files(PREFIX) if not file.if_absent),
        (
            Command(("systemctl", "daemon-reload"), "systemd forgets the units", needs=SYSTEMD),
            Command(("udevadm", "control", "--reload"), "udev forgets the rules", needs=UDEV),
        ),
    )


STOPPING = (
    Command(("systemctl", "disable", "--now", DAEMON, HUB), "the services end, and start at no boot", "--root"),
)

_SET_UP = (
    Command(("systemd-sysusers", SYSUSERS.name), "makes the user and group oesd", "--root"),
    Command(("systemd-tmpfiles", "--create", TMPFILES.name), "makes /etc/oesd", "--root"),
    Command(("udevadm", "control", "--reload"), "udev reads the rules", needs=UDEV),
    Command(
        ("udevadm", "trigger", "--subsystem-match=usb", "--action=add"), "they are applied to what is there", needs=UDEV
    ),
    Command(("systemctl", "daemon-reload"), "systemd reads the units", needs=SYSTEMD),
)


def _starting(unit: str) -> tuple[Command, ...]:
    return (
        Command(("systemctl", "enable", unit), "it starts at each boot", "--root"),
        Command(("systemctl", "start", unit), "it starts now", needs=SYSTEMD),
    )


def _files(prefix: PurePosixPath) -> tuple[Placed, ...]:
    return (
        Placed(SYSUSERS, shipped("systemd/oesd.sysusers")),
        Placed(TMPFILES, shipped("systemd/oesd.tmpfiles")),
        Placed(RULES, shipped("systemd/60-oesd-spectrometers.rules")),
        Placed(UNITS / DAEMON, unit_text(DAEMON, prefix)),
        Placed(UNITS / KEY, shipped(f"systemd/{KEY}")),
        Placed(UNITS / HUB, unit_text(HUB, prefix)),
        Placed(CONFIGURATION / "oesd.toml", shipped("oesd.toml"), if_absent=True),
        Placed(CONFIGURATION / "hub.toml", shipped("hub.toml"), if_absent=True),
    )
