"""Findings as aligned lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oesd.cli.recipes import recipe_line

_MARKS = (("*", "manual"), ("S", "saturated"), ("B", "blended"), ("?", "ambiguous"))
_SURE = 0.995


def finding_lines(document: Mapping[str, Any]) -> list[str]:
    """Elements, molecules and what is ambiguous in a line each, then a line for each peak with its best candidates.

    Parameters
    ----------
    document : mapping
        As GET /oes has it.
    """
    recipe = recipe_line(document["spectral_metadata"].get("recipe") or {"elements": []})
    peaks = document["detected_peaks"]
    lines = [recipe] if recipe else []
    lines.append(f"elements: {_named(document['elements']) or 'none named'}")
    if document.get("molecules"):
        lines.append(f"molecules: {_named(document['molecules'])}")
    lines += [_ambiguous(one) for one in document.get("ambiguous", ())]
    if peaks:
        lines.append(f"{'peak':5} {'nm':>9} {'sigma':>6} {'FWHM':>5} {'SNR':>7} {'height':>9}  name  p     candidates")
    lines += [_peak_line(peak) for peak in peaks]
    return lines + (["(* chosen by hand, S saturated, B blended, ? ambiguous)"] if peaks else [])


def chance(probability: float) -> str:
    """Probability to two decimals, never "1.00": nothing here is certain."""
    return ">0.99" if probability >= _SURE else f"{probability:.2f}"


def _named(findings: Any) -> str:
    return ", ".join(f"{found['element']} {chance(found['probability'])}" for found in findings)


def _ambiguous(one: Mapping[str, Any]) -> str:
    peaks = ", ".join(f"{nm:.2f}" for nm in one["peaks_nm"])
    return f"ambiguous: {' or '.join(one['elements'])} at {peaks} nm: nothing tells which"


def number(value: float, width: int, decimals: int) -> str:
    """A number in a column: with so many decimals while that fits, else in powers of ten."""
    plain = f"{value:{width}.{decimals}f}"
    return plain if len(plain) <= width else f"{value:{width}.{max(width - 7, 0)}e}"


def _peak_line(peak: Mapping[str, Any]) -> str:
    flags = "".join(mark for mark, name in _MARKS if peak.get(name))
    candidates = " ".join(f"{c['candidate_key']}({c['probability']:.2f})" for c in peak["candidates"][:4])
    measured = (
        f"{number(peak['wavelength_nm'], 9, 3)} {number(peak['wavelength_sigma_nm'], 6, 3)} "
        f"{number(peak['fwhm_nm'], 5, 2)} {number(peak['snr'], 7, 1)} {number(peak['intensity'], 9, 1)}"
    )
    name = peak["element"] or "-"
    return f"{peak['peak_id']:5} {measured}  {name:3}{flags:2} {peak['probability']:.2f}  {candidates}"
