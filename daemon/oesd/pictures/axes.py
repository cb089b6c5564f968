"""A result drawn on an axes of matplotlib, for notebooks: the corrected scope, and the names of its peaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from oesd.pictures.colours import QUIET, TRACE, colours_of
from oesd.pictures.drawing import PictureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = 40
_LABEL_STEP = 0.014  # of the axis: two letters
_ROOM = 1.12


def draw_on(document: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw a GET /oes document, of any server, on an axes; on one of a new figure when None.

    Raises
    ------
    PictureError
        Where matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        raise PictureError("plot() needs matplotlib: pip install 'oesd[plot]'") from None
    axes = plt.subplots(figsize=(10, 4), layout="constrained")[1] if ax is None else ax
    nm = np.array(document["wavelengths"], dtype=np.float64)
    counts = np.array(_curve(document), dtype=np.float64)
    axes.plot(nm, counts, color=TRACE, linewidth=0.8)
    _names(axes, nm, counts, document.get("detected_peaks") or [])
    axes.set_xlabel(_axis(str(document.get("wavelength_unit") or "nm")), parse_math=False)
    axes.set_ylabel("counts")
    axes.set_title(_title(document), fontsize=10, loc="left", parse_math=False)
    axes.margins(x=0)
    axes.set_ylim(top=axes.get_ylim()[1] * _ROOM)
    return axes


def _axis(unit: str) -> str:
    """What is written at the axis; others than nm are no axis of oesd's, and whether they are of air is not known."""
    return "wavelength in air / nm" if unit == "nm" else f"wavelength / {unit}"


def _curve(document: Mapping[str, Any]) -> Sequence[float | None]:
    corrected: Sequence[float | None] | None = document.get("scope_corrected")
    return document["sample"] if corrected is None else corrected


def _names(axes: Axes, nm: Any, counts: Any, peaks: Sequence[Mapping[str, Any]]) -> None:
    tops = [float(np.interp(peak["wavelength_nm"], nm, counts)) for peak in peaks]
    named = sorted((i for i, peak in enumerate(peaks) if peak.get("element")), key=lambda i: -tops[i])
    labelled = _apart(named, peaks, (nm[-1] - nm[0]) * _LABEL_STEP)
    colours = colours_of(tuple(dict.fromkeys(str(peaks[i]["element"]) for i in named)))
    for i, (peak, top) in enumerate(zip(peaks, tops, strict=True)):
        colour = colours.get(str(peak.get("element")), QUIET)
        axes.plot(peak["wavelength_nm"], top, "o", color=colour, markersize=3)
        if i in labelled:
            axes.annotate(
                str(peak["element"]), (peak["wavelength_nm"], top), (0, 4), textcoords="offset points", ha="center",
                fontsize=8, color=colour, parse_math=False,
            )  # fmt: skip


def _apart(named: Sequence[int], peaks: Sequence[Mapping[str, Any]], step_nm: float) -> set[int]:
    """Those of the named peaks, the highest first, whose labels do not lie on each other."""
    chosen: list[int] = []
    for i in named:
        at = peaks[i]["wavelength_nm"]
        if len(chosen) < _LABELS and all(abs(at - peaks[other]["wavelength_nm"]) >= step_nm for other in chosen):
            chosen.append(i)
    return set(chosen)


def _title(document: Mapping[str, Any]) -> str:
    about = document.get("spectral_metadata") or {}
    elements = ", ".join(str(found.get("element")) for found in document.get("elements") or ())
    words = (about.get("device"), about.get("taken_at"), elements, "SIMULATED" if about.get("simulated") else "")
    return "  ".join(str(word) for word in words if word) or str(document.get("data_id", ""))
