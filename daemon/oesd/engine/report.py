"""From what was inferred to what is said: elements, ambiguities, peaks and spectra in counts."""

from __future__ import annotations

import numpy as np

from oesd.engine.claims import Inference
from oesd.engine.measure import Light
from oesd.engine.naming import Naming
from oesd.model import Ambiguity, ElementFinding, FloatArray, MaskArray, Peak

LARGEST = 1e12
LARGEST_SHOWN = 1e308
GAUSS_AREA = 1.0644670194312262  # area of a Gaussian of height 1 and FWHM 1: sqrt(pi / (4 ln 2))


def shown(values: FloatArray, factor: float) -> FloatArray:
    """Counts in the input's scale, to 0.001; rounding stops where a float64 has no such digits."""
    if factor == 1.0 and -LARGEST < float(values.min(initial=0.0)) and float(values.max(initial=0.0)) < LARGEST:
        return np.round(values, 3)
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


def peaks(light: Light, namings: list[Naming], factor: float) -> tuple[Peak, ...]:
    """Every peak with its name, candidates and measured values; ``factor`` counts are one unit of height."""
    found, dispersion = light.peaks, light.nm_per_px
    width = found.fwhm_px * dispersion
    measured = zip(
        namings,
        np.round(light.center_nm, 4).tolist(),
        np.round(found.sigma_px * dispersion, 5).tolist(),
        np.round(found.center_px, 4).tolist(),
        np.round(width, 4).tolist(),
        np.round(found.snr, 2).tolist(),
        shown(found.height, factor).tolist(),
        shown(found.height * width * GAUSS_AREA, factor).tolist(),
        found.saturated.tolist(),
        found.blended.tolist(),
        strict=True,
    )
    return tuple(
        Peak(
            peak_id=f"p{number}",
            wavelength_nm=nm,
            wavelength_sigma_nm=sigma_nm,
            center_px=px,
            fwhm_nm=fwhm_nm,
            snr=snr,
            intensity=height,
            area=area,
            element=naming.element,
            probability=naming.probability,
            manual=False,
            candidates=naming.candidates,
            saturated=saturated,
            blended=blended,
            ambiguous=naming.ambiguous,
        )
        for number, (naming, nm, sigma_nm, px, fwhm_nm, snr, height, area, saturated, blended) in enumerate(measured, 1)
    )
