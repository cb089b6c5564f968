"""The configuration: whether it is good, and what in it is allowed but hardly meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oesd.config import Config, ConfigError, load_config
from oesd.doctor.finding import Finding, fault, ok, warning
from oesd.service.checks import check


def settings(file: Path) -> tuple[Config | None, list[Finding]]:
    """The configuration, None when it cannot be used, and what is to be said of it."""
    edit = f"edit {file}, then: oesd check-config {file}"
    if not file.exists():
        return Config(), [warning("configuration", f"{file} does not exist; what follows is by the defaults",
                                  "sudo oesd install-service")]  # fmt: skip
    try:
        config = load_config(file)
        check(config, str(file))
    except ConfigError as error:
        return None, [fault("configuration", str(error), edit)]
    return config, [ok("configuration", str(file)), *(warning("configuration", what, edit) for what in _doubts(config))]


def _doubts(config: Config) -> Iterator[str]:
    if config.simulation.enabled:
        yield "[simulation] is on: no real spectrometer is measured"
    if config.dark.how == "by hand" and config.dark.renew_age_us:
        yield '[dark] how = "by hand": somebody must take darks; "switch", "window" or "plasma off" needs nobody'
    if config.upload.endpoint and config.upload.key_file and config.upload.key_file.is_relative_to("/home"):
        yield f"[upload] key_file {config.upload.key_file}: a service does not see /home; use oesd key set instead"
