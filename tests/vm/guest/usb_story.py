"""Spectrometers on the kernel's own USB: found, opened by the service alone, pulled out, back on another port."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import re
import socket
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from asserting import Story, asked, run, shown, typed, until
from throwaway import BENCH

TIMES = int(os.environ.get("OESD_TIMES", "3"))
TYPED = os.environ.get("OESD_TYPED") == "1"  # the program is not there yet: the README's lines are typed here
CONFIG = Path("/etc/oesd/oesd.toml")
RULES = Path("/etc/udev/rules.d/60-oesd-spectrometers.rules")
FIRST, SECOND = "VIRT0001", "VIRT0002"
PERIOD_S, EXPOSURE_S = 1.0, 0.7  # of the first, so that a pulled cable meets an exposure
SETTINGS = '[capture]\nevery = "1 s"\nintegration = "20 ms"\n'
LONG = f"""{SETTINGS}
[[spectrometer]]
serial = "{FIRST}"
integration = "{EXPOSURE_S * 1000:.0f} ms"
"""
FAR = "10.9.9.9"  # an address that is not this machine's loopback
UPLOADS = f'{LONG}\n[upload]\nendpoint = "https://{FAR}/"\n'
UNIT_GROUP = Path("/sys/fs/cgroup/system.slice/oesd.service")
PULLED = {"device gone", "usb error"}  # a cable that is pulled; the very first sign may be a transfer that broke
SLOW = {"overrun"}  # an emulated processor that has other things to do
STARVED = {"worker lost"}  # of the one whose cable was left alone, where the host gives the machine nothing for seconds
USBDEVFS_RESET, USBDEVFS_CLAIMINTERFACE = 0x5514, 0x8004550F  # linux/usbdevice_fs.h
IN_OPEN = 0x20  # linux/inotify.h
ACKNOWLEDGED: set[str] = set()


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


def node_of(product: str) -> Path:
    """Device node of the spectrometer with this USB product number."""
    for place in Path("/sys/bus/usb/devices").iterdir():
        if (place / "idProduct").exists() and (place / "idProduct").read_text().strip() == product:
            bus, number = (int((place / name).read_text()) for name in ("busnum", "devnum"))
            return Path(f"/dev/bus/usb/{bus:03d}/{number:03d}")
    raise AssertionError(f"nothing with product {product} is plugged in")


def committed() -> bool:
    """Whether a capture is in the store, whoever may know it yet."""
    try:
        with contextlib.closing(sqlite3.connect("file:/var/lib/oesd/oesd.sqlite?mode=ro", uri=True)) as data:
            return bool(data.execute("SELECT EXISTS (SELECT 1 FROM captures)").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return False


def stored(serial: str) -> int:
    """Captures that the daemon counts for a spectrometer."""
    units = {unit["serial"]: unit["captures"] for unit in asked("/status").get("spectrometers", [])}
    return int(units.get(serial, 0))


def lost() -> Counter:
    """Slots that the first spectrometer has lost so far, by reason."""
    hours = [hour for hour in asked("/ledger?by=hour")["accounts"] if hour["device_name"] == FIRST]
    return sum((Counter(hour["lost"]) for hour in hours), Counter())


def words() -> list[str]:
    """What the spectrometers do."""
    return [unit["word"] for unit in asked("/status").get("spectrometers", [])]


def acknowledged() -> None:
    """Remember what the daemon says is stored."""
    ACKNOWLEDGED.update(entry["data_id"] for entry in asked("/entries?limit=200"))


def sums_now() -> str:
    """What the daemon counts, for whoever looks at a failure."""
    state = asked("/status")
    return str((state.get("tally"), state.get("problems"), state.get("spectrometers")))[:2000]


def installed(story: Story) -> None:
    """The README's lines for a lab PC, typed as they stand; packages come from a folder by pip's own variables."""
    began_s = time.monotonic()
    lines = typed("lab-pc")
    assert shown("ActiveState") == "active"
    assert shown("UnitFileState") == "enabled"
    until("it answers", lambda: asked("/status").get("version"), 60)
    story.step("installed by the README's lines", lines=lines, installed_s=round(time.monotonic() - began_s))


def bench(story: Story) -> None:
    """The kernel's virtual host controller, and who stands behind it."""
    run("modprobe", "vhci-hcd")
    until("vhci_hcd is there", Path("/sys/devices/platform/vhci_hcd.0/attach").exists, 20)
    log = open("/out/exported.log", "w")
    stands = subprocess.Popen(["/opt/oesd/bin/python", "-B", "/tests/exported.py"], stdout=log, stderr=log)
    until("the bench listens", lambda: Path(BENCH).exists() or stands.poll() is not None, 60)
    assert stands.poll() is None, "the bench ended: see exported.log"
    story.step("the bench stands")


