"""One TOML file to frozen sections; what is wrong is named with file, line and the nearest known key.

Durations are written with their unit (``"100 ms"``) and held as integer microseconds in fields that end in ``_us``.
Nothing is expanded: no environment, no ``~``, no commands.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from oesd.model import ConstraintMode, Recipe

_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_LONGEST_US = 366 * _UNITS_US["d"]
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)$")


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line that names file, line and cure."""


def parse_duration_us(text: object) -> int:
    """Microseconds of a text such as ``"100 ms"``, ``"1.5 s"``, ``"8 h"``; ``"0"`` and ``"never"`` are 0.

    Raises
    ------
    ValueError
        When the text has no unit or is no duration.
    """
    if not isinstance(text, str):
        raise ValueError(f'a duration is a text with its unit, such as "100 ms", not {text!r}')
    if text.strip() in ("0", "never"):
        return 0
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r} is no duration: write a number and one of {", ".join(_UNITS_US)}, such as "100 ms"')
    duration_us = round(float(match[1]) * _UNITS_US[match[2]])
    if duration_us > _LONGEST_US:
        raise ValueError(f"{text!r} is longer than a year")
    return duration_us


def _at_least(least: str) -> AfterValidator:
    def check(duration_us: int) -> int:
        if duration_us < parse_duration_us(least):
            raise ValueError(f'must be "{least}" or more')
        return duration_us

    return AfterValidator(check)


Duration = Annotated[int, BeforeValidator(parse_duration_us)]
Period = Annotated[Duration, _at_least("1 ms")]
Integration = Annotated[Duration, _at_least("1 us")]


class _Section(BaseModel):
    # Unknown keys are errors: a misspelt key that is silently ignored would measure the wrong thing for months.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CaptureSection(_Section):
    """How samples are taken; also the start of each spectrometer's own settings."""

    every_us: Period = Field(default=1_000_000, alias="every")
    integration_us: Integration = Field(default=100_000, alias="integration")
    scans: int = Field(default=1, ge=1, le=10_000)
    boxcar: int = Field(default=0, ge=0, le=100)


class BackgroundSection(_Section):
    """How darks or references are taken: by a light switch, or only when a person orders one."""

    how: Literal["by hand", "switch"] = "by hand"
    every_us: Duration = Field(default=0, alias="every")
    scans: int | None = Field(default=None, ge=1, le=10_000)

    @model_validator(mode="after")
    def _every_needs_a_switch(self) -> BackgroundSection:
        if self.every_us and self.how == "by hand":
            raise ValueError('every: needs how = "switch"; by hand they are taken when ordered')
        if 0 < self.every_us < 10_000_000:
            raise ValueError('every: must be "10 s" or more')
        return self


class LightSection(_Section):
    """The command that switches the light: its words may hold {kind} (sample, dark, reference), {serial} and {name}."""

    command: tuple[str, ...] = ()
    timeout_us: Period = Field(default=10_000_000, alias="timeout")
    settle_us: Duration = Field(default=0, alias="settle")

    @model_validator(mode="after")
    def _command_names_a_program(self) -> LightSection:
        if self.command and not self.command[0]:
            raise ValueError("command: the first word must be a program")
        return self


class RunSection(_Section):
    """When samples are taken: always, or from each firing of a cron expression (UTC) for a duration."""

    start: str = "always"
    duration_us: Duration = Field(default=0, alias="duration")

    @model_validator(mode="after")
    def _cron_needs_a_duration(self) -> RunSection:
        if self.start == "always":
            if self.duration_us:
                raise ValueError('duration: goes with a cron expression in start, not with "always"')
        elif len(self.start.split()) != 5:
            raise ValueError(f'start: {self.start!r} is neither "always" nor a cron expression of five fields')
        elif not self.duration_us:
            raise ValueError("duration: a run started by cron needs one")
        return self


class IdentifySection(_Section):
    """The recipe of every analysis."""

    constraint: ConstraintMode = ConstraintMode.AUTO
    elements: tuple[str, ...] = ()
    fwhm_nm: float | None = Field(default=None, gt=0, lt=50)

    @model_validator(mode="after")
    def _elements_fit_the_mode(self) -> IdentifySection:
        if self.constraint is ConstraintMode.AUTO and self.elements:
            raise ValueError('elements: go with constraint = "include" or "exclude", not with "auto"')
        if self.constraint is not ConstraintMode.AUTO and not self.elements:
            raise ValueError(f'elements: constraint = "{self.constraint.value}" needs at least one element')
        return self

    @property
    def recipe(self) -> Recipe:
        """The section as the engine takes it."""
        return Recipe(self.constraint, self.elements, self.fwhm_nm)


class UploadSection(_Section):
    """Where spectra are forwarded to; off until an endpoint is given."""

    endpoint: str = ""
    key_file: Path | None = None
    format: Literal["columns", "json"] = "columns"
    bucket_hosts: tuple[str, ...] = ()
    proxy: str = ""


class WebSection(_Section):
    """The daemon's own API and page, on the loopback interface only."""

    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: int = Field(default=8520, ge=0, le=65535)


class HubSection(_Section):
    """An OES API server of our own inside the daemon's process: for simulation and sites without a cloud."""

    enabled: bool = False
    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: int = Field(default=8530, ge=0, le=65535)
    key_file: Path | None = None


