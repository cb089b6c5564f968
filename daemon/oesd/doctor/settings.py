"""The configuration: whether it is good, and what in it is allowed but hardly meant."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oesd.config import Config, ConfigError, Mistake, config_of, load_config
from oesd.doctor.finding import Finding, fault, ok, warning
from oesd.service.checks import check
from oesd.service.directory import may_read

_DATA_DIR = re.compile(r"""(?m)^\s*data_dir\s*=\s*["'](/[^"'\0\n]+)["']""")


def settings(file: Path) -> tuple[Config, list[Finding]]:
    """The configuration, and what is to be said of it.

    Of one that cannot be used, what is good of it: where the data are is still of interest.
    """
    edit = f"edit {file}, then: oesd check-config {file}"
    if not may_read(file):
        what = f"{file} is not this user's to read; what follows is by the defaults"
        return Config(), [warning("configuration", what, f"sudo oesd doctor --config {shlex.quote(str(file))}")]
    if not file.exists():
        return Config(), [warning("configuration", f"{file} does not exist; what follows is by the defaults",
                                  "sudo oesd install-service")]  # fmt: skip
    try:
        config = load_config(file)
        check(config, str(file))
    except ConfigError as error:
        return _salvaged(file), [fault("configuration", str(error), edit)]
    return config, [ok("configuration", str(file)), *(warning("configuration", what, edit) for what in _doubts(config))]


def _salvaged(file: Path) -> Config:
    """The sections of a file that are good by themselves, in its order; defaults for the others."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return _data_alone(file)
    good: dict[str, Any] = {}
    config = Config()
    for name, section in document.items():
        try:
            config = config_of(good | {name: section})
        except Mistake:
            continue
        good[name] = section
    return config


def _data_alone(file: Path) -> Config:
    """Where the data are, of a file that is no TOML."""
    try:
        found = _DATA_DIR.search(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = None
    return Config(data_dir=Path(found[1])) if found else Config()


def _doubts(config: Config) -> Iterator[str]:
    if config.simulation.enabled:
        yield "[simulation] is on: no real spectrometer is measured"
    if config.dark.how == "by hand" and config.dark.renew_age_us:
        yield '[dark] how = "by hand": somebody must take darks; "switch", "window" or "plasma off" needs nobody'
    if config.upload.endpoint and config.upload.key_file and config.upload.key_file.is_relative_to("/home"):
        yield f"[upload] key_file {config.upload.key_file}: a service does not see /home; use oesd key set instead"
