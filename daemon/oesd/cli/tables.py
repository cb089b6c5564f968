"""Findings as aligned lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def peak_lines(elements: Sequence[Mapping[str, Any]], peaks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Elements in one line, then a line for each peak with its best candidates.

    Parameters
    ----------
    elements, peaks : sequence of mapping
        As in the GET /oes document.
    """
    named = ", ".join(f"{e['element']} {e['probability']:.2f}" for e in elements)
    lines = [f"elements: {named or 'none named'}"]
    if peaks:
        lines.append(f"{'peak':5} {'nm':>9} {'sigma':>6} {'FWHM':>5} {'SNR':>7} {'height':>9}  name  p     candidates")
    lines += [_peak_line(peak) for peak in peaks]
    return lines + (["(* chosen by hand, S saturated, B blended)"] if peaks else [])


def _peak_line(peak: Mapping[str, Any]) -> str:
    marks = (("*", peak.get("manual")), ("S", peak["saturated"]), ("B", peak["blended"]))
    flags = "".join(mark for mark, on in marks if on)
    candidates = " ".join(f"{c['candidate_key']}({c['probability']:.2f})" for c in peak["candidates"][:4])
    measured = (
        f"{peak['wavelength_nm']:9.3f} {peak['wavelength_sigma_nm']:6.3f} {peak['fwhm_nm']:5.2f} "
        f"{peak['snr']:7.1f} {peak['intensity']:9.1f}"
    )
    name = peak["element"] or "-"
    return f"{peak['peak_id']:5} {measured}  {name:3}{flags:2} {peak['probability']:.2f}  {candidates}"
