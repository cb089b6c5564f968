"""From what was inferred to what is said: elements, ambiguities, peaks and spectra in counts."""

from __future__ import annotations

import numpy as np

from oesd.engine.candidates import Naming
from oesd.engine.claims import Inference
from oesd.engine.measure import Light
from oesd.model import Ambiguity, ElementFinding, FloatArray, MaskArray, Peak

LARGEST = 1e12
LARGEST_SHOWN = 1e308
GAUSS_AREA = 1.0644670194312262  # area of a Gaussian of height 1 and FWHM 1: sqrt(pi / (4 ln 2))


def shown(values: FloatArray, factor: float) -> FloatArray:
    """Counts in the input's scale, to 0.001; rounding stops where a float64 has no such digits."""
    bound = LARGEST_SHOWN / max(factor, 1.0)
    counts: FloatArray = np.clip(values, -bound, bound) * factor
    return np.where(np.abs(counts) < LARGEST, np.round(np.clip(counts, -LARGEST, LARGEST), 3), counts)


def element_findings(inference: Inference) -> tuple[ElementFinding, ...]:
    """Elements claimed, surest first."""
    ranked = sorted(inference.probability.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ElementFinding(name, round(probability, 4)) for name, probability in ranked)


def ambiguities(inference: Inference, contested: MaskArray, at_nm: FloatArray) -> tuple[Ambiguity, ...]:
    """What could not be decided: the contenders, likeliest first, and the peaks it is about.

    ``contested`` is (contests, peaks), ``at_nm`` the peaks' wavelengths on the device's axis.
    """
    return tuple(
        Ambiguity(tuple(contest.claims), tuple(at_nm[mine].tolist()))
        for contest, mine in zip(inference.contests, contested, strict=True)
    )


def wavelengths_nm(device_nm: FloatArray, light: Light) -> FloatArray:
    """Where the peaks are on the device's axis, as it is reported; shape (peaks,)."""
    where: FloatArray = np.round(np.interp(light.peaks.center_px, np.arange(len(device_nm)), device_nm), 4)
    return where


def peaks(device_nm: FloatArray, light: Light, namings: list[Naming], factor: float) -> tuple[Peak, ...]:
    """Every peak with its name, candidates and measured values; ``factor`` counts are one unit of height."""
    found, pixels = light.peaks, np.arange(len(device_nm))
    wavelength = wavelengths_nm(device_nm, light)
    dispersion = np.interp(found.center_px, pixels, np.gradient(device_nm))
    width = found.fwhm_px * dispersion
    height = shown(found.height, factor)
    area = shown(found.height * width * GAUSS_AREA, factor)
    return tuple(
        Peak(
            peak_id=f"p{number + 1}",
            wavelength_nm=float(wavelength[number]),
            wavelength_sigma_nm=round(float(found.sigma_px[number] * dispersion[number]), 5),
            center_px=round(float(found.center_px[number]), 4),
            fwhm_nm=round(float(width[number]), 4),
            snr=round(float(found.snr[number]), 2),
            intensity=float(height[number]),
            area=float(area[number]),
            element=naming.element,
            probability=naming.probability,
            manual=False,
            candidates=naming.candidates,
            saturated=bool(found.saturated[number]),
            blended=bool(found.blended[number]),
            ambiguous=naming.ambiguous,
        )
        for number, naming in enumerate(namings)
    )
