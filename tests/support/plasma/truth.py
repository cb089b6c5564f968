"""What is true of a simulated spectrum: its maxima without noise, whose light they are, which elements can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks
from tests.support.plasma.instrument import FINE, Exposed, Spectrometer

Array = NDArray[np.float64]
LISTED_SNR, SEEN_SNR = 1.2, 5.0
LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Shone:
    """Light behind slit and response on the fine grid: by species, bands, continuum; lines as (nm, photons)."""

    species: dict[tuple[str, int], Array]
    lines: dict[tuple[str, int], tuple[Array, Array]]
    bands: Array
    continuum: Array

    def total(self) -> Array:
        """All of it."""
        return np.asarray(sum(self.species.values(), self.bands + self.continuum))


def truth_of(
    shone: Shone, scale: float, spectrometer: Spectrometer, exposed: Exposed, unevenness: float
) -> dict[str, Any]:
    """Truth in the practice cases' schema."""
    pixel = np.ones(FINE)
    curve = np.convolve(shone.total() * scale, pixel, "same")
    sigma = np.hypot(exposed.sigma, unevenness * curve[FINE // 2 :: FINE])
    fine_sigma = np.repeat(sigma, FINE)
    # without the continuum, lest a faint line on its top be as prominent as all of it
    tops, found = find_peaks(curve - scale * FINE * shone.continuum, prominence=0.0)
    snr = found["prominences"] / fine_sigma[tops]
    reach = max(1, round(spectrometer.optics.fwhm_nm[1] / float(np.median(np.diff(spectrometer.true_nm)))))
    listed = (snr >= LISTED_SNR) & ~_drowned(exposed.full, tops // FINE, reach)
    peaks = [
        _peak(shone, curve, int(top), float(ratio), scale, spectrometer, exposed)
        for top, ratio in zip(tops[listed], snr[listed], strict=True)
    ]
    middle = float(np.median(np.diff(spectrometer.true_nm)))
    fwhm = spectrometer.optics.fwhm_nm[1]
    error = spectrometer.error_nm
    return {
        "fwhm_nm": fwhm,
        "fwhm_px": fwhm / middle,
        "nm_per_px": middle,
        "werr_nm": [float(error[0]), float(error[len(error) // 2]), float(error[-1])],
        "saturated": bool(exposed.full.any()),
        "present": sorted({element for element, _ in shone.species}),
        "detectable": sorted(_detectable(peaks)),
        "hot": exposed.hot.tolist(),
        "bands": bool(shone.bands.any()),
        "peaks": peaks,
    }


def _drowned(full: NDArray[np.bool_], pixels: NDArray[np.intp], reach: int) -> NDArray[np.bool_]:
    """Whether all pixels within a line's reach are full: nothing can be seen of what is there."""
    beyond = np.concatenate([[0], np.cumsum(full)])
    first, last = np.maximum(pixels - reach, 0), np.minimum(pixels + reach, len(full) - 1)
    return np.asarray(beyond[last + 1] - beyond[first] == last + 1 - first)


def _detectable(peaks: list[dict[str, Any]]) -> set[str]:
    seen = [p for p in peaks if p["snr"] >= SEEN_SNR and not p["band"] and p["contrib"]]
    return {str(p["contrib"][0][0]) for p in seen if p["contrib"][0][1] >= 0.5}


def _peak(
    shone: Shone, curve: Array, top: int, snr: float, scale: float, spectrometer: Spectrometer, exposed: Exposed
) -> dict[str, Any]:
    before, at, after = curve[max(top - 1, 0)], curve[top], curve[min(top + 1, len(curve) - 1)]
    bend = before - 2.0 * at + after
    # of an even number of samples "same" puts the middle half a sample to the left of the pixel's
    place = top - 0.5 * (after - before) / bend if bend < 0.0 else float(top)
    px = float(np.interp(place - 0.5 * ((FINE + 1) % 2), np.arange(len(curve)), spectrometer.fine_px))
    nm = float(np.interp(px, np.arange(len(spectrometer.true_nm)), spectrometer.true_nm))
    contributions, band = _shares(shone, top, nm, spectrometer.fwhm_at(nm))
    near = slice(max(int(px - 1.0), 0), int(px + 3.0))
    return {
        "px": px,
        "true_nm": nm,
        "snr": snr,
        "height": float(at - FINE * scale * shone.continuum[top]),
        "sat": bool(exposed.full[near].any()),
        "band": band,
        "contrib": [] if band else contributions,
    }


def _shares(shone: Shone, top: int, nm: float, fwhm_nm: float) -> tuple[list[list[Any]], bool]:
    """[element, share, stage, line in nm] of each element, most light first; whether a band outshines them all."""
    light = {key: float(image[top]) for key, image in shone.species.items()}
    band = max(float(shone.bands[top]), 0.0)
    whole = sum(light.values()) + band
    if whole <= 0.0 or band > 0.5 * whole:
        return [], True
    by_element: dict[str, list[tuple[float, int]]] = {}
    for (element, stage), amount in light.items():
        by_element.setdefault(element, []).append((amount / whole, stage))
    rows: list[list[Any]] = []
    for element, parts in by_element.items():
        share, (_, stage) = sum(p for p, _ in parts), max(parts)
        if share >= LEAST_SHARE:
            rows.append([element, share, stage, _line(shone.lines[element, stage], nm, fwhm_nm)])
    rows.sort(key=lambda row: -row[1])
    return rows, not rows


def _line(lines: tuple[Array, Array], nm: float, fwhm_nm: float) -> float:
    """The line that gives most light there."""
    light = lines[1] * np.exp(-4.0 * np.log(2.0) * ((lines[0] - nm) / fwhm_nm) ** 2)
    return float(lines[0][int(np.argmax(light))])
