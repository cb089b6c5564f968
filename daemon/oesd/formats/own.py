"""Our own two forms read back: the numbers exactly, and the header lines as the settings they were."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from oesd.formats.assembly import check_increasing
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.ranges import mask_from_text, pixels_from_text
from oesd.model import FloatArray, Measurement, SpectrumFile, SpreadArray

SpectrumSums = Mapping[str, NDArray[np.int64]]
ROLES = ("dark", "reference", "sample", "short")
MOST_COUNTS = 2**32 - 1  # a sum is uint32


def parts_of(header: Mapping[str, str], role: str) -> int:
    """What the count sums of a role are divided by: its scans, or the parts per count of a modelled dark."""
    if role == "dark" and "Dark Parts Per Count" in header:
        return _integer(header, "Dark Parts Per Count", at_least=1)
    return _integer(header, "Scans" if role == "sample" else f"{role.title()} Scans", at_least=1)


def sums_of(means: FloatArray, parts: int) -> NDArray[np.int64]:
    """Integers that the means came from; what is out of range stays so, for the range check to find."""
    sums = np.rint(np.clip(means, -1, MOST_COUNTS + 1) * parts)
    return np.clip(sums, -1, MOST_COUNTS + 1).astype(np.int64)


def spectrum_from_header(
    form: str,
    header: Mapping[str, str],
    wavelengths_nm: FloatArray,
    sums: SpectrumSums,
    processed: FloatArray,
    scatter: Mapping[str, FloatArray],
) -> SpectrumFile:
    """Spectrum out of header lines, axis, count sums by role (one of :data:`ROLES`), and how far their scans scatter.

    Raises
    ------
    FormatError
        When a header line is missing or damaged, or the axis does not increase.
    """
    check_increasing(wavelengths_nm)
    for role, counts in sums.items():
        if counts.min() < 0 or counts.max() > MOST_COUNTS:
            raise FormatError(f"the counts of the {role} are out of range")
    means = {role: counts / float(parts_of(header, role)) for role, counts in sums.items()}
    spread = {role: _deviations(values) for role, values in scatter.items()}
    return SpectrumFile(
        format=form,
        measurement=_measurement(header, wavelengths_nm, means, spread),
        processed=processed,
        metadata={**header, **_common_names(header)},
        record_id=_text(header, "Record ID"),
        spread=spread.get("sample"),
    )


def _measurement(
    header: Mapping[str, str],
    wavelengths_nm: FloatArray,
    means: Mapping[str, FloatArray],
    spread: Mapping[str, SpreadArray],
) -> Measurement:
    pixels, short, white = len(wavelengths_nm), "short" in means, "reference" in means
    modelled = "Dark Parts Per Count" in header
    dark_scans = parts_of(header, "dark") if "dark" in spread and not modelled else 0
    return Measurement(
        wavelengths_nm=wavelengths_nm,
        sample=means["sample"],
        dark=means.get("dark"),
        reference=means.get("reference"),
        integration_us=_integer(header, "Integration (usec)"),
        scans=parts_of(header, "sample"),
        boxcar_half_width_px=_integer(header, "Boxcar Half Width (px)"),
        saturation_counts=float(_integer(header, "Saturation Level (counts)")),
        saturated=mask_from_text(_text(header, "Saturated Pixels"), pixels),
        nonlinearity=_coefficients(_text(header, "Nonlinearity Coefficients"), "nonlinearity"),
        electric_dark_pixels=pixels_from_text(_text(header, "Electric Dark Pixels"), pixels),
        short=means.get("short"),
        short_saturated=mask_from_text(_text(header, "Short Saturated Pixels"), pixels) if short else None,
        short_integration_us=_integer(header, "Short Integration (usec)") if short else None,
        spread=spread["sample"].astype(np.float64) if "sample" in spread else None,
        dark_variance=_variance(spread["dark"], dark_scans) if "dark" in means and "dark" in spread else None,
        dark_scans=dark_scans,
        dark_integration_us=_integer(header, "Dark Integration (usec)") if "dark" in means else None,
        reference_saturated=mask_from_text(_text(header, "Reference Saturated Pixels"), pixels) if white else None,
        reference_scans=parts_of(header, "reference") if white else 1,
        dead_pixels=pixels_from_text(header.get("Dead Pixels", "none"), pixels),
        stray_light=_coefficients(header.get("Stray Light", "none"), "stray-light"),
    )


def _variance(spread: SpreadArray, scans: int) -> FloatArray:
    """Of a dark: of its mean, or a model's sigma squared (0 scans), as :meth:`Measurement.from_captures` makes it."""
    return np.square(spread, dtype=np.float64) / max(scans, 1)


def _deviations(spread: FloatArray) -> SpreadArray:
    with np.errstate(over="ignore"):  # the largest float32 in its shortest digits is a little more than it is
        deviations = spread.astype(np.float32)
    if (spread < 0).any() or not np.isfinite(deviations).all():
        raise FormatError("the standard deviations are out of range")
    return deviations


def _common_names(header: Mapping[str, str]) -> dict[str, str]:
    """Return the settings under the names that every form has in its metadata, and those only ours has."""
    names = {
        "integration_us": "Integration (usec)",
        "scans": "Scans",
        "boxcar_half_width_px": "Boxcar Half Width (px)",
        "serial": "Serial Number",
        "taken_at": "Taken At (UTC)",
        "device_name": "Device Name",
        "model": "Model",
        "simulated": "Simulated",
        "data_id": "Data ID",
    }
    optional = {"cause": "Run Cause", "short_id": "Short Record ID"}
    return {ours: _text(header, line) for ours, line in names.items()} | {
        ours: header[line] for ours, line in optional.items() if line in header
    }


def _text(header: Mapping[str, str], name: str) -> str:
    if name not in header:
        raise FormatError(f"the header line '{name}' is missing")
    return header[name]


def _integer(header: Mapping[str, str], name: str, at_least: int = 0) -> int:
    text = _text(header, name)
    if not (text.isascii() and text.isdecimal() and len(text) <= 15 and int(text) >= at_least):
        raise FormatError(f"the header line '{name}' holds no number: '{shown(text)}'")
    return int(text)


def _coefficients(text: str, of: str) -> tuple[float, ...]:
    try:
        return () if text == "none" else tuple(float(part) for part in text.split())
    except ValueError:
        raise FormatError(f"the {of} coefficients are no numbers: '{shown(text)}'") from None