def plugged_while_it_waits(story: Story) -> None:
    """The service stands since the boot, when the kernel had seen no USB at all; then the first one is plugged in."""
    until("it stands since the boot", lambda: shown("ActiveState") == "active", 60)
    told("plug", FIRST, 0)
    first_s = story.within("first spectrum of a service that waited", until("a spectrum", committed, 60, sums_now), 10)
    told("unplug", FIRST)
    run("systemctl", "stop", "oesd")
    run("find", "/var/lib/oesd", "-mindepth", "1", "-delete")  # the next step begins with nothing
    story.step("plugged into a service that waits", plug_to_waiting_s=first_s)


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
    until("a spectrum is committed", committed, 120)
    cold_s = story.within(
        "from the plug to the first stored spectrum, with the start of the service", time.monotonic() - began_s, 10
    )
    until("the page counts it", lambda: stored(FIRST) > 0, 60, sums_now)
    answered_s = time.monotonic() - began_s
    until("it is named", lambda: named("Ar"), 180, sums_now)
    story.step("plugged in, service started by udev", node_s=round(node_s, 2), started_s=round(started_s, 2),
               first_spectrum_from_nothing_s=cold_s, page_s=round(answered_s, 2))  # fmt: skip


def named(element: str) -> list[dict]:
    """Entries that name an element; the newest may wait for its analysis, which is slow under emulation."""
    return asked(f"/oes?element={element}&limit=1").get("entries", [])


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
    warm_s = until("the second one's first spectrum", lambda: stored(SECOND) > 0, 60, sums_now)
    story.step("a second spectrometer", plug_to_spectrum_s=story.within("its first spectrum", warm_s, 10))


def reset(story: Story) -> None:
    """Another program resets the port under a measuring spectrometer: it goes on, and what was lost has a name."""
    before, had = lost(), stored(FIRST)
    mid_exposure()
    with open(node_of("101e"), "rb+", buffering=0) as node:
        fcntl.ioctl(node, USBDEVFS_RESET)
    back_s = until("it measures after the reset", lambda: stored(FIRST) > had + 1, 15, sums_now)
    took = lost() - before
    assert set(took) <= PULLED | SLOW, took
    story.step(
        "reset by another program", reset_s=story.within("back after a reset", back_s, 10), reset_lost=dict(took)
    )


def exposed_for_long(story: Story) -> None:
    """A reload gives the first one a longer exposure; the second one's run goes on."""
    run_id, had = run_of(SECOND), stored(SECOND)
    CONFIG.write_text(LONG)
    run("systemctl", "reload", "oesd")
    until("the first one exposes as long", lambda: exposed_us() == EXPOSURE_S * 1e6, 60, sums_now)
    until("the second one measures on", lambda: stored(SECOND) > had + 2, 30, sums_now)
    assert run_of(SECOND) == run_id
    story.step("reloaded: a longer exposure of one spectrometer")


def exposed_us() -> int:
    """Integration time of the first one's newest capture."""
    with contextlib.closing(sqlite3.connect("file:/var/lib/oesd/oesd.sqlite?mode=ro", uri=True)) as data:
        return data.execute(
            "SELECT integration_us FROM captures JOIN devices USING (device_no) WHERE name = ? "
            "ORDER BY capture_no DESC LIMIT 1", (FIRST,)
        ).fetchone()[0]  # fmt: skip


def mid_exposure() -> float:
    """Wait until the first spectrometer exposes, as its last capture and its period tell; how far into it, s."""
    with contextlib.closing(sqlite3.connect("file:/var/lib/oesd/oesd.sqlite?mode=ro", uri=True)) as data:
        (taken_us,) = data.execute(
            "SELECT max(taken_at_us) FROM captures JOIN devices USING (device_no) WHERE name = ?", (FIRST,)
        ).fetchone()
    wanted_s = 0.2
    time.sleep((wanted_s - (time.time() - taken_us / 1e6)) % PERIOD_S)
    return (time.time() - taken_us / 1e6) % PERIOD_S


