"""``oesd devices``."""

from __future__ import annotations

import json

import click

from oesd.cli.errors import expected, fail
from oesd.cli.screen import echo_table


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
    if found:
        echo_table(
            [["model", "address", "port"], *([model, address, str(port or "-")] for model, address, port in found)]
        )
    else:
        click.echo("no spectrometer is plugged in")
