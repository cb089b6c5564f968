"""The values that cross rooms: frozen, units in their names.

A spectrum's life in these values::

    Capture (sample)  ----.
    Capture (dark)    -----+--> Entry --(engine)--> Analysis --> Result (one revision of it, stored)
    Capture (reference)---'                            ^
                                            Override --'  (a person's word on one peak)

Arrays are numpy, read-only by agreement; wavelengths are nm in air; times are
UTC for people, monotonic ns for pace, (run, sequence) for order.
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.uint32]
MaskArray = NDArray[np.bool_]

_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


class Kind(StrEnum):
    """What a capture shows: the light under study, a reference light, or none."""

    SAMPLE = "sample"
    REFERENCE = "reference"
    DARK = "dark"


class ConstraintMode(StrEnum):
    """How the element list of a recipe bounds the assignment."""

    AUTO = "auto"
    INCLUDE = "include"
    EXCLUDE = "exclude"


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

    @property
    def counts(self) -> FloatArray:
        """Mean raw counts of one scan, shape (pixels,)."""
        return self.counts_sum / float(self.scans)


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample with the dark and the reference that apply to it, by record id and with the reason of the choice."""

    data_id: str
    sample_id: str
    dark_id: str | None
    reference_id: str | None
    dark_reason: str
    reference_reason: str
    created_at_utc: datetime


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

    @classmethod
    def from_captures(
        cls, sample: Capture, dark: Capture | None = None, reference: Capture | None = None
    ) -> Measurement:
        """Measurement of a sample with the dark and the reference that apply to it."""
        device = sample.device
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
        )


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumFile:
    """A spectrum read from a file, as far as the file tells.

    ``format`` names the file's form (``SpectraSuite``, ``OceanView`` ...), ``metadata`` holds its header lines as they
    stand (foreign text), ``record_id`` the oesd record it came from or ``""``.
    """

    format: str
    measurement: Measurement
    processed: FloatArray | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    record_id: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a person can choose about an analysis; stored with each result.

    ``elements`` counts only with include (only these) and exclude (never these).
    ``fwhm_nm`` is a hint; None lets the engine learn the line width from the spectrum.
    """

    constraint: ConstraintMode = ConstraintMode.AUTO
    elements: tuple[str, ...] = ()
    fwhm_nm: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, the inverse of :meth:`from_dict`."""
        return {"constraint": self.constraint.value, "elements": list(self.elements), "fwhm_nm": self.fwhm_nm}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Recipe from its stored form."""
        return cls(ConstraintMode(values["constraint"]), tuple(values["elements"]), values["fwhm_nm"])


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line that may be the peak; ``candidate_key`` is ``<symbol>_<air nm, one decimal>``, unique in its peak."""

    candidate_key: str
    element: str
    ionization: int
    wavelength_nm: float
    probability: float


