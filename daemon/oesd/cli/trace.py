"""``oesd trace``: one line over time, as a table that any program reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.data import directory_of, on_data
from oesd.cli.durations import DurationType
from oesd.cli.errors import expected, fail

if TYPE_CHECKING:
    from oesd.store.traces import Trace

_AHEAD = timedelta(days=1)
"""Spectra of a clock that was a little ahead are shown, too."""


@click.command()
@click.argument("device", metavar="DEVICE")
@click.argument("wavelength_nm", metavar="NM", type=click.FloatRange(10, 5000))
@click.option(
    "--near", "near_nm", type=click.FloatRange(0.001, 10), default=0.3, show_default=True, help="How near, nm."
)
@click.option("--since", type=DurationType(), default="24h", show_default=True, help='How far back, such as "30d".')
@on_data
def trace(device: str, wavelength_nm: float, near_nm: float, since: float, data: Path | None) -> None:
    """Print the peak of spectrometer DEVICE nearest to NM over time: time, wavelength, intensity, area.

    Reads beside a daemon and without one. Thinned spectra are in it; a spectrum without such a peak is a row without
    numbers.
    """
    from oesd.store.onlooker import Onlooker

    now = datetime.now(UTC)
    try:
        with Onlooker(directory_of(data)) as store:
            found = store.trace(
                device, wavelength_nm, near_nm, since=now - timedelta(seconds=since), until=now + _AHEAD
            )
    except expected() as error:
        fail(str(error))
        raise
    if not len(found.taken_at_us):
        fail(f"no spectrum of {device!r} with a result in this time")
    for line in csv_lines(found):
        click.echo(line)


def csv_lines(found: Trace) -> Iterator[str]:
    """The trace as comma-separated values with a heading."""
    yield "taken_at_utc,wavelength_nm,intensity,area"
    for taken_at_us, *numbers in zip(
        found.taken_at_us.tolist(),
        found.wavelength_nm.tolist(),
        found.intensity.tolist(),
        found.area.tolist(),
        strict=True,
    ):
        moment = datetime.fromtimestamp(taken_at_us / 1e6, UTC).isoformat(timespec="milliseconds")
        cells = ("" if math.isnan(number) else f"{number:.7g}" for number in numbers)
        yield ",".join((moment.replace("+00:00", "Z"), *cells))
