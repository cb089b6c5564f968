"""The service as systemd sees it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from oesd.doctor.finding import Finding, Host, fault, ok, warning
from oesd.host.asking import NoAnswer, ask
from oesd.host.plan import DAEMON, HUB, KEY, PREFIX, UNITS, unit_text

_ASKED = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "NRestarts", "WatchdogUSec", "StatusText",
    "NeedDaemonReload", "FragmentPath",
)  # fmt: skip
_INSTALL = "sudo oesd install-service"
_KEY_AGAIN = "journalctl -u oesd-key -n 20; sudo oesd key set, then: sudo systemctl restart oesd"


def shown(unit: str) -> Mapping[str, str]:
    """Properties of a unit, by ``systemctl show``; empty when it cannot be asked."""
    try:
        answer = ask(["systemctl", "show", unit, "--property", ",".join(_ASKED)])
    except NoAnswer:
        return {}
    return dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)


def service(
    host: Host, show: Callable[[str], Mapping[str, str]] = shown, prefix: Path = Path(sys.prefix)
) -> Iterator[Finding]:
    """Whether the service is installed as this version ships it, runs, is watched, and comes back at the next boot.

    On a site's hub, where the hub is started and the daemon is not, that one is looked at.
    """
    if not host.at("/run/systemd/system").is_dir():
        yield warning(
            "service", "systemd does not run here: nothing starts oesd again when it ends", "oesd run --config FILE"
        )
        return
    states = {unit: show(unit) for unit in (DAEMON, HUB)}
    meant = [unit for unit, state in states.items() if _is_meant(state)] or [DAEMON]
    for unit in meant:
        yield from _state(host, unit, states[unit], prefix)
    if show(KEY).get("ActiveState") == "failed":
        yield fault("key", f"{KEY} failed: the service measures without it", _KEY_AGAIN)


def _is_meant(state: Mapping[str, str]) -> bool:
    """Whether somebody had it started, now or at boot."""
    return state.get("UnitFileState") == "enabled" or state.get("ActiveState") not in (None, "inactive")


def _state(host: Host, unit: str, state: Mapping[str, str], prefix: Path) -> Iterator[Finding]:
    if state.get("LoadState") in (None, "not-found"):
        yield warning("service", f"{unit} is not installed", _INSTALL)
        return
    if state["LoadState"] != "loaded":
        yield fault("service", f"{unit} is {state['LoadState']}", f"systemctl status {unit}; systemctl unmask {unit}")
        return
    yield _activity(unit, state)
    yield from _unit_file(host, unit, state, prefix)
    if state.get("UnitFileState") != "enabled":
        yield warning(
            "service", f"it does not start at boot ({state.get('UnitFileState')})", f"sudo systemctl enable {unit}"
        )
    if state.get("NeedDaemonReload") == "yes":
        yield warning("service", "its unit was changed since systemd read it", "sudo systemctl daemon-reload")
    if state.get("WatchdogUSec") in (None, "", "0", "infinity"):
        yield warning("watchdog", "off: a daemon that hangs is not restarted", _INSTALL)
    else:
        yield ok("watchdog", state["WatchdogUSec"])


def _unit_file(host: Host, unit: str, state: Mapping[str, str], prefix: Path) -> Iterator[Finding]:
    """Whether the unit starts this program, and is the one that this version ships."""
    file = host.at(state.get("FragmentPath") or os.devnull)
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    started = _started(text)
    if started and host.at(started).resolve() != prefix.resolve():
        yield warning("service", f"it runs {started}/bin/oesd, this is {prefix}/bin/oesd", _ask_that(started))
    elif text != unit_text(unit, PurePosixPath(started or PREFIX)):
        yield warning("service", f"{file} is not the one of this version", _INSTALL)


def cure(host: Host, prefix: Path = Path(sys.prefix)) -> str:
    """How files that are of another version are mended; by the program that the service runs, where that is another."""
    try:
        started = _started(host.at(str(UNITS / DAEMON)).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        started = ""
    return _ask_that(started) if started and host.at(started).resolve() != prefix.resolve() else _INSTALL


def _started(unit: str) -> str:
    """The virtual environment whose program a unit starts."""
    found = re.search(r"(?m)^ExecStart=(/\S+)/bin/oesd ", unit)
    return found[1] if found else ""


def _ask_that(prefix: str) -> str:
    return f"sudo {prefix}/bin/oesd doctor"


def _activity(unit: str, state: Mapping[str, str]) -> Finding:
    log = f"journalctl -u {unit.removesuffix('.service')} -n 50"
    active, restarts = state.get("ActiveState"), int(state.get("NRestarts") or 0)
    told = f": {state['StatusText']}" if state.get("StatusText") else ""
    if active == "active":
        if restarts:
            return warning("service", f"active{told}, but it was restarted {restarts} times", log)
        return ok("service", f"active{told}")
    if active == "activating" and told:
        return fault("service", f"it does not start{told}", log)
    if active in ("activating", "reloading", "deactivating"):
        return warning("service", f"{active} ({state.get('SubState')}){told}", log)
    return fault("service", f"{active} ({state.get('Result')})", f"{log}, then: sudo systemctl start {unit}")