@dataclass(frozen=True, slots=True)
class Peak:
    """One detected emission peak.

    ``peak_id`` stays the same when the entry is reprocessed. ``intensity`` is the height above the baseline and
    ``area`` its integral over nm, both in (linearised) counts of one scan. ``element`` is None when none is named.
    """

    peak_id: str
    wavelength_nm: float
    wavelength_sigma_nm: float
    center_px: float
    fwhm_nm: float
    snr: float
    intensity: float
    area: float
    element: str | None
    probability: float
    manual: bool
    candidates: tuple[Candidate, ...]
    saturated: bool = False
    blended: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The peak as it stands in the GET /oes document."""
        shown: dict[str, Any] = {"peak_id": self.peak_id, "wavelength_nm": self.wavelength_nm, "element": self.element}
        if self.manual:
            shown["manual"] = True
        numbers = ("wavelength_sigma_nm", "center_px", "fwhm_nm", "snr", "intensity", "area", "probability")
        shown.update({name: getattr(self, name) for name in numbers})
        shown.update(saturated=self.saturated, blended=self.blended)
        shown["candidates"] = [
            {
                "candidate_key": c.candidate_key,
                "element": c.element,
                "ionization": c.ionization,
                "wavelength_nm": c.wavelength_nm,
                "probability": c.probability,
            }
            for c in self.candidates
        ]
        return shown

    @classmethod
    def from_dict(cls, shown: Mapping[str, Any]) -> Peak:
        """Peak from its stored form, the inverse of :meth:`as_dict`."""
        values = {k: v for k, v in shown.items() if k != "candidates"}
        values.setdefault("manual", False)
        return cls(candidates=tuple(Candidate(**c) for c in shown["candidates"]), **values)


@dataclass(frozen=True, slots=True)
class ElementFinding:
    """An element said to be in the light, with the probability that this is true."""

    element: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What the engine makes of one spectrum. All spectra have shape (pixels,).

    ``sample``, ``reference`` and ``dark`` are mean raw counts of one scan. ``scope_corrected`` is sample - dark,
    linearised where the device gives sane coefficients. ``warnings`` are sentences for a person.
    """

    wavelengths_nm: FloatArray
    sample: FloatArray
    scope_corrected: FloatArray
    elements: tuple[ElementFinding, ...]
    detected_peaks: tuple[Peak, ...]
    recipe: Recipe
    line_table_version: str
    engine_version: str
    reference: FloatArray | None = None
    dark: FloatArray | None = None
    baseline: FloatArray | None = None
    noise: FloatArray | None = None
    warnings: tuple[str, ...] = ()

    def to_api(
        self,
        *,
        data_id: str = "",
        result_id: str = "oes_001",
        last_updated: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the GET /oes document: JSON-ready, absent arrays omitted, non-finite numbers as None."""
        constrained = None if self.recipe.constraint is ConstraintMode.AUTO else list(self.recipe.elements)
        document: dict[str, Any] = {
            "data_id": data_id,
            "id": result_id,
            "wavelengths": _json_numbers(self.wavelengths_nm),
            "wavelength_unit": "nm",
            "sample": _json_numbers(self.sample),
            "scope_corrected": _json_numbers(self.scope_corrected),
            "spectrum_type": "sample",
            "detected_peaks": [peak.as_dict() for peak in self.detected_peaks],
            "elements": [{"element": e.element, "probability": e.probability} for e in self.elements],
            "constraint_mode": self.recipe.constraint.value,
            "constrained_elements": constrained,
            "spectral_metadata": {
                **(metadata or {}),
                "engine_version": self.engine_version,
                "line_table_version": self.line_table_version,
                "warnings": list(self.warnings),
            },
            "last_updated": utc_text(last_updated or datetime.now(UTC)),
        }
        for name, spectrum in (("reference", self.reference), ("dark", self.dark)):
            if spectrum is not None:
                document[name] = _json_numbers(spectrum)
        return document


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One stored revision of an entry's analysis, overrides applied."""

    data_id: str
    revision: int
    made_at_utc: datetime
    analysis: Analysis
    metadata: Mapping[str, Any]
    orphaned: tuple[Override, ...] = ()

    @property
    def result_id(self) -> str:
        """Identifier shown as ``id``: ``oes_001`` for the first revision."""
        return f"oes_{self.revision:03d}"

    def to_api(self) -> dict[str, Any]:
        """Return the GET /oes document of this revision."""
        metadata = dict(self.metadata)
        if self.orphaned:
            metadata["orphaned_overrides"] = [o.as_dict() for o in self.orphaned]
        return self.analysis.to_api(
            data_id=self.data_id, result_id=self.result_id, last_updated=self.made_at_utc, metadata=metadata
        )


@dataclass(frozen=True, slots=True)
class Override:
    """A person's assignment, anchored to physics and not to a peak's number: it survives reprocessing."""

    data_id: str
    peak_id: str
    wavelength_nm: float
    wavelength_sigma_nm: float
    candidate_key: str
    element: str
    made_at_utc: datetime

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form for people and the API."""
        return {
            "peak_id": self.peak_id,
            "wavelength_nm": self.wavelength_nm,
            "candidate_key": self.candidate_key,
            "element": self.element,
            "made_at": utc_text(self.made_at_utc),
        }


@dataclass(frozen=True, slots=True)
class Loss:
    """Scheduled slots that ended without a stored spectrum, and why.

    ``reason`` is a short fixed name (``device gone``, ``overrun``, ``usb error`` ...), ``detail`` a sentence.
    """

    device_name: str
    run_id: str
    kind: Kind
    first_slot: int
    slots: int
    reason: str
    detail: str
    at_utc: datetime


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with a ``Z``, milliseconds kept: ``2024-01-15T10:35:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_from_text(text: str) -> datetime:
    """Parse what :func:`utc_text` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def new_id(now_ns: int | None = None) -> str:
    """UUIDv7 (RFC 9562): sorts by the millisecond it was made in.

    Parameters
    ----------
    now_ns : int, optional
        Unix time in ns; the host clock when absent. Order never comes from it.
    """
    milliseconds = ((time.time_ns() if now_ns is None else now_ns) // 1_000_000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def is_uuid(text: str) -> bool:
    """Whether a foreign text is a plain lower-case UUID: checked before it meets any path, URL or query."""
    return _UUID.fullmatch(text) is not None


def _json_numbers(values: FloatArray) -> list[float | None]:
    numbers: list[float | None] = values.tolist()
    if not np.isfinite(values).all():
        numbers = [x if x is not None and np.isfinite(x) else None for x in numbers]
    return numbers
