"""What one spectrometer is to do: the file's defaults with its own section laid over them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from oesd.config import BackgroundSection, Config
from oesd.model import Kind


@dataclass(frozen=True, slots=True)
class Settings:
    """Orders for one spectrometer; times in us, ``name`` safe in file names."""

    serial: str
    name: str
    every_us: int
    integration_us: int
    scans: int
    boxcar_half_width_px: int
    dark: BackgroundSection
    reference: BackgroundSection
    settle_us: int

    def scans_of(self, kind: Kind) -> int:
        """Scans summed for a capture of this kind."""
        background = {Kind.DARK: self.dark, Kind.REFERENCE: self.reference}.get(kind)
        return self.scans if background is None or background.scans is None else background.scans


def settings_for(config: Config, serial: str) -> Settings | None:
    """Settings of the spectrometer with this serial number; None when the file says that it is not ours."""
    own = next((s for s in config.spectrometer if s.serial == serial), None)
    if own is None and config.only_listed:
        return None
    capture = config.capture

    def pick(field: str, default: int) -> int:
        value = getattr(own, field, None)
        return default if value is None else int(value)

    return Settings(
        serial=serial,
        name=(own.name if own else None) or _own_name(config, serial),
        every_us=pick("every_us", capture.every_us),
        integration_us=pick("integration_us", capture.integration_us),
        scans=pick("scans", capture.scans),
        boxcar_half_width_px=pick("boxcar", capture.boxcar),
        dark=config.dark,
        reference=config.reference,
        settle_us=config.light.settle_us,
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
