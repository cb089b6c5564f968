"""From what was inferred to what is said: elements, ambiguities, peaks and spectra in counts."""

from __future__ import annotations

import numpy as np

from oesd.engine.claims import Inference
from oesd.engine.measure import Light
from oesd.engine.naming import Namings
from oesd.model import Ambiguity, ElementFinding, FloatArray, MaskArray, Peak

LARGEST = 1e12
LARGEST_SHOWN = 1e308
GAUSS_AREA = 1.0644670194312262  # area of a Gaussian of height 1 and FWHM 1: sqrt(pi / (4 ln 2))


def shown(values: FloatArray, factor: float) -> FloatArray:
    """Counts in the input's scale, to 0.001; rounding stops where a float64 has no such digits."""
    if factor == 1.0 and float(np.vdot(values, values)) < LARGEST**2:
        return values.round(3)
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


def peaks(light: Light, namings: Namings, factor: float) -> tuple[Peak, ...]:
    """Every peak with its name, candidates and measured values; ``factor`` counts are one unit of height."""
    found, dispersion = light.peaks, light.nm_per_px
    width = found.fwhm_px * dispersion
    nm, px, fwhm_nm = np.array([light.center_nm, found.center_px, width]).round(4).tolist()
    columns = (
        [f"p{number}" for number in range(1, len(found) + 1)],
        nm,
        (found.sigma_px * dispersion).round(5).tolist(),
        px,
        fwhm_nm,
        found.snr.round(2).tolist(),
        *shown(np.array([found.height, found.height * width * GAUSS_AREA]), factor).tolist(),
        namings.element,
        namings.probability,
        [False] * len(found),
        namings.candidates,
        found.saturated.tolist(),
        found.blended.tolist(),
        namings.ambiguous,
        [None] * len(found),
    )  # in the order of a peak's fields
    return tuple(map(Peak._make, zip(*columns, strict=True)))
