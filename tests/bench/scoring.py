"""Scores of predictions against truth: the practice cases' own measures, written afresh, and calibration besides.

``tests/engine/test_scoring.py`` holds them against the practice set's score.py where that is at hand.
Elements: F1, precision, exact sets; a claimed element that is present but cannot be seen is neither right nor wrong.
Peaks: one to one within max(1.5 px, FWHM/2); an element with a quarter of the light, or the most, is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Truth = dict[str, Any]
Pairs = list[tuple[int, int]]
BINS = 10
FALSE_LOCK = 0.3  # line widths that the axis may be off where it is told to be sure


@dataclass(slots=True)
class Row:
    """What one case gives: counts, centre errors in pixels, relative widths, stated probabilities with their truth."""

    name: str
    family: str
    drift: str
    right: set[str]
    false: set[str]
    missed: set[str]
    false_peaks: int = 0
    peaks: int = 0
    seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    named: int = 0
    first: int = 0
    third: int = 0
    all_named: int = 0
    centers_px: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    element_stated: list[tuple[float, bool]] = field(default_factory=list)
    peak_stated: list[tuple[float, bool]] = field(default_factory=list)
    named_stated: list[tuple[float, bool]] = field(default_factory=list)
    ions: list[bool] = field(default_factory=list)
    claimed: int = 0
    axis_error: float | None = None
    axis_sure: bool = False
    spent_ms: float = 0.0
    stories: list[str] = field(default_factory=list)


def scored(truth: Truth, prediction: dict[str, Any]) -> Row:
    """One case; prediction in the practice schema, candidates with their probability where calibration is wanted."""
    stated = {e["element"]: float(e["score"]) for e in prediction["elements"]}
    detectable, present = set(truth["detectable"]), set(truth["present"])
    judged = set(stated) - (present - detectable)
    row = Row(
        truth["id"],
        truth["family"],
        truth["drift"],
        judged & detectable,
        judged - detectable,
        detectable - judged,
        claimed=len(stated),
    )
    row.element_stated = [(stated[e], e in detectable) for e in sorted(judged)]
    _score_peaks(row, truth, prediction["peaks"])
    return row


def _score_peaks(row: Row, truth: Truth, found: list[dict[str, Any]]) -> None:
    true_px = np.array([p["px"] for p in truth["peaks"]], dtype=float)
    found_px = np.array([p["center_px"] for p in found], dtype=float)
    reach = max(1.5, 0.5 * truth["fwhm_px"])
    pairs = matched(found_px, true_px, np.array([p["snr"] for p in truth["peaks"]]), reach)
    row.peaks = len(found)
    if len(found):
        distance = np.abs(found_px[:, None] - true_px[None, :]).min(axis=1, initial=np.inf)
        row.false_peaks = int((distance > reach).sum())
    of_true = {j: i for i, j in pairs}
    for least in (5, 10, 30):
        those = [j for j, p in enumerate(truth["peaks"]) if p["snr"] >= least and not p["band"] and p["contrib"]]
        row.seen[least] = (sum(j in of_true for j in those), len(those))
    for j, true in enumerate(truth["peaks"]):
        if not true["band"] and true["contrib"] and true["snr"] >= 5:
            row.all_named += 1
            if j in of_true:
                _score_name(row, true, found[of_true[j]])
                _score_place(row, truth, j, found[of_true[j]])


def matched(found_px: NDArray[np.float64], true_px: NDArray[np.float64], snr: Any, reach: float) -> Pairs:
    """Pairs (found, true), nearest first, the stronger of two equally near."""
    if not len(found_px) or not len(true_px):
        return []
    distance = np.abs(found_px[:, None] - true_px[None, :])
    cost = np.where(distance <= reach, distance - 1e-3 * np.minimum(snr, 200)[None, :] / 200, 9e9)
    pairs: Pairs = []
    taken_found: set[int] = set()
    taken_true: set[int] = set()
    for flat in np.argsort(cost, axis=None)[: 4 * (len(found_px) + len(true_px))]:
        i, j = divmod(int(flat), len(true_px))
        if distance[i, j] > reach:
            break
        if i not in taken_found and j not in taken_true:
            taken_found.add(i)
            taken_true.add(j)
            pairs.append((i, j))
    return pairs


def _score_name(row: Row, true: dict[str, Any], peak: dict[str, Any]) -> None:
    right = {c[0] for c in true["contrib"] if c[1] >= 0.25} | {true["contrib"][0][0]}
    candidates = peak["candidates"]
    names = [c["element"] for c in candidates]
    row.named += 1
    row.first += bool(names) and names[0] in right
    row.third += any(n in right for n in names[:3])
    if candidates and "probability" in candidates[0]:
        first = sum(float(c["probability"]) for c in candidates if c["element"] == names[0])
        row.peak_stated.append((min(first, 1.0), names[0] in right))
    if peak.get("element"):
        row.named_stated.append((float(peak["probability"]), peak["element"] in right))
    strict = true["contrib"][0]
    if names and strict[1] >= 0.6 and names[0] == strict[0] and candidates[0].get("ion"):
        row.ions.append(int(candidates[0]["ion"]) == strict[2])


def _score_place(row: Row, truth: Truth, number: int, peak: dict[str, Any]) -> None:
    true, fwhm_px = truth["peaks"][number], truth["fwhm_px"]
    if true["snr"] < 10 or true["sat"] or true["contrib"][0][1] < 0.9:
        return
    others = [abs(p["px"] - true["px"]) for k, p in enumerate(truth["peaks"]) if k != number and p["snr"] >= 2]
    if min(others, default=99.0) > 2.5 * fwhm_px:
        row.centers_px.append(peak["center_px"] - true["px"])
        if peak["fwhm_nm"]:
            row.widths.append(peak["fwhm_nm"] / truth["fwhm_nm"] - 1.0)


def score_axis(row: Row, truth: Truth, shift_nm: float, pivot: float, sure: bool) -> None:
    """What is left of the axis' error where the correction is told, in line widths; ``pivot``: place, 0 to 1."""
    error_nm = float(np.interp(pivot, (0.0, 0.5, 1.0), truth["werr_nm"]))
    row.axis_error, row.axis_sure = abs(error_nm - shift_nm) / truth["fwhm_nm"], sure


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def element_f1(rows: Iterable[Row]) -> float:
    """F1 over all elements of all cases."""
    rows = list(rows)
    right, wrong = sum(len(r.right) for r in rows), sum(len(r.false) + len(r.missed) for r in rows)
    return _ratio(2.0 * right, 2.0 * right + wrong)


