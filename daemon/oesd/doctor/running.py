"""What the running daemon says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from oesd.config import Config
from oesd.doctor.finding import Finding, fault, ok, warning
from oesd.service.access import AccessError
from oesd.service.directory import running
from oesd.service.remote import Remote

_START = "sudo systemctl start oesd, or: oesd run --config FILE"
_RESTART = "sudo systemctl restart oesd"


def asked(config: Config) -> Mapping[str, Any] | None:
    """The daemon's status document; None when none answers."""
    try:
        return Remote(address(config)).status()
    except AccessError:
        return None


def address(config: Config) -> str:
    """Where the daemon of this configuration says that it listens, else where it would."""
    said = running(config.data_dir)
    return said.url if said else f"http://{config.web.host}:{config.web.port}"


def daemon(config: Config, ask: Callable[[Config], Mapping[str, Any] | None] = asked) -> Iterator[Finding]:
    """Findings on each spectrometer, losses, storing and forwarding, as the daemon sees them."""
    state = ask(config)
    if state is None:
        yield warning("daemon", "none answers", _START)
        return
    if "spectrometers" not in state:
        yield warning(
            "daemon", f"what answers at {address(config)} is another program", "[web] port: choose a free one"
        )
        return
    try:
        findings = list(_told(state))
    except (KeyError, TypeError, AttributeError, ValueError):
        yield warning("daemon", "the one that runs is of another version than this command", _RESTART)
        return
    yield from findings


def _told(state: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _spectrometers(state)
    lost = sum(state["day"]["lost"].values())
    if lost:
        yield warning("slots", f"{lost} of {state['day']['due']} were lost in 24 h", "oesd ledger")
    else:
        yield ok("slots", f"{state['day']['stored']} of {state['day']['due']} stored in 24 h")
    if state.get("store"):
        yield fault("storing", str(state["store"]), "oesd status")
    upload = state["upload"]
    if upload["state"] not in ("ok", "off"):
        yield fault(
            "forwarding", f"{upload['state']}: {upload.get('blocked') or upload.get('last_error')}", "oesd status"
        )


def _spectrometers(state: Mapping[str, Any]) -> Iterator[Finding]:
    for unit in state["spectrometers"]:
        needs = [note["text"] for note in unit["notes"] if note["level"]]
        told = f"{unit['name']} ({unit['model']} {unit['serial']}): {unit['line']}"
        yield warning("measuring", f"{told}; {needs[0]}", "oesd status") if needs else ok("measuring", told)
    for where, problem in state["problems"].items():
        yield fault("measuring", f"{where}: {problem}", "oesd status")
    for name in state["late"]:
        yield fault("daemon", f"its {name} thread does not answer", "journalctl -u oesd -n 50")
