"""The services under a real systemd: installed by the README's lines, killed, hung, reloaded, fenced in, stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

from asserting import Story, asked, run, shown, typed, until

CANARY = "canary-key-0123456789abcdef"
CONFIG = Path("/etc/oesd/oesd.toml")
HUB_KEY = Path("/var/lib/oesd-hub/api-key")
# Where a key rests: the hub's own file, and root's file where systemd cannot encrypt it.
ALLOWED = (str(HUB_KEY), "/etc/oesd/api-key")
SIMULATED = """
[capture]
every = "1 s"
integration = "20 ms"

[simulation]
enabled = true
devices = ["USB2000+:SIM00001", "USB4000:SIM00002"]
"""
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
    run("systemctl", "daemon-reload")
    began_s = time.monotonic()
    run("systemctl", "start", "oesd")
    story.step("ready", ready_s=story.within("READY", time.monotonic() - began_s, 2.0))
    assert shown("ActiveState") == "active"
    measuring()
    story.step("the status line", status=shown("StatusText"))


def main_pid(unit: str = "oesd") -> int:
    return int(shown("MainPID", unit))


def measuring() -> None:
    """Wait until both spectrometers measure."""
    until("the status line says measuring 2/2", lambda: "measuring 2/2" in shown("StatusText"), 40)


def back_after(unit: str, harm: int) -> float:
    """Send a signal to a service; returns after how many seconds another of it was ready."""
    restarts = int(shown("NRestarts", unit))
    os.kill(main_pid(unit), harm)
    return until(
        "restarted",
        lambda: int(shown("NRestarts", unit)) > restarts and shown("ActiveState", unit) == "active",
        90,
    )


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
        drop_in = Path("/run/systemd/system/oesd.service.d/watchdog.conf")
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text("[Service]\nWatchdogSec=10s\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "oesd")
        short = []
        for _ in range(times - 1):
            measuring()
            short.append(round(back_after("oesd", signal.SIGSTOP), 2))
            story.within("back after a hang, beyond the 10 s of the watchdog", max(0.1, short[-1] - 10), 5)
        drop_in.unlink()
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "oesd")
        story.step("hung with a watchdog of 10 s", hangs=times - 1, back_from_10_s=max(short))
    measuring()
    cores = run("find", "/", "-xdev", "-name", "core*", "-size", "+500k", must=False).strip()
    assert not cores, f"the watchdog's SIGABRT left a core: {cores}"
    story.step("hung", watchdog_s=round(shipped_s, 2))


def recipe() -> str:
    """What the daemon analyses by."""
    return json.dumps(asked("/status").get("recipe", {}))


def reloaded(story: Story, times: int) -> None:
    """A reload with a bad file changes nothing; with a good one no slot is lost at 1 Hz."""
    lost = sum(asked("/status")["tally"]["lost"].values())
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
    story.step("reloaded", reloads=times, slots_lost=now - lost)
    assert now == lost, asked("/status")["tally"]["lost"]


def fenced_in(story: Story) -> None:
    """What the sandbox must forbid is forbidden in the service's own namespaces; what it needs is there."""
    probe = run("/opt/oesd/bin/python", "/tests/probe.py", str(main_pid()))
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
        "properties": run("systemctl", "show", "oesd", "oesd-hub"),
        "environment": "".join(
            p.read_bytes().decode(errors="replace") for p in Path("/proc").glob("[0-9]*/environ") if p.exists()
        ),
        "arguments": run("ps", "axww", "-o", "args"),
        "status": json.dumps(asked("/status")),
        "report": "".join(p.read_text(errors="replace") for p in Path("/out/oesd-report").iterdir()),
    }
    seen = [name for name, text in texts.items() for key in keys if key in text]
    assert not seen, f"a key was seen in {seen}"
    for key in keys:
        files = run("grep", "-rlaF", key, "/var/lib", "/etc", "/run", "/var/log", "/tmp", "/opt", must=False).split()
        assert not [file for file in files if file not in ALLOWED and not file.startswith("/run/credentials/")], files
    writable = run(
        "find", "/", "-xdev", "(", "-user", "oesd", "-o", "-group", "oesd", "-o", "-perm", "-o+w", ")",
        "-not", "-type", "l", "-not", "-path", "/var/lib/oesd/*", "-not", "-path", "/var/lib/oesd",
        "-not", "-path", "/var/lib/oesd-hub*", "-not", "-path", "/var/lib/oesd-before*",
        "-not", "-path", "/proc/*", "-not", "-path", "/run/*",
        "-not", "-path", "/tmp", "-not", "-path", "/var/tmp", "-not", "-path", "/tmp/*", "-not", "-path", "/var/tmp/*",
        "-not", "-path", "/dev/*", "-not", "-path", "/out*", "-not", "-path", "/tests*",
    )  # fmt: skip
    assert not writable.strip(), f"files that the service could change: {writable}"
    story.step("the key is nowhere, and no program file is the service's to change", core=shown("LimitCORE"))


def journal_fields(story: Story) -> None:
    """Entries can be asked for by spectrometer and event."""
    for field in ("OESD_SERIAL=SIM00001", "OESD_EVENT=run begins", "OESD_EVENT=opened"):
        assert "-- No entries --" not in run("journalctl", field, "--no-pager", "-n", "1"), field
    story.step("the journal's fields")


def second(story: Story) -> None:
    """A second daemon on the same data refuses at once."""
    began_s = time.monotonic()
    said = run("runuser", "-u", "oesd", "--", "/opt/oesd/bin/oesd", "run", "--config", str(CONFIG), must=False)
    took_s = time.monotonic() - began_s
    assert "is in use by process" in said, said
    story.step("a second daemon refuses", refused_s=round(took_s, 2))


def program() -> str:
    """Prefix of the program that runs as the service."""
    return Path(f"/proc/{main_pid()}/cmdline").read_bytes().split(b"\0")[1].decode().removesuffix("/bin/oesd")


def updated(story: Story) -> None:
    """A new version beside the old one, and back; nothing stored is lost, the seconds between have a name."""
    stored = asked("/status")["tally"]["stored"]
    typed("update")
    assert program() == "/opt/oesd-next", program()
    until("it measures", lambda: "measuring 2/2" in shown("StatusText"), 40)
    typed("back")
    assert program() == "/opt/oesd", program()
    until("it measures again", lambda: asked("/status").get("tally", {}).get("stored", 0) > stored, 40)
    lost = asked("/status")["tally"]["lost"]
    assert set(lost) <= {"daemon down"}, lost
    shutil.rmtree("/opt/oesd-next")
    story.step("updated and back", lost=lost)


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
    run("systemctl", "daemon-reload")
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
    hung(story, TIMES)
    reloaded(story, TIMES)
    fenced_in(story)
    journal_fields(story)
    second(story)
    doctor(story)
    updated(story)
    hub_serves(story)
    secret(story)
    hub_stops(story)
    stopped(story, TIMES)
    removed(story)


Story("service").tell(steps)