def unplugged_and_back(story: Story, times: int) -> None:
    """Pulled out in an exposure and plugged in elsewhere: it goes on in its run; each slot of the gap has a name."""
    took_s: list[float] = []
    missed, cut = Counter(), 0
    run_id = run_of(FIRST)
    for turn in range(times):
        acknowledged()
        before = lost()
        mid_exposure()
        told("unplug", FIRST)
        pulled_s = time.time()
        until("the loss is seen", lambda: "device gone" in str(asked("/status").get("spectrometers")), 30, sums_now)
        had = stored(FIRST)
        told("plug", FIRST, 2 + turn % 4)
        back_s = until("it measures again", lambda had=had: stored(FIRST) > had, 60, sums_now)
        took_s.append(story.within(f"coming back, {turn + 1} of {times}", back_s, 10))
        until("its capture is in the store", lambda at=pulled_s: around(at)[1], 20)
        last_us, next_us = around(pulled_s)
        due = int((next_us - last_us) / 1e6 / PERIOD_S) - 1
        until("each slot of the gap has a name", lambda b=before, d=due: (lost() - b).total() >= d, 20, sums_now)
        gap = lost() - before
        assert set(gap) <= PULLED | SLOW, f"a pulled cable was called {dict(gap)}"
        assert sum(gap[reason] for reason in PULLED) >= 1, gap
        missed += gap
        cut += (pulled_s - last_us / 1e6) % PERIOD_S < EXPOSURE_S  # in that of the last capture, or of a slot after it
    assert cut, "not one of them was pulled in an exposure"
    assert run_of(FIRST) == run_id
    acknowledged()
    took_s.sort()
    story.step(
        "unplugged and back", cycles=times, in_an_exposure=cut, slowest_s=took_s[-1],
        middle_s=took_s[len(took_s) // 2], gaps=dict(missed), lost=dict(lost())
    )  # fmt: skip


def around(moment_s: float) -> tuple[int, int]:
    """Times of the first one's captures before and after a moment, us."""
    with contextlib.closing(sqlite3.connect("file:/var/lib/oesd/oesd.sqlite?mode=ro", uri=True)) as data:
        return data.execute(
            "SELECT max(taken_at_us) FILTER (WHERE taken_at_us < :at), "
            "min(taken_at_us) FILTER (WHERE taken_at_us > :at) "
            "FROM captures JOIN devices USING (device_no) WHERE name = :name",
            {"at": int(moment_s * 1e6), "name": FIRST},
        ).fetchone()


def run_of(serial: str) -> str:
    """The run that a spectrometer is in."""
    return next(str(unit["run_id"]) for unit in asked("/status")["spectrometers"] if unit["serial"] == serial)


def doctor() -> list[dict]:
    """What the doctor says."""
    said = run("/opt/oesd/bin/oesd", "doctor", "--json", must=False)
    return json.loads(said[said.index("[") :])


def line_of(found: list[dict], subject: str, words: str, *levels: str) -> dict:
    """The line of a subject that says these words, at one of these levels."""
    lines = [line for line in found if line["subject"] == subject and re.search(words, line["what"])]
    assert len(lines) == 1, (subject, words, found)
    assert lines[0]["level"] in levels, lines
    return lines[0]


def obeyed(line: dict) -> None:
    """Type what the doctor says is to be done; we are root and need no sudo."""
    run("bash", "-c", line["do"].replace("sudo ", ""))


@contextlib.contextmanager
def openings(files: Sequence[Path]) -> Iterator[list[int]]:
    """How often these files, which others hold open all the while, are opened meanwhile (inotify(7)), in the list."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert watch >= 0, os.strerror(ctypes.get_errno())
    seen: list[int] = []
    try:
        for file in files:
            assert libc.inotify_add_watch(watch, os.fsencode(file), IN_OPEN) >= 0, os.strerror(ctypes.get_errno())
        yield seen
        with contextlib.suppress(BlockingIOError):
            seen.append(len(os.read(watch, 65536)) // 16)
    finally:
        os.close(watch)


def recoveries() -> int:
    """How often a spectrometer was in trouble or came out of it, when the service itself opens it anew."""
    said = run("journalctl", "-u", "oesd", "-o", "cat", "--no-pager")
    return len(re.findall("works again after|did not|died", said))


def nothing_wrong(story: Story) -> None:
    """The doctor on a machine where all is well: it says so, and opens no spectrometer that measures."""
    for _ in range(3):
        before = recoveries()
        with openings([node_of("101e"), node_of("1022")]) as seen:
            found = doctor()
        if recoveries() == before:  # nothing was given to the service so late that it opened one anew
            break
    assert not seen, f"opened {seen[0]} times while the doctor looked"
    line_of(found, "udev rules", "60-oesd", "ok")
    line_of(found, "libusb", "found", "ok")
    for model in ("USB2000", "USB4000"):
        line_of(found, "spectrometers", f"{model}.*group oesd may open it", "ok")
        line_of(found, "measuring", model, "ok", "warning")  # a dark is due
    line_of(found, "watchdog", "30s", "ok")
    assert not [line for line in found if line["level"] == "fault"], found
    story.step("the doctor finds nothing wrong", findings=len(found))


def holder(node: Path) -> subprocess.Popen:
    """Another program that has the spectrometer."""
    hold = (
        "import fcntl, struct, sys, time\n"
        "node = open(sys.argv[1], 'rb+', buffering=0)\n"
        f"fcntl.ioctl(node, {USBDEVFS_CLAIMINTERFACE}, struct.pack('I', 0))\n"
        "print('held', flush=True)\ntime.sleep(3600)\n"
    )
    held = subprocess.Popen(["/usr/bin/python3", "-c", hold, str(node)], stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    return held


def far_away() -> list[int]:
    """Somebody at an address beyond loopback; the list grows by the user of each connection."""
    run("ip", "address", "add", f"{FAR}/32", "dev", "lo")
    listening, came = socket.create_server((FAR, 443)), []

    def take() -> None:
        while True:
            line, (_, port) = listening.accept()
            came.append(user_of(port))
            line.close()

    threading.Thread(target=take, daemon=True).start()
    return came


def user_of(port: int) -> int:
    """Who has the connection from a local port: not only the service comes, the doctor does, too."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return next((int(row[7]) for row in rows if int(row[1].split(":")[1], 16) == port), -1)


def uploads_are_let_out(story: Story, came: list[int]) -> None:
    """The shipped unit reaches an address beyond loopback; with the drop-in for sites without internet it does not."""
    service = pwd.getpwnam("oesd").pw_uid
    until("the service reached an address beyond loopback", lambda: service in came, 120, sums_now)
    typed("no-internet")
    reached = came.count(service)
    until("both measure", lambda: stored(FIRST) > 0 and stored(SECOND) > 0, 60, sums_now)
    until("nothing gets out", lambda: asked("/status").get("upload", {}).get("state") == "failing", 120, sums_now)
    assert came.count(service) == reached, f"{came.count(service) - reached} connections in spite of the drop-in"
    error = asked("/status")["upload"]["last_error"]
    story.step("uploads are let out, and kept in with the drop-in", connections=reached, then=error)


def limits(story: Story) -> None:
    """The kernel holds the service to the unit's limits."""
    assert (UNIT_GROUP / "memory.max").read_text().strip() == str(1 << 30)
    assert (UNIT_GROUP / "pids.max").read_text().strip() == "128"
    story.step("its limits are the kernel's", memory_mb=int((UNIT_GROUP / "memory.current").read_text()) >> 20)


def everything_wrong(story: Story) -> None:
    """No rules, no permission, and a program that holds the other one: told, and cured by what the doctor says."""
    run("systemctl", "stop", "oesd")
    CONFIG.write_text(UPLOADS)
    run("/opt/oesd/bin/oesd", "key", "set", given="a-key-of-this-test")
    held = holder(node_of("1022"))
    RULES.unlink()
    node = node_of("101e")
    os.chown(node, 0, 0)
    os.chmod(node, 0o644)
    run("systemctl", "start", "oesd")
    found = doctor()
    rules = line_of(found, "udev rules", "not installed", "warning")
    line_of(found, "spectrometers", "USB2000.*mode 0644, group root; the service may not open it", "fault")
    line_of(found, "measuring", "no permission", "fault")
    other = line_of(found, "spectrometers", f"USB4000.*process {held.pid} .*has it open", "fault")
    line_of(found, "measuring", "another program holds it", "fault")
    assert rules["do"] == "sudo oesd install-service"
    obeyed(rules | {"do": rules["do"] + " --no-start"})
    run("bash", "-c", other["do"].removeprefix("end that program: "))
    held.wait(30)
    back_s = until("both measure", lambda: stored(FIRST) > 0 and stored(SECOND) > 0, 60, sums_now)
    assert oct(node_of("101e").stat().st_mode & 0o777) == "0o660"
    story.step("no rules, no permission, held by another program: told and cured", cured_s=round(back_s, 1))


def nothing_plugged(story: Story) -> None:
    """The doctor without a spectrometer."""
    for serial in (FIRST, SECOND):
        told("unplug", serial)
    until("both are seen to be gone", lambda: words() == ["device gone"] * 2, 30, sums_now)
    found = doctor()
    line_of(found, "spectrometers", "none is plugged in", "warning")
    assert len([line for line in found if line["subject"] == "measuring" and line["level"] != "ok"]) == 2, found
    story.step("the doctor says what is unplugged")


def sums(story: Story) -> None:
    """What the ledger says adds up, and all that was said to be stored is there."""
    run("systemctl", "stop", "oesd")
    assert (shown("Result"), shown("ExecMainStatus")) == ("success", "0")
    verified = run("/opt/oesd/bin/oesd", "verify", "--data", "/var/lib/oesd")
    with sqlite3.connect("file:/var/lib/oesd/oesd.sqlite?mode=ro", uri=True) as data:
        there = {row[0] for row in data.execute("SELECT data_id FROM entries")}
        reasons = set(data.execute("SELECT DISTINCT device_name, reason FROM losses"))
        holes = data.execute(
            "SELECT run_no, due, named FROM (SELECT run_no, slots AS due FROM runs WHERE ended_at_us IS NOT NULL) "
            "LEFT JOIN (SELECT run_no, sum(slots) AS named FROM run_slots GROUP BY run_no) USING (run_no) "
            "WHERE due IS NOT coalesce(named, 0)"
        ).fetchall()
        slots = data.execute("SELECT sum(slots) FROM run_slots").fetchone()[0]
    assert not holes, f"slots that came due and have no fate: {holes}"
    assert len(ACKNOWLEDGED) > TIMES
    assert there >= ACKNOWLEDGED, f"{len(ACKNOWLEDGED - there)} acknowledged spectra are not there"
    known = PULLED | SLOW | {"daemon down", "no permission", "device busy"}
    assert {reason for name, reason in reasons if name == FIRST} <= known, reasons
    assert {reason for _, reason in reasons} <= known | STARVED, reasons
    story.step(
        "the ledger adds up",
        verify=verified.strip().splitlines()[-1],
        acknowledged=len(ACKNOWLEDGED),
        missing=0,
        slots=slots,
        slots_without_fate=0,
    )


def no_cseabreeze(story: Story) -> None:
    """The C backend is not there to be used, and was not."""
    loaded = run(
        "/opt/oesd/bin/python", "-c", "import importlib.util as u; print(u.find_spec('seabreeze.cseabreeze._wrapper'))"
    )
    maps = run("bash", "-c", "cat /proc/[0-9]*/maps 2>/dev/null | grep -c cseabreeze", must=False)
    story.step("cseabreeze", installed=loaded.strip() != "None", mapped=maps.strip())
    assert maps.strip().startswith("0")


def steps(story: Story) -> None:
    if TYPED:
        installed(story)
    bench(story)
    plugged_while_it_waits(story)
    plugged_starts_the_service(story)
    permission(story)
    second_spectrometer(story)
    exposed_for_long(story)
    unplugged_and_back(story, TIMES)
    reset(story)
    no_cseabreeze(story)
    limits(story)
    nothing_wrong(story)
    came = far_away()
    everything_wrong(story)
    uploads_are_let_out(story, came)
    nothing_plugged(story)
    sums(story)


Story("usb").tell(steps)
