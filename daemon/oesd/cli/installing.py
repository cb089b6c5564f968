"""``oesd install-service``, ``oesd uninstall-service``."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath

import click

from oesd.cli.errors import fail
from oesd.cli.roots import root_option

_DRY = click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")
_NEXT = """
next:
  1. edit /etc/oesd/oesd.toml, then: oesd check-config /etc/oesd/oesd.toml && systemctl reload oesd
  2. where spectra are forwarded: oesd key set && systemctl restart oesd
  3. oesd doctor"""
_NEXT_HUB = """
next:
  1. edit /etc/oesd/hub.toml, then: systemctl restart oesd-hub
  2. the key that its clients need stands in /var/lib/oesd-hub/api-key, or where [hub] key_file says; on each lab PC
     that forwards to it: oesd key set && systemctl restart oesd
  3. oesd doctor"""
_NEXT_ELSEWHERE = "\n{root} is prepared; what was put off (later) happens when it is started, or by hand there"


@click.command("install-service")
@root_option
@_DRY
@click.option("--hub", is_flag=True, help="Start the hub of a site, not the daemon of a spectrometer.")
@click.option("--no-start", is_flag=True, help="Write everything, start nothing.")
def install_service(root: Path, dry_run: bool, hub: bool, no_start: bool) -> None:
    """Have this oesd run as a service: unit, user, udev rules, and a first configuration where there is none.

    Harmless again: what stands already is left, what differs is written anew, the configuration is never touched.
    """
    from oesd.host import PREFIX, HostError, check_prefix, install, installation

    here = root == Path("/")
    prefix = _prefix(PREFIX) if here else PREFIX
    try:
        if here and not dry_run:
            _need_root()
        if here:
            check_prefix(Path(prefix))
        plan = installation(prefix, hub=hub, start=not no_start)
        install(plan, root, click.echo, dry_run=dry_run)
    except HostError as error:
        fail(str(error))
    if dry_run:
        return
    if here:
        click.echo(_NEXT_HUB if hub else _NEXT)
    else:
        click.echo(_NEXT_ELSEWHERE.format(root=root))


@click.command("uninstall-service")
@root_option
@_DRY
def uninstall_service(root: Path, dry_run: bool) -> None:
    """Stop the service and remove its unit, user entry and udev rules; data, configuration and key stay."""
    from oesd.host import STOPPING, HostError, give, removal, remove

    try:
        if root == Path("/") and not dry_run:
            _need_root()
        give(STOPPING, root, click.echo, dry_run=dry_run, must=False)
        remove(removal(), root, click.echo, dry_run=dry_run)
    except HostError as error:
        fail(str(error))
    if not dry_run:
        click.echo("the data in /var/lib/oesd, /etc/oesd and the user oesd are left")


def _prefix(usual: PurePosixPath) -> PurePosixPath:
    """The virtual environment that runs this, by its usual name where that points to it: an upgrade turns it."""
    own = Path(sys.prefix)
    return usual if Path(usual).resolve() == own.resolve() else PurePosixPath(own)


def _need_root() -> None:
    if os.geteuid() != 0:
        fail("only root may do this: sudo " + " ".join(["oesd", *sys.argv[1:]]))
