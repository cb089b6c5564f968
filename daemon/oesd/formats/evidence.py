"""Evidence as a document: why elements are named, each line with the peak that it is found in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oesd.model import Analysis, Evidence, LineEvidence, Peak


def evidence_document(analysis: Analysis, peaks: Sequence[Peak] | None = None) -> dict[str, Any]:
    """Build the JSON-ready evidence of an analysis.

    Parameters
    ----------
    analysis : Analysis
        Made with its evidence.
    peaks : sequence of Peak, optional
        Whose ids the lines name, where those are of an earlier revision: a line goes to the peak within half a width.

    Returns
    -------
    dict
        ``evidence``: as :meth:`~oesd.model.Evidence.as_dict`, each line with ``peak_id``, None where it is missing;
        ``baseline``: counts, (pixels,), as far as the analysis has one.
    """
    found = analysis.detected_peaks if peaks is None else peaks
    return {
        "engine_version": analysis.engine_version,
        "line_table_version": analysis.line_table_version,
        "recipe": analysis.recipe.as_dict(),
        "evidence": [_with_peaks(one, found) for one in analysis.evidence],
        "baseline": None if analysis.baseline is None else analysis.baseline.tolist(),
    }


def _with_peaks(one: Evidence, peaks: Sequence[Peak]) -> dict[str, Any]:
    lines = [{**line.as_dict(), "peak_id": _peak_id(line, peaks)} for line in one.lines]
    return {**one.as_dict(), "lines": lines, "missing": [line.as_dict() | {"peak_id": None} for line in one.missing]}


def _peak_id(line: LineEvidence, peaks: Sequence[Peak]) -> str | None:
    if line.peak_nm is None or not peaks:
        return None
    nearest = min(peaks, key=lambda peak: abs(peak.wavelength_nm - (line.peak_nm or 0.0)))
    return nearest.peak_id if abs(nearest.wavelength_nm - line.peak_nm) <= nearest.fwhm_nm / 2 else None
