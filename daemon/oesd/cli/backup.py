"""``oesd backup``: a consistent copy of the data, verified, while the daemon runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from oesd.cli.data import directory_of, on_data
from oesd.cli.errors import expected, fail
from oesd.cli.screen import progress
from oesd.cli.verify import FOUND, finding_line


@click.command()
@click.argument("target", metavar="TARGET", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in the place of an earlier backup, once the new one is whole.")
@on_data
def backup(target: Path, replace: bool, data: Path | None) -> None:
    """Copy the data directory to TARGET, a directory that a daemon can be started on; beside a daemon too.

    Keys of APIs are not in it. Status 1 when something in it is damaged, as it is in the data.
    """
    from oesd.store.backup import back_up

    try:
        with progress() as shown:
            made = back_up(directory_of(data), target, replace=replace, told=shown.tell)
    except expected() as error:
        fail(str(error))
        raise
    for finding in made.findings:
        click.echo(finding_line(finding))
    state = f"{len(made.findings)} findings, the same as in the data" if made.findings else "verified"
    click.echo(f"{target}: {made.size_bytes / 1e6:.1f} MB, {state}")
    sys.exit(FOUND if made.findings else 0)