def calibration_error(stated: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error: mean distance of what is said and what is so, over ten bins by weight."""
    if not stated:
        return 0.0
    said, so = np.array([p for p, _ in stated]), np.array([t for _, t in stated], dtype=float)
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    return float(sum(abs(said[bins == b].sum() - so[bins == b].sum()) for b in range(BINS)) / len(said))


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """All figures of the issue's table."""
    right = sum(len(r.right) for r in rows)
    false, missed = sum(len(r.false) for r in rows), sum(len(r.missed) for r in rows)
    named, first = sum(r.named for r in rows), sum(r.first for r in rows)
    centers = np.array([x for r in rows for x in r.centers_px] or [0.0])
    by_drift = {d: element_f1(r for r in rows if r.drift == d and "blank" not in r.family) for d in ("large", "small")}
    return {
        "element F1": element_f1(rows),
        "element precision": _ratio(right, right + false),
        "element recall": _ratio(right, right + missed),
        "exact element set": _ratio(sum(not r.false and not r.missed for r in rows), len(rows)),
        "claimed on blanks": float(sum(r.claimed for r in rows if "blank" in r.family)),
        "top-1 of matched": _ratio(first, named),
        "top-3 of matched": _ratio(sum(r.third for r in rows), named),
        "top-1 end to end": _ratio(first, sum(r.all_named for r in rows)),
        "ion stage": _ratio(sum(x for r in rows for x in r.ions), sum(len(r.ions) for r in rows)),
        "peak recall SNR>=10": _ratio(sum(r.seen[10][0] for r in rows), sum(r.seen[10][1] for r in rows)),
        "false peaks/spectrum": _ratio(sum(r.false_peaks for r in rows), len(rows)),
        "centre median, px": float(np.median(np.abs(centers))),
        "centre rms, px": float(np.sqrt(np.mean(centers**2))),
        "FWHM median error": float(np.median(np.abs([x for r in rows for x in r.widths] or [0.0]))),
        "F1 large/small axis error": _ratio(by_drift["large"], by_drift["small"]),
        "ECE elements": calibration_error([x for r in rows for x in r.element_stated]),
        "ECE peaks": calibration_error([x for r in rows for x in r.peak_stated]),
        "ECE named peaks": calibration_error([x for r in rows for x in r.named_stated]),
        "axis left, FWHM (sure)": float(np.median(_axis_errors(rows, sure=True) or [0.0])),
        "axis told unsure": _ratio(len(_axis_errors(rows, sure=False)), len(rows)),
        "false locks": float(sum(e > FALSE_LOCK for e in _axis_errors(rows, sure=True))),
        "time, ms": float(np.median([r.spent_ms for r in rows])),
    }


def _axis_errors(rows: Sequence[Row], *, sure: bool) -> list[float]:
    return [r.axis_error for r in rows if r.axis_error is not None and r.axis_sure is sure]


def reliability(stated: Sequence[tuple[float, bool]]) -> list[tuple[float, float, int]]:
    """(stated mean, true share, count) of every bin that holds any."""
    said, so = np.array([p for p, _ in stated]), np.array([t for _, t in stated], dtype=float)
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    held = [bins == b for b in range(BINS) if (bins == b).any()]
    return [(float(said[b].mean()), float(so[b].mean()), int(b.sum())) for b in held]
