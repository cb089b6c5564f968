"""From what was inferred to what is said: elements, ambiguities, peaks and spectra in counts."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2, log10

import numpy as np

from oesd.engine.claims import Inference
from oesd.engine.linespread import PIXEL_PX
from oesd.engine.measure import Light
from oesd.engine.naming import Namings
from oesd.model import Ambiguity, ElementFinding, FloatArray, MaskArray, Peak

LARGEST, SMALLEST = 1e12, 1e-6
LARGEST_SHOWN = 1e308
COUNTS = 10.0  # a spectrum that reaches so high may be one of counts, of which a thousandth is nothing
DIGITS = 6  # of the highest value of one that does not
SCALED_DIGITS = 9
GAUSS_AREA = 1.0644670194312262  # area of a Gaussian of height 1 and FWHM 1: sqrt(pi / (4 ln 2))


@dataclass(frozen=True, slots=True)
class Unit:
    """What a spectrum's values are counted in while it is analysed, and how many digits of them are told.

    Attributes
    ----------
    factor : float
        Input values that are 1 within: a power of two that brings absurdly large or small ones to where squares neither
        overflow nor vanish; 1 for all others.
    decimals : int
        Behind the point, of values within: 3 of counts, more where a file's own unit makes all values small.
    """

    factor: float = 1.0
    decimals: int = 3

    @classmethod
    def of(cls, top: float) -> Unit:
        """The unit of a spectrum that reaches so high."""
        if top != 0.0 and not SMALLEST <= top <= LARGEST:
            return cls(float(2.0 ** max(floor(log2(top)), -1000.0)), SCALED_DIGITS)
        return cls() if top == 0.0 or top >= COUNTS else cls(decimals=DIGITS - floor(log10(top)))


def shown(values: FloatArray, unit: Unit) -> FloatArray:
    """Values in the input's own unit, without the digits that say nothing."""
    if unit.factor == 1.0:
        return values.round(unit.decimals)
    bound = LARGEST_SHOWN / max(unit.factor, 1.0)
    told: FloatArray = np.clip(values, -bound, bound).round(unit.decimals) * unit.factor
    return told


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


def peaks(light: Light, namings: Namings, unit: Unit) -> tuple[Peak, ...]:
    """Every peak with its name, candidates and measured values.

    The area is that of the light as it falls on the pixels; ``fwhm_nm`` is the width without the pixel's own.
    """
    found, dispersion = light.peaks, light.nm_per_px
    width, looks = found.fwhm_px * dispersion, np.hypot(found.fwhm_px, PIXEL_PX) * dispersion
    nm, px, fwhm_nm = np.array([light.center_nm, found.center_px, width]).round(4).tolist()
    columns = (
        [f"p{number}" for number in range(1, len(found) + 1)],
        nm,
        (found.sigma_px * dispersion).round(5).tolist(),
        px,
        fwhm_nm,
        found.snr.round(2).tolist(),
        *shown(np.array([found.height, found.height * looks * GAUSS_AREA]), unit).tolist(),
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
