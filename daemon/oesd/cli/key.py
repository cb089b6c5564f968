"""``oesd key``: the API key of the service, which is never shown."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from oesd.cli.errors import fail
from oesd.cli.roots import root_option

_LONGEST = 2000
_RESTART = "sudo systemctl restart oesd"


_NO_ARGUMENT = (
    "the key is no argument: it would stand in the history of the shell and in the list of processes; give oesd key "
    "set alone, it asks. A key that was typed there should be changed"
)
_TAKES_ALL = {"ignore_unknown_options": True}


class _Unquoting(click.Group):
    """Whatever else is given is taken and refused here: click would quote it, and it may be the key."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; what is none is not shown."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            fail(f"there are oesd key set and oesd key remove; {_NO_ARGUMENT}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Unquoting, context_settings=_TAKES_ALL)
def key() -> None:
    """The key with which the service forwards to the OES API."""


@key.command("set", context_settings=_TAKES_ALL)
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
        fail(_NO_ARGUMENT)
    try:
        file = set_key(ApiKey(_asked_for().strip()).reveal(), root, encrypt=encrypt)
    except (HostError, UploadError) as error:
        fail(str(error))
        raise
    click.echo(f"the key is in {file}; the service has it from its next start on: {_RESTART}")


@key.command(context_settings=_TAKES_ALL)
@root_option
@click.argument("given", nargs=-1, metavar="")
def remove(root: Path, given: tuple[str, ...]) -> None:
    """Remove the key; spectra wait in the queue from the next start on, none is lost."""
    from oesd.host import HostError, remove_key

    if given:
        fail(f"oesd key remove takes no argument; {_NO_ARGUMENT}")
    try:
        gone = remove_key(root)
    except HostError as error:
        fail(str(error))
        raise
    except OSError as error:  # a folder that is closed to us
        fail(f"{error.filename} cannot be removed: {error.strerror}")
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
