"""``oesd key``: the API key of the service, which is never shown."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from oesd.cli.errors import fail

_ROOT = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), default=Path("/"), help="Another root directory."
)


@click.group()
def key() -> None:
    """The key with which the service forwards to the OES API."""


@key.command("set")
@_ROOT
@click.option("--encrypt/--plain", default=None, help="By default encrypted to this machine where systemd can.")
def set_(root: Path, encrypt: bool | None) -> None:
    """Ask for the key, or read it from standard input, and keep it where only the service gets it.

    It is no argument, so that it stands in no shell history and no list of processes.
    """
    from oesd.host import HostError, set_key
    from oesd.upload import ApiKey, UploadError

    given = click.prompt("API key", hide_input=True) if sys.stdin.isatty() else sys.stdin.read(2000)
    try:
        file = set_key(ApiKey(given.strip()).reveal(), root.absolute(), encrypt=encrypt)
    except (HostError, UploadError) as error:
        fail(str(error))
        raise
    click.echo(
        f"the key is in {file}; the service reads it when it starts: systemctl daemon-reload && systemctl restart oesd"
    )


@key.command()
@_ROOT
def remove(root: Path) -> None:
    """Remove the key; spectra wait in the queue from the next start on, none is lost."""
    from oesd.host import HostError, remove_key

    try:
        gone = remove_key(root.absolute())
    except HostError as error:
        fail(str(error))
        raise
    for path in gone:
        click.echo(f"removed {path}")
    if not gone:
        click.echo("there was no key")
