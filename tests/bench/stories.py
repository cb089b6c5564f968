"""Why an element was missed or wrongly claimed: its maxima in the truth, what the engine saw and called there."""

from __future__ import annotations

from typing import Any

from oesd.model import Analysis, Peak

Truth = dict[str, Any]


def missed(element: str, truth: Truth, result: Analysis) -> str:
    """The element's own maxima, strongest first: SNR, share of light there, and what the engine has there."""
    own = [p for p in truth["peaks"] if p["contrib"] and p["contrib"][0][0] == element and p["snr"] >= 5]
    own.sort(key=lambda p: -p["snr"])
    told = [f"{_line(p)} SNR {p['snr']:.0f} {p['contrib'][0][1]:.2f}: {_there(p, truth, result)}" for p in own[:5]]
    return f"    {element} missed, {len(own)} maxima: " + "; ".join(told)


def falsely(element: str, truth: Truth, result: Analysis) -> str:
    """The peaks that the engine gave to the element, and whose light that is."""
    mine = sorted((p for p in result.detected_peaks if p.element == element), key=lambda p: -p.snr)
    told = [f"{_named(p)} is {_whose(p, truth)}" for p in mine[:5]]
    return f"    {element} false, {len(mine)} peaks: " + "; ".join(told)


def _line(true: dict[str, Any]) -> str:
    return f"{true['contrib'][0][3]:.2f}({'I' * true['contrib'][0][2]})"


def _reach(truth: Truth) -> float:
    return max(1.5, 0.5 * float(truth["fwhm_px"]))


def _there(true: dict[str, Any], truth: Truth, result: Analysis) -> str:
    near = [p for p in result.detected_peaks if abs(p.center_px - true["px"]) <= _reach(truth)]
    if not near:
        return "no peak"
    peak = min(near, key=lambda p: abs(p.center_px - true["px"]))
    others = ",".join(dict.fromkeys(c.element for c in peak.candidates[:5]))
    return f"{peak.element or 'unnamed'} [{others}]"


def _named(peak: Peak) -> str:
    lines = [c for c in peak.candidates if c.element == peak.element]
    return f"{lines[0].wavelength_nm:.2f}({'I' * lines[0].ionization}) SNR {peak.snr:.0f}" if lines else "?"


def _whose(peak: Peak, truth: Truth) -> str:
    near = [p for p in truth["peaks"] if abs(p["px"] - peak.center_px) <= _reach(truth)]
    if not near:
        return "nothing"
    true = min(near, key=lambda p: abs(p["px"] - peak.center_px))
    return "a band" if not true["contrib"] else f"{true['contrib'][0][0]} {_line(true)}"
