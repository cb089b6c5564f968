"""The service as systemd sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from oesd.doctor.finding import Finding, Host, fault, ok, warning
from oesd.host.asking import NoAnswer, ask
from oesd.host.plan import DAEMON

_ASKED = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "NRestarts", "WatchdogUSec", "StatusText",
    "NeedDaemonReload", "FragmentPath",
)  # fmt: skip
_LOG = "journalctl -u oesd -n 50"


def shown(unit: str = DAEMON) -> Mapping[str, str]:
    """Properties of a unit, by ``systemctl show``; empty when it cannot be asked."""
    try:
        answer = ask(["systemctl", "show", unit, "--property", ",".join(_ASKED)])
    except NoAnswer:
        return {}
    return dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)


def service(host: Host, show: Callable[[], Mapping[str, str]] = shown) -> Iterator[Finding]:
    """Whether the service is installed, runs, is watched, and comes back at the next boot."""
    if not host.at("/run/systemd/system").is_dir():
        yield warning(
            "service", "systemd does not run here: nothing starts oesd again when it ends", "oesd run --config FILE"
        )
        return
    state = show()
    if state.get("LoadState") in (None, "not-found"):
        yield warning("service", f"{DAEMON} is not installed", "sudo oesd install-service")
        return
    if state["LoadState"] != "loaded":
        yield fault(
            "service", f"{DAEMON} is {state['LoadState']}", f"systemctl status {DAEMON}; systemctl unmask {DAEMON}"
        )
        return
    yield _activity(state)
    if state.get("UnitFileState") != "enabled":
        yield warning(
            "service", f"it does not start at boot ({state.get('UnitFileState')})", f"sudo systemctl enable {DAEMON}"
        )
    if state.get("NeedDaemonReload") == "yes":
        yield warning("service", "its unit was changed since systemd read it", "sudo systemctl daemon-reload")
    if state.get("WatchdogUSec") in (None, "", "0", "infinity"):
        yield warning("watchdog", "off: a daemon that hangs is not restarted", "sudo oesd install-service")
    else:
        yield ok("watchdog", state["WatchdogUSec"])


def _activity(state: Mapping[str, str]) -> Finding:
    active, restarts = state.get("ActiveState"), int(state.get("NRestarts") or 0)
    told = f": {state['StatusText']}" if state.get("StatusText") else ""
    if active == "active":
        if restarts:
            return warning("service", f"active{told}, but it was restarted {restarts} times", _LOG)
        return ok("service", f"active{told}")
    if active in ("activating", "reloading", "deactivating"):
        return warning("service", f"{active} ({state.get('SubState')}){told}", _LOG)
    return fault("service", f"{active} ({state.get('Result')})", f"{_LOG}, then: sudo systemctl start oesd")
