"""Spectrometers on the kernel's own USB: found, opened by the service alone, pulled out, back on another port."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

from asserting import BENCH, Story, asked, run, shown, until

TIMES = int(os.environ.get("OESD_TIMES", "3"))
CONFIG = Path("/etc/oesd/oesd.toml")
SETTINGS = '[capture]\nevery = "1 s"\nintegration = "20 ms"\n'
FIRST, SECOND = "VIRT0001", "VIRT0002"


def told(*words: object) -> None:
    """Give a command to the bench of virtual spectrometers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(BENCH)
        line.sendall(" ".join(map(str, words)).encode())
        answer = line.recv(500).decode()
    assert answer == "done", answer


def nodes() -> list[Path]:
    """Device nodes of the group oesd."""
    found = run("find", "/dev/bus/usb", "-group", "oesd", must=False).split()
    return [Path(one) for one in found]


def stored(serial: str) -> int:
    """Captures that the daemon counts for a spectrometer."""
    units = {unit["serial"]: unit["captures"] for unit in asked("/status").get("spectrometers", [])}
    return int(units.get(serial, 0))


def bench(story: Story) -> None:
    """The kernel's virtual host controller, and who stands behind it."""
    run("modprobe", "vhci-hcd")
    until("vhci_hcd is there", Path("/sys/devices/platform/vhci_hcd.0/attach").exists, 20)
    log = open("/out/exported.log", "w")
    subprocess.Popen(["/opt/oesd/bin/python", "-B", "/tests/exported.py"], stdout=log, stderr=log)
    until("the bench listens", Path(BENCH).exists, 60)
    story.step("the bench stands")


def plugged_starts_the_service(story: Story) -> None:
    """udev gives the node to the group and starts the service; the spectrum is stored and named."""
    CONFIG.write_text(SETTINGS)
    assert shown("ActiveState") == "inactive"
    began_s = time.monotonic()
    told("plug", FIRST, 0)
    node_s = until("udev made the node the group's", nodes, 30)
    assert [oct(node.stat().st_mode & 0o777) for node in nodes()] == ["0o660"]
    until("udev started the service", lambda: shown("ActiveState") in ("activating", "active"), 30)
    started_s = time.monotonic() - began_s
    until("a spectrum is stored", lambda: stored(FIRST) > 0, 120)
    cold_s = time.monotonic() - began_s
    until("it is named", lambda: named("Ar"), 180, sums_now)
    story.step("plugged in, service started by udev", node_s=round(node_s, 2), started_s=round(started_s, 2),
               first_spectrum_from_nothing_s=round(cold_s, 1))  # fmt: skip


def named(element: str) -> list[dict]:
    """Entries that name an element; the newest may wait for its analysis, which is slow under emulation."""
    return asked(f"/oes?element={element}&limit=1").get("entries", [])


def sums_now() -> str:
    """What the daemon counts, for whoever looks at a failure."""
    return str(asked("/status").get("tally", {}))


def permission(story: Story) -> None:
    """Only the group may open it: not another user, and not the service's user without the device's class allowed."""
    open_it = "import sys; open(sys.argv[1], 'rb+', buffering=0)"
    argv = ("/usr/bin/python3", "-c", open_it, str(nodes()[0]))
    refused = run("runuser", "-u", "nobody", "--", *argv, must=False)
    assert "PermissionError" in refused, refused
    fenced = run(
        "systemd-run", "-q", "--wait", "--pipe", "-p", "User=oesd", "-p", "Group=oesd",
        "-p", "DevicePolicy=closed", *argv, must=False,
    )  # fmt: skip
    assert "PermissionError" in fenced, fenced
    allowed = run("systemd-run", "-q", "--wait", "--pipe", "-p", "User=oesd", "-p", "Group=oesd",
                  "-p", "DevicePolicy=closed", "-p", "DeviceAllow=char-usb_device rw", *argv, must=False)  # fmt: skip
    assert "Error" not in allowed, allowed
    story.step("only the service's group opens it")


def second_spectrometer(story: Story) -> None:
    """Another model beside it, on another port."""
    told("plug", SECOND, 1)
    warm_s = until("the second one's first spectrum", lambda: stored(SECOND) > 0, 60)
    story.step("a second spectrometer", plug_to_spectrum_s=round(warm_s, 2))
    assert warm_s < 10.0


def unplugged_and_back(story: Story, times: int) -> None:
    """Pulled out in the middle of it all and plugged in elsewhere: it goes on in its run; the gap has a name."""
    took_s: list[float] = []
    for turn in range(times):
        told("unplug", FIRST)
        until("the loss is seen", lambda: "device gone" in str(asked("/status").get("spectrometers")), 30)
        before = stored(FIRST)
        told("plug", FIRST, 2 + turn % 4)
        took_s.append(until("it measures again", lambda before=before: stored(FIRST) > before, 60))
    lost = asked("/status")["tally"]["lost"]
    assert set(lost) <= {"device gone", "usb error", "overrun"}, lost
    assert "device gone" in lost
    slowest_s = max(took_s)
    story.step("unplugged and back", cycles=times, slowest_s=round(slowest_s, 2), lost=lost)
    assert slowest_s < 10.0


def sums(story: Story) -> None:
    """What the ledger says adds up, and all that was said to be stored is there."""
    run("systemctl", "stop", "oesd")
    assert (shown("Result"), shown("ExecMainStatus")) == ("success", "0")
    verified = run("/opt/oesd/bin/oesd", "verify", "--data", "/var/lib/oesd")
    story.step("the ledger adds up", verify=verified.strip().splitlines()[-1])


def no_cseabreeze(story: Story) -> None:
    """The C backend is not there to be used, and was not."""
    loaded = run(
        "/opt/oesd/bin/python", "-c", "import importlib.util as u; print(u.find_spec('seabreeze.cseabreeze._wrapper'))"
    )
    maps = run("bash", "-c", "cat /proc/[0-9]*/maps 2>/dev/null | grep -c cseabreeze", must=False)
    story.step("cseabreeze", installed=loaded.strip() != "None", mapped=maps.strip())
    assert maps.strip().startswith("0")


def steps(story: Story) -> None:
    run("systemctl", "stop", "oesd", must=False)
    bench(story)
    plugged_starts_the_service(story)
    permission(story)
    second_spectrometer(story)
    unplugged_and_back(story, TIMES)
    no_cseabreeze(story)
    sums(story)


Story("usb").tell(steps)
