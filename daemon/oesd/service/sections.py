"""Sections of the configuration as the rooms take them, and what of a new one counts at once."""

from __future__ import annotations

from msgspec.structs import replace

from oesd.config import BackgroundSection, Config, ConfigError
from oesd.processing import BackgroundRules

_FIXED = ("data_dir", "web", "hub", "upload", "simulation")


def background_rules(section: BackgroundSection) -> BackgroundRules:
    """How darks or references are judged, as the processing takes it."""
    return BackgroundRules(
        max_age_us=section.max_age_us,
        max_temperature_k=section.max_temperature_k,
        renew_age_us=section.renew_age_us,
        renew_temperature_k=section.renew_temperature_k,
        check=section.check,
    )


def without_restart(fresh: Config, now: Config) -> tuple[Config, list[str]]:
    """What of a configuration counts without a restart, with the rest as it is; and the names of what has to wait.

    Raises
    ------
    ConfigError
        What counts at once does not fit what has to wait: light by a switch that only the simulation has.
    """
    fixed = {name: getattr(now, name) for name in _FIXED}
    waits = [name for name in _FIXED if getattr(fresh, name) != getattr(now, name)]
    waits += ["store.url"] * (fresh.store.url != now.store.url)
    try:
        return replace(fresh, store=replace(fresh.store, url=now.store.url), **fixed), waits
    except ValueError as error:
        raise ConfigError(f"needs a restart, as {', '.join(waits)} changed, too: {error}") from None
