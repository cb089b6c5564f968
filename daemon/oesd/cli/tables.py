"""Findings as aligned lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oesd.cli.recipes import recipe_line

_MARKS = (("*", "manual"), ("S", "saturated"), ("B", "blended"), ("?", "ambiguous"))
LEGEND = "(* chosen by hand, S saturated, B blended, ? ambiguous)"
_SURE = 0.995
_WORDS = {"nonlinearity": "non-linearity", "stray_light": "stray light", "shorter_exposure": "shorter exposure"}


def finding_lines(document: Mapping[str, Any]) -> list[str]:
    """Elements, molecules and what is ambiguous in a line each, then a line for each peak with its best candidates.

    Parameters
    ----------
    document : mapping
        As GET /oes has it.
    """
    peaks = document["detected_peaks"]
    lines = summary_lines(document)
    if peaks:
        lines.append(f"{'peak':5} {'nm':>9} {'sigma':>6} {'FWHM':>5} {'SNR':>7} {'height':>9}  name  p      candidates")
    lines += [_peak_line(peak) for peak in peaks]
    return lines + ([LEGEND] if peaks else [])


def summary_lines(document: Mapping[str, Any]) -> list[str]:
    """Elements, molecules and what is ambiguous, a line each."""
    recipe = recipe_line(document["spectral_metadata"].get("recipe") or {"elements": []})
    lines = [*([recipe] if recipe else []), *_correction_lines(document["spectral_metadata"])]
    lines.append(f"elements: {_named(document['elements']) or 'none named'}")
    if document.get("molecules"):
        lines.append(f"molecules: {_named(document['molecules'])}")
    return lines + [_ambiguous(one) for one in document.get("ambiguous", ())]


def _correction_lines(metadata: Mapping[str, Any]) -> list[str]:
    """What was corrected and what was not; what is doubtful is a warning of its own."""
    each = [one for one in metadata.get("corrections") or () if isinstance(one, Mapping)]
    told = [(one, f"{_WORDS.get(str(one.get('name')), one.get('name'))} ({one.get('note')})") for one in each]
    rows = (
        ("corrected: ", [text for one, text in told if one.get("applied")]),
        ("not corrected: ", [text for one, text in told if not one.get("applied")]),
    )
    doubts = [f"warning: {text}: look at it" for one, text in told if one.get("doubtful")]
    return [head + "; ".join(texts) for head, texts in rows if texts] + doubts


def peak_rows(peaks: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The same peaks as rows of a table, headings first."""
    head = ["peak", "nm", "sigma", "FWHM", "SNR", "height", "name", "p", "candidates"]
    return [head, *(_peak_cells(peak) for peak in peaks)]


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
    peak_id, *measured, _, probability, candidates = _peak_cells(peak)
    flags, name = _flags(peak), peak["element"] or "-"
    return f"{peak_id:5} {' '.join(measured)}  {name:3}{flags:2} {probability}  {candidates}"


def _peak_cells(peak: Mapping[str, Any]) -> list[str]:
    return [
        peak["peak_id"],
        number(peak["wavelength_nm"], 9, 3),
        number(peak["wavelength_sigma_nm"], 6, 3),
        number(peak["fwhm_nm"], 5, 2),
        number(peak["snr"], 7, 1),
        number(peak["intensity"], 9, 1),
        f"{peak['element'] or '-'} {_flags(peak)}".rstrip(),
        f"{chance(peak['probability']):5}",
        " ".join(_candidates(peak)),
    ]


def _candidates(peak: Mapping[str, Any]) -> Iterator[str]:
    """The best candidates; what a person chose comes first, with a star."""
    chosen = peak.get("candidate_key")
    ordered = sorted(peak["candidates"], key=lambda one: one["candidate_key"] != chosen)
    if chosen and all(one["candidate_key"] != chosen for one in ordered):
        yield f"{chosen}*"
    for one in ordered[:4]:
        yield f"{one['candidate_key']}{'*' if one['candidate_key'] == chosen else ''}({chance(one['probability'])})"


def _flags(peak: Mapping[str, Any]) -> str:
    return "".join(mark for mark, name in _MARKS if peak.get(name))
