"""What one spectrometer is to do: the file's defaults with its own section laid over them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from msgspec.structs import replace

from oesd.config import (
    BackgroundSection,
    CaptureSection,
    Config,
    ExposureSection,
    LightSection,
    PlasmaSection,
    ReferenceSection,
    TriggerSection,
)
from oesd.model import Kind

_OWN = ("every_us", "integration_us", "scans", "boxcar")


@dataclass(frozen=True, slots=True)
class Settings:
    """Orders for one spectrometer; times in us, ``name`` safe in file names."""

    serial: str
    name: str
    capture: CaptureSection = field(default_factory=CaptureSection)
    exposure: ExposureSection = field(default_factory=ExposureSection)
    trigger: TriggerSection = field(default_factory=TriggerSection)
    dark: BackgroundSection = field(default_factory=BackgroundSection)
    reference: BackgroundSection = field(default_factory=ReferenceSection)
    light: LightSection = field(default_factory=LightSection)
    plasma: PlasmaSection = field(default_factory=PlasmaSection)
    cooling_c: float | None = None
    dead_pixels: tuple[int, ...] = ()
    stray_light: tuple[float, ...] = ()

    def background(self, kind: Kind) -> BackgroundSection | None:
        """How captures of this kind are taken; None for samples."""
        return {Kind.DARK: self.dark, Kind.REFERENCE: self.reference}.get(kind)

    @property
    def switched(self) -> bool:
        """Whether darks or references are taken by switching the light."""
        return "switch" in (self.dark.how, self.reference.how)


def settings_for(config: Config, serial: str) -> Settings | None:
    """Settings of the spectrometer with this serial number; None when the file says that it is not ours."""
    own = next((s for s in config.spectrometer if s.serial == serial), None)
    if own is None and config.only_listed:
        return None
    changes = {field: value for field in _OWN if (value := getattr(own, field, None)) is not None}
    if "scans" in changes:
        changes["total_us"] = 0
    return Settings(
        serial=serial,
        name=(own.name if own else None) or _own_name(config, serial),
        capture=replace(config.capture, **changes),
        exposure=(own.exposure if own else None) or config.exposure,
        trigger=(own.trigger if own else None) or config.trigger,
        dark=config.dark,
        reference=config.reference,
        light=config.light,
        plasma=config.plasma,
        cooling_c=own.cooling_c if own else None,
        dead_pixels=own.dead_pixels if own else (),
        stray_light=own.stray_light.coefficients if own else (),
    )


def _own_name(config: Config, serial: str) -> str:
    """Name of a spectrometer without one of its own; never one that the file gives to another."""
    name = safe_name(serial)
    return _with_digits(name, serial) if name in {s.name for s in config.spectrometer} else name


def safe_name(serial: str) -> str:
    """Make a name for files and logs out of a serial number that a device gave.

    A serial that is already plain stands as it is; any other keeps its plain characters and gets eight hex digits of
    its sha256, so that two strange serials never share a name.
    """
    if re.fullmatch(r"[A-Za-z0-9_-]{1,32}", serial):
        return serial
    plain = re.sub(r"[^A-Za-z0-9_-]", "", serial)[:32] or "device"
    return _with_digits(plain, serial)


def _with_digits(plain: str, serial: str) -> str:
    return f"{plain}-{hashlib.sha256(serial.encode(errors='surrogatepass')).hexdigest()[:8]}"
