"""The services under a real systemd: installed by the README's lines, killed, hung, reloaded, fenced in, stopped."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from asserting import QUIET, Story, asked, journal_has, run, shown, spellings, typed, until

CANARY = "canary-key-0123456789abcdef"
CONFIG = Path("/etc/oesd/oesd.toml")
HUB_KEY = Path("/var/lib/oesd-hub/api-key")
SEALED, PLAIN, HANDED = Path("/etc/oesd/api-key.cred"), Path("/etc/oesd/api-key"), Path("/run/oesd-key/api-key")
# Where a key rests: the hub's own file, and in memory, where root alone enters, what was unsealed.
ALLOWED = (str(HUB_KEY), str(HANDED))
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000  # linux/ptrace.h, linux/wait.h
SIMULATED = """
[capture]
every = "1 s"
integration = "20 ms"

[simulation]
enabled = true
devices = ["USB2000+:SIM00001", "USB4000:SIM00002"]
"""
PROMISE_S = 60  # by when every thread has promised to call again
TIMES = int(os.environ.get("OESD_TIMES", "2"))


def install(story: Story) -> None:
    """From nothing to a running service."""
    story.step("installed by the README's lines", lines=typed("lab-pc"))
    assert shown("UnitFileState") == "enabled"
    again = run("/opt/oesd/bin/oesd", "install-service", "--no-start")
    assert not re.search(r"^(new|changed) ", again, re.M), again
    story.step("installing again changes nothing")


def configured(story: Story) -> None:
    """A simulated configuration and a key; then the service starts."""
    run("systemctl", "stop", "oesd")
    CONFIG.write_text(SIMULATED)
    run("/opt/oesd/bin/oesd", "check-config", str(CONFIG))
    run("/opt/oesd/bin/oesd", "key", "set", given=CANARY)
    assert SEALED.exists()
    assert not PLAIN.exists()
    began_s = time.monotonic()
    run("systemctl", "start", "oesd")
    took_s, told = time.monotonic() - began_s, shown("StatusText")
    story.step("ready", ready_s=story.within("READY", took_s, 2.0))
    assert re.search(r"\b[0-2]/2\b", told), f"ready, but not every spectrometer is told of: {told}"
    assert shown("ActiveState") == "active"
    assert handed() == CANARY
    measuring()
    story.step("the status line", status=shown("StatusText"))


def main_pid(unit: str = "oesd") -> int:
    return int(shown("MainPID", unit))


def handed() -> str:
    """The key that the service is handed; "" for none."""
    if not HANDED.exists():
        return ""
    assert (oct(HANDED.stat().st_mode & 0o777), oct(HANDED.parent.stat().st_mode & 0o777)) == ("0o600", "0o700")
    return HANDED.read_text().strip()


def measuring() -> None:
    """Wait until both spectrometers measure."""
    until("the status line says measuring 2/2", lambda: "measuring 2/2" in shown("StatusText"), 40)


def back_after(unit: str, harm: int) -> float:
    """Send a signal to a service; returns after how many seconds another of it was ready."""
    is_back = back(unit)
    os.kill(main_pid(unit), harm)
    return until("restarted", is_back, 90)


def back(unit: str) -> Callable[[], bool]:
    """Tells whether another of a service is ready than the one that is there now."""
    restarts = int(shown("NRestarts", unit))
    return lambda: int(shown("NRestarts", unit)) > restarts and shown("ActiveState", unit) == "active"


def killed(story: Story, times: int) -> None:
    """kill -9: back within 5 s; what was stored is there, and more is."""
    took_s = []
    for _ in range(times):
        stored = asked("/status")["tally"]["stored"]
        took_s.append(story.within("back after kill -9", back_after("oesd", signal.SIGKILL), 5.0))
        until("more was stored", lambda stored=stored: asked("/status").get("tally", {}).get("stored", 0) > stored, 30)
        lost = set(asked("/status")["tally"]["lost"])
        assert lost <= {"daemon down"}, lost
    story.step("killed with -9", kills=times, back_s=max(took_s))


def hung(story: Story, times: int) -> None:
    """A daemon that hangs is restarted by the watchdog within its limit and a little: the shipped one, and a short."""
    assert shown("WatchdogUSec") == "30s"
    shipped_s = back_after("oesd", signal.SIGSTOP)
    story.within("back after a hang, beyond the 30 s of the watchdog", max(0.1, shipped_s - 30), 5)
    measuring()
    if times > 1:
        short_watchdog(story, times - 1)
    measuring()
    limits = Path(f"/proc/{main_pid()}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M), limits
    cores = run("find", "/", "-xdev", "-name", "core*", "-size", "+500k", must=False).strip()
    assert not cores, f"the watchdog's SIGABRT left a core: {cores}"
    story.step("hung; no core is made", watchdog_s=round(shipped_s, 2))


def short_watchdog(story: Story, times: int) -> None:
    """The same with a watchdog of 10 s, where only the threads hang: the process is well, and its main thread turns.

    It hangs sooner where it waits for one of them.
    """
    drop_in = Path("/run/systemd/system/oesd.service.d/watchdog.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("[Service]\nWatchdogSec=10s\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "oesd")
    short = []
    for _ in range(times):
        measuring()
        pid = main_pid()
        is_back, frozen, turns = back("oesd"), freeze_threads(pid), turned(pid)
        time.sleep(2.0)
        assert turned(pid) > turns, "the main thread hangs, too: nothing was tried"
        short.append(round(2.0 + until("restarted", lambda b=is_back, f=frozen: (bury(f), b())[1], 90), 2))
        beyond_s = max(0.1, short[-1] - PROMISE_S - 10)
        story.within("back after threads hang, beyond 60 s of a promise and 10 s of the watchdog", beyond_s, 5)
    drop_in.unlink()
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "oesd")
    story.step("threads hung with a watchdog of 10 s", hangs=times, threads=len(frozen), back_from_threads_s=max(short))


def freeze_threads(pid: int) -> list[int]:
    """Stop every thread of a process but the main one; returns them."""
    libc = ctypes.CDLL(None, use_errno=True)
    others = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
    for thread in others:
        for request in (SEIZE, INTERRUPT):
            failed = libc.ptrace(ctypes.c_long(request), ctypes.c_long(thread), None, None)
            assert failed == 0, os.strerror(ctypes.get_errno())
    return others


def bury(threads: list[int]) -> None:
    """Take note of the end of those that we have stopped: their process has not ended before."""
    for thread in threads:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(thread, os.WNOHANG | WALL)


def turned(pid: int) -> int:
    """How often the main thread went to sleep by itself."""
    status = Path(f"/proc/{pid}/task/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1])


def refused(story: Story) -> None:
    """A configuration that is refused: told at once, tried ever more seldom, and no wait once it is mended."""
    CONFIG.write_text(SIMULATED.replace("every", "evry"))
    began_s = time.monotonic()
    run("systemctl", "restart", "oesd", must=False)
    told_s = story.within("the refusal", time.monotonic() - began_s, 3.0)
    assert "evry" in run("journalctl", "-u", "oesd", "--no-pager", "-n", "5")
    until("it waits before it ends", lambda: "in 2 s" in shown("StatusText"), 20, lambda: shown("StatusText"))
    assert int(shown("NRestarts")) <= 4
    CONFIG.write_text(SIMULATED)
    run("systemctl", "restart", "oesd")
    measuring()
    story.step("a refused start is tried ever more seldom", told_s=told_s)


def recipe() -> str:
    """What the daemon analyses by."""
    return json.dumps(asked("/status").get("recipe", {}))


def reloaded(story: Story, times: int) -> None:
    """A reload with a bad file changes nothing; with a good one no slot is lost at 1 Hz."""
    measuring()
    lost, began_us = sum(asked("/status")["tally"]["lost"].values()), int(time.time() * 1e6)
    CONFIG.write_text(SIMULATED.replace("every", "evry"))
    run("systemctl", "reload", "oesd")
    until("it is refused", lambda: "not reloaded" in run("journalctl", "-u", "oesd", "--no-pager", "-n", "30"), 20)
    assert asked("/status")["healthy"]
    for turn in range(times):
        ambient = "" if turn % 2 else "Ar"
        CONFIG.write_text(SIMULATED + f"\n[identify]\nambient = [{ambient!r}]\n" if ambient else SIMULATED)
        run("systemctl", "reload", "oesd")
        until("the new recipe counts", lambda a=ambient: ("Ar" in recipe()) == bool(a), 30)
        measuring()
        time.sleep(2.0)
    now = sum(asked("/status")["tally"]["lost"].values())
    assert now == lost, asked("/status")["tally"]["lost"]
    gaps_s, runs = taken_since(began_us)
    assert max(gaps_s) <= (1.2 if QUIET else 1.8), f"{max(gaps_s):.2f} s between two captures at 1 Hz"
    assert runs == {"SIM00001": 1, "SIM00002": 1}, f"a reload of the recipe began new runs: {runs}"
    story.step(
        "reloaded", reloads=times, slots_lost=now - lost, captures=len(gaps_s), longest_gap_s=round(max(gaps_s), 2)
    )


def taken_since(began_us: int) -> tuple[list[float], dict[str, int]]:
    """Times between neighbouring captures of a spectrometer, s, and how many runs each is from."""
    with contextlib.closing(sqlite3.connect("file:/var/lib/oesd/oesd.sqlite?mode=ro", uri=True)) as data:
        rows = data.execute(
            "SELECT name, taken_at_us, json_extract(text, '$.run_id') FROM captures JOIN devices USING (device_no) "
            "JOIN headings USING (heading_no) WHERE taken_at_us > ? AND kind = 'sample' ORDER BY name, taken_at_us",
            (began_us,),
        ).fetchall()  # fmt: skip
    gaps_s = [(two[1] - one[1]) / 1e6 for one, two in itertools.pairwise(rows) if one[0] == two[0]]
    assert all(run_id for *_, run_id in rows), rows
    return gaps_s, {name: len({run_id for other, _, run_id in rows if other == name}) for name, *_ in rows}


def fenced_in(story: Story) -> None:
    """What the sandbox must forbid is forbidden in the service's own namespaces; what it needs is there."""
    probe = run("/opt/oesd/bin/python", "/tests/probe.py")
    found = json.loads(probe.strip().splitlines()[-1])
    wanted = {
        "write_etc": False, "write_opt": False, "write_state": True, "read_home": False, "mount": False,
        "unshare": False, "packet_socket": False, "write_exec_memory": False, "new_privileges": False,
        "credential": CANARY,
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted, found
    story.step("the sandbox holds", uid=found["uid"])


def secret(story: Story) -> None:
    """No key is in a log, environment, property, argument, state file or report: neither the cloud's nor the hub's."""
    keys = (CANARY, HUB_KEY.read_text().strip())
    run("/opt/oesd/bin/oesd", "report", "--to", "/out/report.tar.gz")
    run("tar", "xzf", "/out/report.tar.gz", "-C", "/out")
    texts = {
        "journal": run("journalctl", "--no-pager", "-o", "export"),
        "properties": run("systemctl", "show", "oesd", "oesd-key", "oesd-hub"),
        "environment": "".join(
            p.read_bytes().decode(errors="replace") for p in Path("/proc").glob("[0-9]*/environ") if p.exists()
        ),
        "arguments": run("ps", "axww", "-o", "args"),
        "status": json.dumps(asked("/status")),
        "report": "".join(p.read_text(errors="replace") for p in Path("/out/oesd-report").iterdir()),
    }
    spelled = set().union(*map(spellings, keys))
    seen = [name for name, text in texts.items() for key in spelled if key in text]
    assert not seen, f"a key was seen in {seen}"
    patterns = Path("/out/patterns")
    patterns.write_text("\n".join(sorted(spelled)) + "\n")
    places = ("/var", "/etc", "/run", "/tmp", "/opt", "/root", "/home", "/srv", "/dev/shm")
    files = run("grep", "-rlaFs", "-D", "skip", "-f", str(patterns), *places, must=False).split()
    patterns.unlink()
    assert not [file for file in files if file not in ALLOWED and not file.startswith("/run/credentials/")], files
    writable = run(
        "find", "/", "-xdev", "(", "-user", "oesd", "-o", "-group", "oesd", "-o", "-perm", "-o+w", ")",
        "-not", "-type", "l", "-not", "-path", "/var/lib/oesd/*", "-not", "-path", "/var/lib/oesd",
        "-not", "-path", "/var/lib/oesd-hub*", "-not", "-path", "/var/lib/oesd-before*",
        "-not", "-path", "/var/lib/oesd-after*",
        "-not", "-path", "/proc/*", "-not", "-path", "/run/*",
        "-not", "-path", "/tmp", "-not", "-path", "/var/tmp", "-not", "-path", "/tmp/*", "-not", "-path", "/var/tmp/*",
        "-not", "-path", "/dev/*", "-not", "-path", "/out*", "-not", "-path", "/tests*",
    )  # fmt: skip
    assert not writable.strip(), f"files that the service could change: {writable}"
    story.step("the key is nowhere, and no program file is the service's to change", core=shown("LimitCORE"))


def journal_fields(story: Story) -> None:
    """Entries can be asked for by spectrometer and event."""
    with contextlib.closing(sqlite3.connect("file:/var/lib/oesd/oesd.sqlite?mode=ro", uri=True)) as data:
        run_id = data.execute("SELECT run_id FROM runs ORDER BY run_no LIMIT 1").fetchone()[0]
    for field in ("OESD_SERIAL=SIM00001", "OESD_EVENT=run begins", "OESD_EVENT=opened", f"OESD_RUN={run_id}"):
        assert journal_has(field), field
    assert not journal_has("OESD_SERIAL=nobody's")
    story.step("the journal's fields")


def second(story: Story) -> None:
    """A second daemon on the same data refuses at once."""
    began_s = time.monotonic()
    said = run("runuser", "-u", "oesd", "--", "/opt/oesd/bin/oesd", "run", "--config", str(CONFIG), must=False)
    took_s = time.monotonic() - began_s
    assert "is in use by process" in said, said
    story.step("a second daemon refuses", refused_s=story.within("the second daemon's refusal", took_s, 1.0))


def program() -> str:
    """Prefix of the program that runs as the service."""
    return Path(f"/proc/{main_pid()}/cmdline").read_bytes().split(b"\0")[1].decode().removesuffix("/bin/oesd")


def updated(story: Story) -> None:
    """A new version beside the old one, whose data that one refuses, and back; then one that does not start, and back.

    Nothing stored is lost, and the slots between have a name.
    """
    stored = asked("/status")["tally"]["stored"]
    wanted("99.1")
    typed("update")
    assert re.fullmatch(r"/opt/oesd-[0-9-]+", program()), program()
    assert asked("/status")["version"] == "99.1"
    measuring()
    assert "not the one of this version" not in run("oesd", "doctor", must=False)
    newer = program()
    # Back to a program that refuses what the new one has brought forward; then the data, too.
    said = failing("back")
    assert "systemctl start oesd.service failed" in said, said
    assert journal_says("written by a newer oesd")
    typed("data-back")
    assert program() == "/opt/oesd", program()
    until("it measures on the copy", lambda: asked("/status").get("tally", {}).get("stored", 0) > stored, 40)
    assert set(asked("/status")["tally"]["lost"]) <= {"daemon down"}, asked("/status")["tally"]
    assert len(list(Path("/var/lib").glob("oesd-after-*"))) == 1
    # Once more, with a version that does not start.
    wanted("99.2")
    failing("update")
    assert journal_says("broken on purpose")
    until("the doctor calls it a fault", lambda: "fault" in levels("service"), 30)
    typed("back")
    assert program() == "/opt/oesd", program()
    until("it measures again", lambda: asked("/status").get("tally", {}).get("stored", 0) > stored, 40)
    prefixes = sorted(str(path) for path in Path("/opt").glob("oesd-*"))
    assert len(prefixes) == 2, prefixes
    assert newer in prefixes
    story.step("updated twice, and back each time", prefixes=prefixes, lost=asked("/status")["tally"]["lost"])


def levels(subject: str) -> list[str]:
    """How the doctor judges something."""
    found = json.loads(run("oesd", "doctor", "--json", must=False))
    return [finding["level"] for finding in found if finding["subject"] == subject]


def wanted(version: str) -> None:
    """What pip finds: the folder holds several versions."""
    Path("/tests/constraint").write_text(f"oesd=={version}\n")


def failing(which: str) -> str:
    """Type lines of which one has to fail; returns what was said."""
    try:
        typed(which)
    except AssertionError as error:
        return str(error)
    raise AssertionError(f"the lines of {which} passed")


def journal_says(words: str) -> bool:
    """Whether the service's last lines hold these words."""
    return words in run("journalctl", "-u", "oesd", "--no-pager", "-n", "30")


def keys_that_do_not_come(story: Story) -> None:
    """A sealed key of another machine, and one that is removed, end no measuring; a new one counts after a restart."""
    sealed = SEALED.read_bytes()
    SEALED.write_text("bm90IGEgc2VhbGVkIGtleQ==\n")
    run("systemctl", "restart", "oesd")
    measuring()
    assert (shown("ActiveState", "oesd-key"), handed()) == ("failed", "")
    back_after("oesd", signal.SIGKILL)
    measuring()
    SEALED.write_bytes(sealed)
    run("systemctl", "restart", "oesd")
    assert handed() == CANARY
    run("/opt/oesd/bin/oesd", "key", "set", "--plain", given=CANARY)
    assert not SEALED.exists()
    assert oct(PLAIN.stat().st_mode & 0o777) == "0o600"
    run("systemctl", "restart", "oesd")
    assert handed() == CANARY
    run("/opt/oesd/bin/oesd", "key", "remove")
    restarts = int(shown("NRestarts"))
    back_after("oesd", signal.SIGKILL)
    measuring()
    assert (int(shown("NRestarts")), handed()) == (restarts + 1, "")
    story.step("a key that cannot be unsealed, or is gone, ends no measuring")


def doctor(story: Story) -> None:
    """The doctor knows this machine; nothing in it is a fault but the missing spectrometers' bus, if any."""
    found = json.loads(run("/opt/oesd/bin/oesd", "doctor", "--json", must=False))
    service = [f for f in found if f["subject"] in ("service", "watchdog", "program", "configuration", "daemon")]
    assert service
    assert not [f for f in service if f["level"] == "fault"], service
    story.step("doctor", findings=len(found))


def hub_serves(story: Story) -> None:
    """The hub of a site: ready, healthy, takes what the daemon forwards, comes back after kill -9, stops."""
    run("/opt/oesd/bin/oesd", "install-service", "--hub", "--no-start")
    began_s = time.monotonic()
    run("systemctl", "start", "oesd-hub")
    ready_s = story.within("the hub's READY", time.monotonic() - began_s, 3.0)
    assert "hub at http://127.0.0.1:8530" in shown("StatusText", "oesd-hub")
    assert oct(HUB_KEY.stat().st_mode & 0o777) == "0o600"
    run("/opt/oesd/bin/oesd", "key", "set", given=HUB_KEY.read_text())
    CONFIG.write_text(SIMULATED + '\n[upload]\nendpoint = "http://127.0.0.1:8530/"\n')
    run("systemctl", "restart", "oesd")
    confirmed = "spectra are confirmed by the hub"
    until(confirmed, lambda: asked("/status").get("tally", {}).get("confirmed", 0) > 3, 90, sums_now)
    had = asked("/status")["tally"]["confirmed"]
    back_s = story.within("the hub is back after kill -9", back_after("oesd-hub", signal.SIGKILL), 6.0)
    until(confirmed, lambda: asked("/status").get("tally", {}).get("confirmed", 0) > had + 3, 90, sums_now)
    assert asked("/status")["upload"]["state"] == "ok"
    story.step("the hub takes what the daemon sends", hub_ready_s=ready_s, hub_back_s=back_s)


def hub_stops(story: Story) -> None:
    """The hub stops in time, with status 0; the daemon keeps what it cannot send."""
    began_s = time.monotonic()
    run("systemctl", "stop", "oesd-hub")
    stop_s = story.within("the hub's stop", time.monotonic() - began_s, 5.0)
    assert (shown("Result", "oesd-hub"), shown("ExecMainStatus", "oesd-hub")) == ("success", "0")
    until("spectra wait", lambda: asked("/status")["tally"]["pending"] > 0, 30, sums_now)
    story.step("the hub stopped", hub_stop_s=stop_s)


def sums_now() -> str:
    """What the daemon counts, for whoever looks at a failure."""
    state = asked("/status")
    return str((state.get("tally"), state.get("upload")))


def stopped(story: Story, times: int) -> None:
    """Stop: within 5 s, status 0, nothing lost; so every time."""
    took_s = []
    for turn in range(times):
        if turn:
            run("systemctl", "start", "oesd")
            measuring()
        began_s = time.monotonic()
        run("systemctl", "stop", "oesd")
        took_s.append(story.within("stop", time.monotonic() - began_s, 5.0))
        assert (shown("Result"), shown("ExecMainStatus")) == ("success", "0")
        assert not HANDED.parent.exists()
    verified = run("/opt/oesd/bin/oesd", "verify", "--data", "/var/lib/oesd")
    story.step("stopped", stops=times, stop_s=max(took_s), verify=verified.strip().splitlines()[-1])


def removed(story: Story) -> None:
    """Uninstalling leaves data and configuration."""
    run("/opt/oesd/bin/oesd", "uninstall-service")
    assert Path("/var/lib/oesd/oesd.sqlite").exists()
    assert CONFIG.exists()
    assert shown("LoadState") == "not-found"
    story.step("uninstalled")


def steps(story: Story) -> None:
    install(story)
    configured(story)
    killed(story, TIMES)
    refused(story)
    hung(story, TIMES)
    reloaded(story, TIMES)
    fenced_in(story)
    journal_fields(story)
    second(story)
    doctor(story)
    keys_that_do_not_come(story)
    updated(story)
    hub_serves(story)
    secret(story)
    hub_stops(story)
    stopped(story, TIMES)
    removed(story)


Story("service").tell(steps)
