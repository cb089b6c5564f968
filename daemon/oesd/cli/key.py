"""``oesd key``: the API key of the service, which is never shown."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from oesd.cli.errors import fail
from oesd.cli.roots import root_option

_LONGEST = 2000
_RESTART = "sudo systemctl restart oesd"


@click.group()
def key() -> None:
    """The key with which the service forwards to the OES API."""


# Whatever else is given is taken and refused here: click would quote it, and it may be the key.
@key.command("set", context_settings={"ignore_unknown_options": True})
@root_option
@click.option("--encrypt/--plain", default=None, help="By default sealed to this machine where systemd can.")
@click.argument("given", nargs=-1, metavar="")
def set_(root: Path, encrypt: bool | None, given: tuple[str, ...]) -> None:
    """Ask for the key, or read it from standard input, and keep it where only the service gets it.

    It is no argument, so that it stands in no shell history and no list of processes.
    """
    from oesd.host import HostError, set_key
    from oesd.upload import ApiKey, UploadError

    if given:
        fail(
            "the key is no argument: it would stand in the history of the shell and in the list of processes; give "
            "oesd key set alone, it asks. A key that was typed there should be changed"
        )
    try:
        file = set_key(ApiKey(_asked_for().strip()).reveal(), root, encrypt=encrypt)
    except (HostError, UploadError) as error:
        fail(str(error))
        raise
    click.echo(f"the key is in {file}; the service has it from its next start on: {_RESTART}")


@key.command()
@root_option
def remove(root: Path) -> None:
    """Remove the key; spectra wait in the queue from the next start on, none is lost."""
    from oesd.host import HostError, remove_key

    try:
        gone = remove_key(root)
    except HostError as error:
        fail(str(error))
        raise
    for path in gone:
        click.echo(f"removed {path}")
    if gone:
        click.echo(f"the service that runs has it until its next start: {_RESTART}")
    else:
        click.echo("there was no key")


def _asked_for() -> str:
    if sys.stdin is None:
        fail("standard input is closed: the key is read from there, or asked for at a terminal")
        return ""
    if sys.stdin.isatty():
        return str(click.prompt("API key", hide_input=True))
    try:
        return sys.stdin.read(_LONGEST)
    except UnicodeDecodeError:
        return ""  # no key, and the error would quote bytes of it