class SimulationSection(_Section):
    """Virtual spectrometers instead of real ones; asked for, never fallen back to."""

    enabled: bool = False
    devices: tuple[str, ...] = ("USB2000+:SIM00001", "USB4000:SIM00002")
    scene: str = "argon-metals"
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _devices_are_model_and_serial(self) -> SimulationSection:
        if not self.devices:
            raise ValueError("devices: name at least one")
        if len(set(self.devices)) < len(self.devices):
            raise ValueError("devices: one stands twice")
        for device in self.devices:
            if not all(device.partition(":")):
                raise ValueError(f'devices: {device!r} is not "MODEL:SERIAL", such as "USB2000+:SIM00001"')
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Model and serial number of each device."""
        return [(model, serial) for model, _, serial in (device.partition(":") for device in self.devices)]


class SpectrometerSection(_Section):
    """Settings of one spectrometer, found by its serial number; what is absent comes from [capture]."""

    serial: str = Field(min_length=1, max_length=256)
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    every_us: Period | None = Field(default=None, alias="every")
    integration_us: Integration | None = Field(default=None, alias="integration")
    scans: int | None = Field(default=None, ge=1, le=10_000)
    boxcar: int | None = Field(default=None, ge=0, le=100)


class Config(_Section):
    """The whole file."""

    data_dir: Path = Path("/var/lib/oesd")
    only_listed: bool = False
    capture: CaptureSection = CaptureSection()
    dark: BackgroundSection = BackgroundSection()
    reference: BackgroundSection = BackgroundSection()
    light: LightSection = LightSection()
    run: RunSection = RunSection()
    identify: IdentifySection = IdentifySection()
    upload: UploadSection = UploadSection()
    web: WebSection = WebSection()
    hub: HubSection = HubSection()
    simulation: SimulationSection = SimulationSection()
    spectrometer: tuple[SpectrometerSection, ...] = ()

    def _check_pace(self) -> None:
        """No spectrometer can be asked for more light than its period has time for."""
        base = self.capture
        for own in (None, *self.spectrometer):
            every_us = own.every_us if own and own.every_us is not None else base.every_us
            integration_us = own.integration_us if own and own.integration_us is not None else base.integration_us
            scans = own.scans if own and own.scans is not None else base.scans
            if integration_us * scans > every_us:
                section = "spectrometer" if own else "capture"
                raise ValueError(f"{section}: every is shorter than {scans} x integration: no slot could be kept")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Config:
        serials = [s.serial for s in self.spectrometer]
        names = [s.name for s in self.spectrometer if s.name is not None]
        for what, given in (("serial", serials), ("name", names)):
            twice = sorted(g for g in given if given.count(g) > 1)
            if twice:
                raise ValueError(f"spectrometer: {what} {twice[0]!r} stands twice")
        if not self.data_dir.is_absolute() or "\0" in str(self.data_dir):
            raise ValueError("data_dir: must be an absolute path")
        self._check_pace()
        needs_switch = self.dark.how == "switch" or self.reference.how == "switch"
        if needs_switch and not self.light.command and not self.simulation.enabled:
            raise ValueError('light: how = "switch" needs [light] command (simulation has a shutter of its own)')
        if self.upload.endpoint and self.upload.key_file is None:
            raise ValueError("upload: endpoint needs key_file, a file with the API key, mode 0600")
        return self


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        One line naming the file, the line, what is wrong and what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_config(text, str(path))


def parse_config(text: str, where: str) -> Config:
    """Check a configuration given as text; ``where`` names it in errors."""
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}") from None
    except ValidationError as error:
        raise ConfigError(_one_line(error, text, where)) from None


def _one_line(error: ValidationError, text: str, where: str) -> str:
    first = error.errors()[0]
    keys = [part for part in first["loc"] if isinstance(part, str)]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = _unknown_key(keys)
    elif first["loc"]:
        message = f"{'.'.join(str(part) for part in first['loc'])}: {message}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    ordinal = next((part for part in first["loc"] if isinstance(part, int)), 0)
    hint = keys or re.findall(r"^([a-z_]+):", message)
    return f"{where}, line {_line_of(text, hint, ordinal)}: {message}{more}"


def _unknown_key(keys: list[str]) -> str:
    model: Any = Config
    for key in keys[:-1]:
        annotation = model.model_fields[key].annotation
        model = annotation if isinstance(annotation, type) else annotation.__args__[0]
    known = [f.alias or name for name, f in model.model_fields.items()]
    near = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.0)
    place = f" in [{'.'.join(keys[:-1])}]" if keys[:-1] else ""
    return f"unknown key {keys[-1]!r}{place}; did you mean {near[0]!r}?"


def _line_of(text: str, keys: list[str], ordinal: int) -> int:
    """Line where the deepest of the keys stands; its section's line when the key itself is absent."""
    section: list[str] = []
    seen = -1
    best = (0, 1)
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([A-Za-z0-9_.\"-]+)\s*\]", line)
        assigned = re.match(r"\s*([A-Za-z0-9_\"-]+)\s*=", line)
        if header:
            section = header[1].split(".")
            seen += section == keys[:1] and line.lstrip().startswith("[[")
            path = section
        elif assigned:
            path = [*section, assigned[1].strip('"')]
        else:
            continue
        in_place = (not line.lstrip().startswith("[[") and seen < 0) or seen == ordinal
        depth = len(path) if path == keys[: len(path)] and in_place else 0
        best = max(best, (depth, -number), key=lambda b: (b[0], b[1])) if depth else best
    return abs(best[1])
