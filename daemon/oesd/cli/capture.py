"""``oesd capture``: one dark, reference or sample now, and what became of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from oesd.cli.durations import DurationType
from oesd.cli.errors import expected, fail, printable
from oesd.cli.targets import new_file

if TYPE_CHECKING:
    from oesd.service.access import Remote

_REFUSED = 1
_LOOK_S = 0.25
_JUDGED = ("dark refused", "reference refused")  # taken, and told by the verdict
_BY_DAEMON = "by a daemon, not for one to a file"
_TO_FILE = "without a daemon (--to): a daemon exposes as its configuration says"
_OF_FILE = ("integration", "scans")
_OF_DAEMON = ("data", "url", "no_wait", "patience_s")


@click.command()
@click.argument("kind", type=click.Choice(["sample", "reference", "dark"]))
@click.option("--device", default="", help="Name or serial number; all spectrometers when absent.")
@click.option(
    "--wait", "patience_s", type=DurationType(), default="2min", show_default=True, help="No longer than this."
)
@click.option("--no-wait", is_flag=True, help="Order it only.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory of the daemon to ask.")
@click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
@click.option("--to", "file", type=click.Path(path_type=Path), help="Without a daemon: write the capture to this file.")
@click.option("--integration", default="100 ms", show_default=True, help="With --to: integration time.")
@click.option("--scans", type=click.IntRange(1, 10_000), default=1, show_default=True, help="With --to: scans to sum.")
def capture(
    kind: str,
    device: str,
    patience_s: float,
    no_wait: bool,
    url: str | None,
    data: Path | None,
    file: Path | None,
    integration: str,
    scans: int,
) -> None:
    """Take one capture now.

    The running daemon takes it between two samples of its run and keeps it. A dark or a reference is waited for until
    it is stored and judged; status 1 when it is refused or does not come. With --to no daemon is needed: the capture of
    one spectrometer is written to a file that oesd analyze reads.
    """
    _check_options(file is not None)
    try:
        if file is not None:
            _capture_to(file, kind, device, integration, scans)
        else:
            _order(kind, device, url, data, None if no_wait or kind == "sample" else patience_s)
    except expected() as error:
        fail(str(error))


def _check_options(to_file: bool) -> None:
    """Refuse what would be passed over: a capture with another exposure than was asked for looks like the right one."""
    context = click.get_current_context()
    for option in context.command.params:
        foreign = option.name in (_OF_DAEMON if to_file else _OF_FILE)
        if foreign and context.get_parameter_source(option.name or "") is not ParameterSource.DEFAULT:
            fail(f"{option.opts[0]} is for a capture {_BY_DAEMON if to_file else _TO_FILE}")


def _order(kind: str, device: str, url: str | None, data: Path | None, patience_s: float | None) -> None:
    from oesd.service.access import remote

    daemon = remote(url, data)
    before = daemon.status()
    names = daemon.capture(kind, device)
    if not names:
        fail(f"no spectrometer called {device!r}" if device else "no spectrometer is at work")
    ordered = printable(f"{kind} ordered of {', '.join(names)}")
    if patience_s is None:
        click.echo(ordered)
        return
    click.echo(f"{ordered}; waiting until it is taken and judged ...", err=True)
    judged = _wait(daemon, kind, names, before, patience_s)
    after = daemon.status()
    for name in names:
        click.echo(printable(f"{kind} of {name}: {_said(name, kind, judged, before, after)}"))
    if not all(judged.get(name, {}).get("accepted") for name in names):
        raise SystemExit(_REFUSED)


def _wait(
    daemon: Remote, kind: str, names: Sequence[str], before: Mapping[str, Any], patience_s: float
) -> dict[str, Mapping[str, Any]]:
    """What is known of each new capture of the kind, by spectrometer; those that did not come are not in it."""
    end_s = time.monotonic() + patience_s
    while True:
        now = daemon.status()
        judged = {name: facts for name in names if (facts := _new_verdict(before, now, name, kind))}
        not_taken = sum(_lost_since(before, now).values())
        if len(judged) + not_taken >= len(names) or time.monotonic() >= end_s:
            return judged
        time.sleep(_LOOK_S)


def _new_verdict(before: Mapping[str, Any], now: Mapping[str, Any], name: str, kind: str) -> Mapping[str, Any]:
    """The verdict on a capture of the kind that was judged meanwhile; empty when there is none."""
    for fate in ("accepted", "refused"):
        then, last = (_verdict(status, name, kind, f"last_{fate}") for status in (before, now))
        if last and last.get("record_id") != then.get("record_id"):
            return {"accepted": fate == "accepted", "reason": last["reason"]}
    return {}


def _verdict(status: Mapping[str, Any], name: str, kind: str, which: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = status.get("library", {}).get(name, {}).get(f"{kind}s", {}).get(which)
    return found or {}


def _lost_since(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, int]:
    then = before["tally"]["lost_calibration"]
    lost = {reason: slots - then.get(reason, 0) for reason, slots in now["tally"]["lost_calibration"].items()}
    return {reason: slots for reason, slots in lost.items() if slots > 0 and reason not in _JUDGED}


def _said(
    name: str,
    kind: str,
    judged: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> str:
    from oesd.service.advice import ADVICE

    if name in judged:
        return f"{'accepted' if judged[name]['accepted'] else 'refused'}: {judged[name]['reason']}"
    lost = next(iter(_lost_since(before, after)), "")
    if lost:
        return f"not taken: {lost}" + (f" - {ADVICE[lost]}" if lost in ADVICE else "")
    line = next((unit["line"] for unit in after["spectrometers"] if unit["name"] == name), "the spectrometer has gone")
    return f"not taken in time; {name}: {line}"


def _capture_to(file: Path, kind: str, serial: str, integration: str, scans: int) -> None:
    from oesd.config import parse_duration_us
    from oesd.model import Kind
    from oesd.service.single import capture_file
    from oesd_drivers.spectrometer import Exposure

    try:
        exposure = Exposure(parse_duration_us(integration), scans)
    except ValueError as error:
        fail(f"--integration: {error}")
        raise
    if os.path.lexists(file):
        fail(f"{file}: is there already: name another file")
    written = capture_file(Kind(kind), serial, exposure)
    with new_file(file, force=False) as out:
        out.write(written)
    click.echo(printable(f"{file}: one {kind}, {len(written)} bytes"))
