"""The service under a real systemd: installed by the README's lines, killed, hung, reloaded, fenced in, stopped."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

from asserting import PAGE, Story, asked, run, shown, until

CANARY = "canary-key-0123456789abcdef"
CONFIG = Path("/etc/oesd/oesd.toml")
SIMULATED = """
[capture]
every = "1 s"
integration = "20 ms"

[simulation]
enabled = true
devices = ["USB2000+:SIM00001", "USB4000:SIM00002"]
"""
TIMES = int(os.environ.get("OESD_TIMES", "2"))


def typed(which: str) -> int:
    """Type the lines of a README, each of which has to succeed; packages come from where PIP_ variables say."""
    lines = Path(f"/tests/{which}-lines").read_text().splitlines()
    for line in lines:
        run("bash", "-c", line)
    return len(lines)


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
    story.step("ready", ready_s=round(time.monotonic() - began_s, 2))
    assert shown("ActiveState") == "active"
    until("the status line says measuring 2/2", lambda: "measuring 2/2" in shown("StatusText"), 40)
    story.step("the status line", status=shown("StatusText"))


def main_pid() -> int:
    return int(shown("MainPID"))


def killed(story: Story) -> None:
    """kill -9: back within 5 s; nothing that was stored is lost, and the gap is named."""
    stored, restarts = asked("/status")["tally"]["stored"], int(shown("NRestarts"))
    os.kill(main_pid(), 9)
    back_s = until("restarted", lambda: int(shown("NRestarts")) > restarts and shown("ActiveState") == "active", 15)
    until("more was stored", lambda: asked("/status").get("tally", {}).get("stored", 0) > stored, 30)
    story.step("killed with -9", back_s=round(back_s, 2))
    assert back_s < 5.0


def hung(story: Story) -> None:
    """A daemon that hangs is restarted by the watchdog within its limit and a little."""
    restarts = int(shown("NRestarts"))
    limit_s = float(shown("WatchdogUSec").removesuffix("s").removesuffix("m") or 30)
    os.kill(main_pid(), 19)
    took_s = until("the watchdog restarted it", lambda: int(shown("NRestarts")) == restarts + 1, limit_s + 20)
    until("it measures again", lambda: "measuring 2/2" in shown("StatusText"), 60)
    story.step("hung", watchdog_s=round(took_s, 1), limit_s=limit_s)
    assert took_s < limit_s + 10


def reloaded(story: Story) -> None:
    """A reload with a bad file changes nothing; with a good one no slot is lost at 1 Hz."""
    lost = sum(asked("/status")["tally"]["lost"].values())
    CONFIG.write_text(SIMULATED.replace("every", "evry"))
    run("systemctl", "reload", "oesd")
    time.sleep(2.0)
    assert asked("/status")["healthy"]
    assert "not reloaded" in run("journalctl", "-u", "oesd", "--no-pager", "-n", "30")
    CONFIG.write_text(SIMULATED + "\n[identify]\nambient = ['Ar']\n")
    run("systemctl", "reload", "oesd")
    until("the new recipe counts", lambda: "Ar" in json.dumps(asked("/status").get("recipe", {})), 20)
    time.sleep(3.0)
    now = sum(asked("/status")["tally"]["lost"].values())
    story.step("reloaded", slots_lost=now - lost)
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
    """The key is in no log, environment, property, argument, state file or report."""
    run("/opt/oesd/bin/oesd", "report", "--to", "/out/report.tar.gz")
    run("tar", "xzf", "/out/report.tar.gz", "-C", "/out")
    texts = {
        "journal": run("journalctl", "--no-pager", "-o", "export"),
        "properties": run("systemctl", "show", "oesd"),
        "environment": "".join(
            p.read_bytes().decode(errors="replace") for p in Path("/proc").glob("[0-9]*/environ") if p.exists()
        ),
        "arguments": run("ps", "axww", "-o", "args"),
        "status": json.dumps(asked("/status")),
        "report": "".join(p.read_text(errors="replace") for p in Path("/out/oesd-report").iterdir()),
        "state": run("grep", "-rlaF", CANARY, "/var/lib/oesd", must=False),
    }
    assert not [name for name, text in texts.items() if CANARY in text], "the key was seen"
    assert not texts["state"], texts["state"]
    writable = run(
        "find", "/", "-xdev", "(", "-user", "oesd", "-o", "-group", "oesd", "-o", "-perm", "-o+w", ")",
        "-not", "-type", "l", "-not", "-path", "/var/lib/oesd*", "-not", "-path", "/proc/*", "-not", "-path", "/run/*",
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
    story.step("updated and back", lost=lost)


def doctor(story: Story) -> None:
    """The doctor knows this machine; nothing in it is a fault but the missing spectrometers' bus, if any."""
    found = json.loads(run("/opt/oesd/bin/oesd", "doctor", "--json", must=False))
    service = [f for f in found if f["subject"] in ("service", "watchdog", "program", "configuration", "daemon")]
    assert service
    assert not [f for f in service if f["level"] == "fault"], service
    story.step("doctor", findings=len(found))


def stopped(story: Story) -> None:
    """Stop: within 5 s, status 0, nothing lost."""
    began_s = time.monotonic()
    run("systemctl", "stop", "oesd")
    took_s = time.monotonic() - began_s
    assert (shown("Result"), shown("ExecMainStatus")) == ("success", "0")
    verified = run("/opt/oesd/bin/oesd", "verify", "--data", "/var/lib/oesd")
    story.step("stopped", stop_s=round(took_s, 2), verify=verified.strip().splitlines()[-1])
    assert took_s < 5.0


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
    assert PAGE
    for _ in range(TIMES):
        killed(story)
    hung(story)
    reloaded(story)
    fenced_in(story)
    journal_fields(story)
    second(story)
    doctor(story)
    updated(story)
    secret(story)
    stopped(story)
    removed(story)


Story("service").tell(steps)
