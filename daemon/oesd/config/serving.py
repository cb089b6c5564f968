"""Sections of all that is not measuring: analysis, upload, page, hub, simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from oesd.config.values import Section, Whole
from oesd.model import ConstraintMode, Recipe


class IdentifySection(Section):
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


class UploadSection(Section):
    """Where spectra are forwarded to; off until an endpoint is given."""

    endpoint: str = ""
    key_file: Path | None = None
    format: Literal["columns", "json"] = "columns"
    bucket_hosts: tuple[str, ...] = ()
    proxy: str = ""


class WebSection(Section):
    """The daemon's own API and page, on the loopback interface only."""

    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: Whole = Field(default=8520, ge=0, le=65535)


class HubSection(Section):
    """An OES API server of our own inside the daemon's process: for simulation and sites without a cloud."""

    enabled: bool = False
    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: Whole = Field(default=8530, ge=0, le=65535)
    key_file: Path | None = None


class SimulationSection(Section):
    """Virtual spectrometers instead of real ones; asked for, never fallen back to."""

    enabled: bool = False
    devices: tuple[str, ...] = ("USB2000+:SIM00001", "USB4000:SIM00002")
    scene: str = "argon-metals"
    seed: Whole = Field(default=1, ge=0)

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
