"""``oesd run start``, ``stop``, ``pause``, ``resume``, ``list``: orders to the running daemon; runs and their slots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from oesd.cli.durations import DurationType
from oesd.cli.entries import reached, where
from oesd.cli.errors import expected, fail, printable
from oesd.cli.ledger import count_texts, end_text, second_text
from oesd.cli.screen import aligned, echo_report

F = TypeVar("F", bound=Callable[..., Any])


def _orders(command: F) -> F:
    """Options of every order."""
    device = click.option("--device", default="", metavar="NAME", help="Name or serial number; all when absent.")
    data = click.option("--data", type=click.Path(path_type=Path), help="Data directory of the daemon to ask.")
    url = click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
    return device(data(url(command)))


@click.command()
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=TEXT", help="Goes with every spectrum; may be repeated."
)
@click.option("--every", metavar="TIME", help='Distance of the slots, such as "200ms"; else as configured.')
@click.option("--for", "duration", metavar="TIME", help='How long, such as "8h"; else until it is stopped.')
@click.option("--burst", type=click.IntRange(1, 1_000_000), help="So many frames at the spectrometer's own speed.")
@click.option("--lock-exposure", is_flag=True, help="An automatic exposure stays as it is.")
@_orders
def start(
    labels: Sequence[str],
    every: str | None,
    duration: str | None,
    burst: int | None,
    lock_exposure: bool,
    device: str,
    url: str | None,
    data: Path | None,
) -> None:
    """Begin a run; the one that is on ends.

    When it is over or stopped, the configuration's own order takes over again. A spectrometer that appears later joins.
    """
    wishes = {"every": every, "duration": duration, "burst": burst, "labels": _labels(labels)}
    body = {name: wish for name, wish in wishes.items() if wish}
    _give({"action": "start", **body, **({"lock_exposure": True} if lock_exposure else {})}, device, url, data)


@click.command()
@_orders
def stop(device: str, url: str | None, data: Path | None) -> None:
    """End an ordered run; the configuration's own order takes over again."""
    _give({"action": "stop"}, device, url, data)


@click.command()
@_orders
def pause(device: str, url: str | None, data: Path | None) -> None:
    """Let the slots pass as "paused", until resume, the next start, or a restart of the daemon."""
    _give({"action": "pause"}, device, url, data)


@click.command()
@_orders
def resume(device: str, url: str | None, data: Path | None) -> None:
    """Serve the slots again."""
    _give({"action": "resume"}, device, url, data)


@click.command("label")
@click.argument("labels", nargs=-1, metavar="NAME=TEXT ...")
@click.option("--remove", multiple=True, metavar="NAME", help="Take a label away; may be repeated.")
@_orders
def label_run(labels: Sequence[str], remove: Sequence[str], device: str, url: str | None, data: Path | None) -> None:
    """Change labels of the run that is on: its spectra carry them from now on.

    Spectra that were taken keep the labels they have, and the rest of the run's labels stay.
    """
    changes: dict[str, str | None] = {**_labels(labels), **dict.fromkeys(remove)}
    if not changes:
        fail("nothing to change: give NAME=TEXT, such as sample=GaN-7, or --remove NAME")
    from oesd.service.access import remote

    try:
        daemon = remote(url, data)
        on = [run for run in daemon.runs(None, datetime.now(UTC))["runs"] if run["on"]]
        said = {
            name: given
            for run in on
            if device in ("", run["device_name"])
            for name, given in daemon.label_run(run["run_id"], run["device_name"], changes).items()
        }
    except expected() as error:
        fail(str(error))
        raise
    if not said:
        fail(f"no run{f' of {device!r:.80}' if device else ''} is on: oesd run start --label NAME=TEXT begins one")
    for name, given in said.items():
        click.echo(printable(f"{name}: {label_text(given) or 'no label'} from the next spectrum on"))


@click.command("list")
@click.option("--device", metavar="NAME", help="One spectrometer only.")
@click.option("--since", type=DurationType(), default="24h", show_default=True, help='How far back, such as "30d".')
@click.option("--json", "as_json", is_flag=True, help="The GET /runs document, for programs.")
@where
def list_runs(device: str | None, since: float, as_json: bool, url: str | None, data: Path | None) -> None:
    """List the runs with their slots and labels. Times are UTC."""
    with reached(url, data) as access:
        document = access.runs(device, datetime.now(UTC) - timedelta(seconds=since))
        if as_json:
            click.echo(json.dumps(document))
        else:
            echo_report(*run_report(document))


def run_lines(document: Mapping[str, Any]) -> list[str]:
    """Lines that show a GET /runs document to a program."""
    rows, lines = run_report(document)
    return [*aligned(rows), *lines]


def run_report(document: Mapping[str, Any]) -> tuple[list[list[str]], list[str]]:
    """The table of a GET /runs document, empty when there is no run, and the lines below it."""
    head = ["began (UTC)", "ended", "spectrometer", "by", "every", "due", "stored", "lost", "why", "labels", "run"]
    runs = [[*_cells(run), label_text(run["labels"]), run["run_id"]] for run in document["runs"]]
    below = [standing_line(document["standing"])] if "standing" in document else []
    return ([head, *runs], below) if runs else ([], ["no run since then", *below])


def _cells(run: Mapping[str, Any]) -> list[str]:
    every = f"{run['period_us'] / 1e6:g} s" if run["paced"] else "burst"
    began = second_text(run["began_at_utc"])
    return [began, end_text(run), run["device_name"], run["cause"] or "-", every, *count_texts(run)]


def label_text(labels: Mapping[str, str]) -> str:
    """Labels in one line."""
    return ", ".join(f"{name}={text}" for name, text in labels.items())


def standing_line(standing: Mapping[str, Any]) -> str:
    """Say what counts when nobody orders anything."""
    labels = label_text(standing["labels"])
    return f"the configuration's own order: {standing['start']}" + (f", {labels}" if labels else "")


def _labels(given: Sequence[str]) -> dict[str, str]:
    labels = {}
    for label in given:
        name, equals, text = label.partition("=")
        if not (name and equals):
            fail(f"label {label!r}: write NAME=TEXT, such as sample=GaN-7")
        labels[name.strip()] = text
    return labels


def _give(body: Mapping[str, Any], device: str, url: str | None, data: Path | None) -> None:
    from oesd.service.access import remote

    try:
        said = remote(url, data).order({**body, "device": device})
    except expected() as error:
        fail(str(error))
        raise
    for name, what in said.items():
        click.echo(printable(f"{name}: {what}"))
    if not said:
        click.echo("no spectrometer is at work now; what is ordered counts for those that appear")
