"""What is measured: devices, captures, entries, and the measurement that the engine gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from oesd.model.modelled import ModelledDark

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.uint32]
MaskArray = NDArray[np.bool_]
SpreadArray = NDArray[np.float32]


class Kind(StrEnum):
    """What a capture shows: the light under study, a reference light, or none."""

    SAMPLE = "sample"
    REFERENCE = "reference"
    DARK = "dark"


class Quantity(StrEnum):
    """What a spectrum is of. Only light in counts is emission, in which lines are looked for."""

    COUNTS = "counts"
    TRANSMITTANCE = "transmittance"
    REFLECTANCE = "reflectance"
    ABSORBANCE = "absorbance"
    IRRADIANCE = "irradiance"
    RATIO = "ratio"  # one of the above that the file does not name


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """A spectrometer as it described itself when it was opened.

    Attributes
    ----------
    serial : str
        Raw serial number from the device: foreign text, escape before showing.
    name : str
        Our own name for it, safe in file names: ``[A-Za-z0-9_-]{1,64}``.
    wavelengths_nm : (pixels,) float64
        The device's own axis, air, strictly increasing. Never corrected.
    saturation_counts : int
        Raw count of one scan at and above which a pixel is saturated.
    nonlinearity : tuple of float
        Polynomial c0, c1, ... with corrected = (raw - dark) / polynomial(raw - dark); empty when the device has none.
    electric_dark_pixels : tuple of int
        Optically black pixels; empty when there are none.
    dead_pixels : tuple of int
        Pixels that a person says never to trust; not told by the device.
    stray_light : tuple of float
        ``(share,)`` of the mean light that lies evenly on every pixel, or ``(share, halo_share, halo_nm)`` with another
        share in a halo around its source that falls by e in ``halo_nm``; empty when unknown.
    simulated : bool
        True for every virtual spectrometer; it follows each spectrum for good.
    """

    serial: str
    name: str
    model: str
    wavelengths_nm: FloatArray
    saturation_counts: int
    nonlinearity: tuple[float, ...] = ()
    electric_dark_pixels: tuple[int, ...] = ()
    integration_min_us: int = 0
    integration_max_us: int = 0
    simulated: bool = False
    calibrated: bool = True
    dead_pixels: tuple[int, ...] = ()
    stray_light: tuple[float, ...] = ()

    @property
    def pixels(self) -> int:
        """Number of detector pixels."""
        return len(self.wavelengths_nm)


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """One averaged exposure of one kind; immutable, stored before anything is computed from it.

    Attributes
    ----------
    record_id : str
        UUIDv7, made when the capture is taken.
    counts_sum : (pixels,) uint32
        Raw integer counts summed over ``scans`` scans; boxcar is *not* applied.
    saturated : (pixels,) bool
        Pixels that reached saturation in at least one raw scan.
    run_id, sequence : str, int
        Order: the sequence counts every capture of one spectrometer within one run, from 0.
    slot : int
        Number of the scheduled slot on the run's grid; -1 for a capture outside a schedule.
    monotonic_ns, boot_id : int, str
        Host monotonic clock at the start of the exposure, and the boot it belongs to.
    clock_offset_ms, clock_bound_ms : float or None
        Reference clock minus host clock and its bound, when measured.
    labels : mapping of str to str
        Of its run: physical sample, project, recipe step, operator ...
    spread : (pixels,) float32 or None
        Standard deviation of the scans of each pixel, counts; None with one scan.
    """

    record_id: str
    device: Device
    kind: Kind
    run_id: str
    sequence: int
    slot: int
    taken_at_utc: datetime
    monotonic_ns: int
    boot_id: str
    integration_us: int
    scans: int
    boxcar_half_width_px: int
    counts_sum: CountArray
    saturated: MaskArray
    detector_temperature_c: float | None = None
    board_temperature_c: float | None = None
    clock_offset_ms: float | None = None
    clock_bound_ms: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    spread: SpreadArray | None = None

    @property
    def counts(self) -> FloatArray:
        """Mean raw counts of one scan, shape (pixels,)."""
        return self.counts_sum / float(self.scans)

    @property
    def celsius(self) -> float | None:
        """Temperature of the detector, else of the board; None where neither is known."""
        detector_c, board_c = self.detector_temperature_c, self.board_temperature_c
        known = board_c if detector_c is None else detector_c
        return known if known is not None and math.isfinite(known) else None


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample with the dark and the reference that apply to it, by record id and with the reason of the choice.

    ``short_id`` is the second capture of a bracketed sample, of a shorter integration time: it stands in for saturated
    pixels.
    """

    data_id: str
    sample_id: str
    dark_id: str | None
    reference_id: str | None
    dark_reason: str
    reference_reason: str
    created_at_utc: datetime
    short_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """All that the engine may know of one spectrum; every spectrum is mean raw counts of one scan, shape (pixels,).

    Attributes
    ----------
    integration_us : int or None
        Integration time of the sample, and of dark and reference; None when a file does not tell.
    saturation_counts : float or None
        Raw count of one scan at which a pixel is saturated; None when unknown.
    saturated : (pixels,) bool or None
        Pixels saturated in at least one raw scan of the sample; None lets the engine judge by ``saturation_counts``.
    short, short_saturated : (pixels,) float64, (pixels,) bool, or None
        The same light at a shorter integration time, ``short_integration_us``: stands in where the sample is saturated.
    short_dark : (pixels,) float64 or None
        Its dark; None lets the engine fit the sample's to it.
    spread : (pixels,) float64 or None
        Standard deviation of the sample's scans, counts (n - 1); None with one scan or when unknown.
    dark_variance : (pixels,) float64 or None
        How far ``dark`` may be off, counts^2: of the mean of its scans, or of the model that predicted it.
    dark_scans : int
        Scans from whose spread ``dark_variance`` was taken; 0 for a modelled dark, or when unknown.
    dark_integration_us : int or None
        Of the dark, where that is told; one that is not the sample's is used with a warning, never scaled.
    reference_saturated, reference_scans : (pixels,) bool or None, int
        Of the reference, as ``saturated`` and ``scans`` of the sample.
    dead_pixels, stray_light : tuple
        As of :class:`Device`.
    quantity : Quantity
        What the spectrum was taken for; the file may hold counts beside it.
    """

    wavelengths_nm: FloatArray
    sample: FloatArray
    dark: FloatArray | None = None
    reference: FloatArray | None = None
    integration_us: int | None = None
    scans: int = 1
    boxcar_half_width_px: int = 0
    saturation_counts: float | None = None
    saturated: MaskArray | None = None
    nonlinearity: tuple[float, ...] = ()
    electric_dark_pixels: tuple[int, ...] = ()
    short: FloatArray | None = None
    short_saturated: MaskArray | None = None
    short_dark: FloatArray | None = None
    short_integration_us: int | None = None
    spread: FloatArray | None = None
    dark_variance: FloatArray | None = None
    dark_scans: int = 0
    dark_integration_us: int | None = None
    reference_saturated: MaskArray | None = None
    reference_scans: int = 1
    dead_pixels: tuple[int, ...] = ()
    stray_light: tuple[float, ...] = ()
    quantity: Quantity = Quantity.COUNTS

    @classmethod
    def from_captures(
        cls,
        sample: Capture,
        dark: Capture | ModelledDark | None = None,
        reference: Capture | None = None,
        short: Capture | None = None,
        short_dark: Capture | None = None,
    ) -> Measurement:
        """Measurement of a sample with the dark and the reference that apply to it, and its shorter exposure."""
        device = sample.device
        dark_variance, dark_scans = _doubt_of(dark)
        return cls(
            wavelengths_nm=device.wavelengths_nm,
            sample=sample.counts,
            dark=None if dark is None else dark.counts,
            reference=None if reference is None else reference.counts,
            integration_us=sample.integration_us,
            scans=sample.scans,
            boxcar_half_width_px=sample.boxcar_half_width_px,
            saturation_counts=float(device.saturation_counts),
            saturated=sample.saturated,
            nonlinearity=device.nonlinearity,
            electric_dark_pixels=device.electric_dark_pixels,
            short=None if short is None else short.counts,
            short_saturated=None if short is None else short.saturated,
            short_dark=None if short_dark is None else short_dark.counts,
            short_integration_us=None if short is None else short.integration_us,
            spread=None if sample.spread is None else sample.spread.astype(np.float64),
            dark_variance=dark_variance,
            dark_scans=dark_scans,
            dark_integration_us=None if dark is None else dark.integration_us,
            reference_saturated=None if reference is None else reference.saturated,
            reference_scans=1 if reference is None else reference.scans,
            dead_pixels=device.dead_pixels,
            stray_light=device.stray_light,
        )


def _doubt_of(dark: Capture | ModelledDark | None) -> tuple[FloatArray | None, int]:
    """Variance of a dark as it is used, counts^2, and the scans that tell it; a single scan tells nothing."""
    if dark is None:
        return None, 0
    if not isinstance(dark, Capture):
        return np.square(dark.sigma, dtype=np.float64), 0
    if dark.spread is None:
        return None, 0
    return np.square(dark.spread, dtype=np.float64) / dark.scans, dark.scans


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumFile:
    """A spectrum read from a file, as far as the file tells.

    ``format`` names the file's form (``SpectraSuite``, ``OceanView`` ...), ``metadata`` holds its header lines as they
    stand (foreign text), ``record_id`` the oesd record it came from or ``""``, ``spread`` the standard deviation of the
    sample's scans.
    """

    format: str
    measurement: Measurement
    processed: FloatArray | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    record_id: str = ""
    warnings: tuple[str, ...] = ()
    spread: SpreadArray | None = None
