"""``oesd devices`` and ``oesd capture``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from oesd.cli.errors import expected, fail


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def devices(as_json: bool) -> None:
    """List the spectrometers that are plugged in, without opening or resetting any.

    USB tells the model and the place; the serial number is known once a spectrometer is open: see oesd status.
    """
    from oesd.service.bench import plugged_spectrometers

    try:
        found = plugged_spectrometers()
    except expected() as error:
        fail(str(error))
        raise
    if as_json:
        click.echo(json.dumps([{"model": model, "address": address, "port": port} for model, address, port in found]))
        return
    for model, address, port in found:
        click.echo(f"{model:12} {address}" + (f"  port {port}" if port else ""))
    if not found:
        click.echo("no spectrometer is plugged in")


@click.command()
@click.argument("kind", type=click.Choice(["sample", "reference", "dark"]))
@click.option("--device", default="", help="Name or serial number; all spectrometers when absent.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory of the daemon to ask.")
@click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
@click.option("--to", "file", type=click.Path(path_type=Path), help="Without a daemon: write the capture to this file.")
@click.option("--integration", default="100 ms", show_default=True, help="With --to: integration time.")
@click.option("--scans", type=click.IntRange(1, 10_000), default=1, show_default=True, help="With --to: scans to sum.")
def capture(
    kind: str, device: str, data: Path | None, url: str | None, file: Path | None, integration: str, scans: int
) -> None:
    """Take one capture now.

    The running daemon takes it between two samples of its run and keeps it. With --to no daemon is needed: the capture
    of one spectrometer is written to a file that oesd analyze reads.
    """
    try:
        if file is not None:
            _capture_to(file, kind, device, integration, scans)
        else:
            _order(kind, device, url, data)
    except expected() as error:
        fail(str(error))


def _order(kind: str, device: str, url: str | None, data: Path | None) -> None:
    from oesd.service.access import remote

    names = remote(url, data).capture(kind, device)
    if not names:
        fail(f"no spectrometer called {device!r}" if device else "no spectrometer is at work")
    click.echo(f"{kind} ordered of {', '.join(names)}")


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
    written = capture_file(Kind(kind), serial, exposure)
    try:
        with file.open("xb") as out:
            out.write(written)
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror}")
    click.echo(f"{file}: one {kind}, {len(written)} bytes")
