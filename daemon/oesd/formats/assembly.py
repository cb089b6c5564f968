"""Checked numbers to a :class:`~oesd.model.SpectrumFile`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from oesd.formats.errors import FormatError
from oesd.formats.settings import Settings, settings
from oesd.formats.table import MOST_PIXELS
from oesd.model import FloatArray, Measurement, Quantity, SpectrumFile

FEWEST_PIXELS = 8
FAR_BELOW = 3  # pixels: one or two may be hot in the dark that was subtracted
_QUANTITIES = (
    (r"absorb|absorpt|extin[ck]t", Quantity.ABSORBANCE),
    (r"transm", Quantity.TRANSMITTANCE),
    (r"reflec|reflek|refl[ée]", Quantity.REFLECTANCE),
    (r"irradi|bestrahl", Quantity.IRRADIANCE),
)
LONGEST_NM = 2600.0  # the reach of extended InGaAs


@dataclass(slots=True)
class Parts:
    """What a reader of a foreign form found, before it is checked.

    ``columns`` holds lists of equal length by role (wavelength, sample, dark, reference, processed), ``lines`` the line
    number of each pixel where the form has lines.
    """

    format: str
    columns: dict[str, list[float]]
    header: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[int] = ()
    saturation_counts: float | None = None
    nonlinearity: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    found: Settings | None = None
    quantity: Quantity = Quantity.COUNTS


def assemble(parts: Parts) -> SpectrumFile:
    """Check the columns and make the spectrum.

    The software that wrote the file has applied its boxcar already, so the measurement's boxcar is 0; what it was
    stands in the metadata.

    Raises
    ------
    FormatError
        Too short, wavelengths not increasing, columns of different lengths, no spectrum.
    """
    columns = {name: np.array(values, dtype=np.float64) for name, values in parts.columns.items()}
    _check(columns, parts.lines)
    sample = columns.get("sample", columns.get("processed"))
    if sample is None:
        raise FormatError("no spectrum: no column of intensities beside the wavelengths")
    found = parts.found or settings(parts.header)
    dark, dark_warnings = _light_free(columns.get("dark"), sample)
    reference, reference_warnings = _varying("reference", columns.get("reference"))
    return SpectrumFile(
        format=parts.format,
        measurement=Measurement(
            wavelengths_nm=columns["wavelength"],
            sample=sample,
            dark=dark,
            reference=reference,
            integration_us=found.integration_us or None,
            scans=found.scans or 1,
            saturation_counts=parts.saturation_counts,
            nonlinearity=parts.nonlinearity,
            quantity=_quantity(parts.quantity, sample, dark),
        ),
        processed=columns.get("processed"),
        metadata={**parts.header, **found.as_metadata()},
        warnings=(*parts.warnings, *_other_unit(columns["wavelength"]), *dark_warnings, *reference_warnings),
    )


def quantity_named(text: str) -> Quantity:
    """Quantity that a heading or a title names; counts when it names none."""
    found = (quantity for words, quantity in _QUANTITIES if re.search(words, text, re.IGNORECASE))
    return next(found, Quantity.COUNTS)


def _quantity(named: Quantity, sample: FloatArray, dark: FloatArray | None) -> Quantity:
    """What a spectrum is of: as it is named, else a ratio where the values tell so.

    Counts are not negative, and less their dark they are so by their noise; where next to no light is divided by next
    to no light, values lie as far below zero as above.
    """
    if named is not Quantity.COUNTS or dark is not None:
        return named
    highest = float(np.quantile(np.abs(sample), 0.99))
    return Quantity.RATIO if np.count_nonzero(sample < -highest) >= FAR_BELOW else named


def _check(columns: Mapping[str, FloatArray], lines: Sequence[int]) -> None:
    wavelengths = columns.get("wavelength", np.array([]))
    if len(wavelengths) < FEWEST_PIXELS:
        raise FormatError(f"no spectrum: {len(wavelengths)} pixels, fewer than {FEWEST_PIXELS}")
    if len(wavelengths) > MOST_PIXELS:
        raise FormatError(f"more than {MOST_PIXELS} pixels")
    for name, values in columns.items():
        if len(values) != len(wavelengths):
            raise FormatError(f"{name} has {len(values)} values, the wavelengths have {len(wavelengths)}")
    if wavelengths[0] <= 0:
        raise FormatError(f"the wavelength {wavelengths[0]:g} nm is not positive", line=lines[0] if lines else None)
    check_increasing(wavelengths, lines)


def check_increasing(wavelengths: FloatArray, lines: Sequence[int] = ()) -> None:
    """Refuse an axis that does not strictly increase, naming the place."""
    steps = np.flatnonzero(np.diff(wavelengths) <= 0)
    if len(steps):
        at = int(steps[0])
        before, after = wavelengths[at], wavelengths[at + 1]
        where = lines[at + 1] if lines else None
        raise FormatError(f"wavelengths are not increasing: {after:.10g} nm follows {before:.10g} nm", line=where)


def _other_unit(wavelengths: FloatArray) -> tuple[str, ...]:
    """Warn of an axis that no grating spectrometer has in nm: perhaps Angstrom or wavenumbers."""
    if wavelengths[-1] <= LONGEST_NM:
        return ()
    return (f"the axis ends at {wavelengths[-1]:g}: taken as nm, but is it?",)


def _light_free(dark: FloatArray | None, sample: FloatArray) -> tuple[FloatArray | None, tuple[str, ...]]:
    """Return the dark unless it is a placeholder: constant, or a copy of the sample."""
    if dark is not None and np.array_equal(dark, sample):
        return None, ("the dark column repeats the sample and is not used",)
    return _varying("dark", dark)


def _varying(name: str, values: FloatArray | None) -> tuple[FloatArray | None, tuple[str, ...]]:
    if values is not None and np.ptp(values) == 0:
        return None, (f"the {name} column is constant ({values[0]:g}) and is not used",)
    return values, ()


def by_columns(rows: Sequence[Sequence[float]], names: Sequence[str]) -> dict[str, list[float]]:
    """Columns by role out of rows of equal length; ``skip`` left out."""
    return {name: [row[i] for row in rows] for i, name in enumerate(names) if name != "skip"}
