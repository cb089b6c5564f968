"""``oesd check-config``."""

from __future__ import annotations

from pathlib import Path

import click

from oesd.cli.errors import fail
from oesd.config import ConfigError, load_config


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
def check_config(file: Path) -> None:
    """Check FILE without starting anything; status 2 and one line when it is not good."""
    from oesd.doctor import check_key
    from oesd.service.checks import check, check_certificates

    try:
        config = load_config(file)
        check(config, str(file))
        check_certificates(config, str(file))
        check_key(config, str(file))
    except ConfigError as error:
        fail(str(error))
    else:
        click.echo(f"{file}: good")
