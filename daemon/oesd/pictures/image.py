"""A picture as a png, by matplotlib: the spectrum as it is, below it the weak lines on a logarithmic scale, and why."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from oesd.pictures.colours import BASELINE, QUIET, TRACE, UNSURE, colours_of
from oesd.pictures.labels import Wish, placed
from oesd.pictures.view import Mark, View

_WIDTH_IN, _HEIGHT_IN, _DPI = 16.0, 10.0, 110
_LABEL_STEP_IN, _LABEL_REACH_IN = 0.135, 0.42
_REASONS, _NEARLY, _FACTS_LONGEST, _REASON_LONGEST = 9, 3, 210, 225
_DECADES, _MANY_MARKS = 4.5, 120


def png(view: View) -> bytes:
    """Draw a view."""
    with matplotlib.rc_context({"font.size": 9, "font.family": "DejaVu Sans", "text.parse_math": False}):
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor="white")
        canvas: Any = FigureCanvasAgg(figure)
        above = figure.add_axes((0.055, 0.475, 0.935, 0.345))
        below = figure.add_axes((0.055, 0.195, 0.935, 0.245), sharex=above)
        colours = colours_of(view.names)
        _words(figure, view, colours)
        _linear(above, view, colours)
        _logarithmic(below, view, colours)
        _labels(figure, above, view, colours)
        out = io.BytesIO()
        canvas.print_png(out)
    return out.getvalue()


def _linear(axes: Axes, view: View, colours: Mapping[str, str]) -> None:
    """Counts as they are, with the baseline."""
    axes.plot(view.nm, view.counts, color=TRACE, linewidth=0.8, zorder=2)
    if view.baseline is not None:
        axes.plot(view.nm, view.baseline, color=BASELINE, linewidth=1.1, zorder=3)
    _marks(axes, view, colours, [mark.top for mark in view.marks], [one.top for one in view.missing])
    low, high = min(0.0, float(np.nanmin(view.counts))), float(np.nanmax(view.counts))
    spare = 0.03 * ((high - low) or 1.0)
    axes.set_ylim(low - spare, high + spare)
    axes.set_ylabel("counts")
    axes.tick_params(labelbottom=False)


def _logarithmic(axes: Axes, view: View, colours: Mapping[str, str]) -> None:
    """Counts above the baseline, where the weak lines show."""
    axes.plot(view.nm, view.net, color=TRACE, linewidth=0.6, zorder=2)
    _marks(axes, view, colours, [mark.height for mark in view.marks], [one.height for one in view.missing])
    high = float(np.nanmax(view.net))
    if high > 0:
        noise = min(float(np.nanmedian(np.abs(view.net))), high / 10)
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(max(noise, high / 10**_DECADES), high * 1.8)
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ") if value >= 1 else f"{value:g}")
        )
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("above the baseline")
    axes.set_xlabel("wavelength in air / nm, as the device has it")


def _marks(axes: Axes, view: View, colours: Mapping[str, str], tops: Sequence[float], missing: Sequence[float]) -> None:
    for band in view.bands:
        axes.axvspan(band.low_nm, band.high_nm, color=colours.get(band.name, QUIET), alpha=0.12, linewidth=0)
    size = 4.0 if len(view.marks) <= _MANY_MARKS else 3.0
    for mark, top in zip(view.marks, tops, strict=True):
        shape = "^" if mark.saturated else "o"
        axes.plot(mark.nm, top, shape, color=_colour(mark, colours), markersize=size if mark.name else 2.6, zorder=4)
    for one, top in zip(view.missing, missing, strict=True):
        axes.plot(
            one.nm, top, "o", markerfacecolor="white", markeredgecolor=colours.get(one.element, QUIET),
            markersize=6.0, markeredgewidth=1.3, zorder=5,
        )  # fmt: skip
    axes.grid(color="#e8ecf0", linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(float(view.nm[0]), float(view.nm[-1]))


def _labels(figure: Figure, axes: Axes, view: View, colours: Mapping[str, str]) -> None:
    """Upright names in a row above the spectrum, each with a line to its peak."""
    box = axes.get_position()
    left_in, right_in = box.x0 * _WIDTH_IN, box.x1 * _WIDTH_IN
    first, last = axes.get_xlim()
    ranked = view.ranked
    wishes = [
        Wish(left_in + (mark.nm - first) / (last - first) * (right_in - left_in), i) for i, mark in enumerate(ranked)
    ]
    row_in = box.y1 * _HEIGHT_IN
    for place in placed(wishes, left_in, right_in, _LABEL_STEP_IN, _LABEL_REACH_IN):
        mark, wished = ranked[place.number], wishes[place.number].x
        colour = _colour(mark, colours)
        figure.text(
            place.x / _WIDTH_IN, (row_in + 0.26) / _HEIGHT_IN, mark.label,
            rotation=90, ha="center", va="bottom", fontsize=8, color=colour,
        )  # fmt: skip
        peak_in = box.y0 * _HEIGHT_IN + _share(axes, mark.top) * box.height * _HEIGHT_IN
        xs = [place.x, place.x, wished, wished]
        ys = [row_in + 0.22, row_in + 0.16, row_in + 0.05, min(peak_in + 0.05, row_in + 0.05)]
        leader = Line2D(
            [x / _WIDTH_IN for x in xs], [y / _HEIGHT_IN for y in ys], color=colour, linewidth=0.5, alpha=0.6
        )
        figure.add_artist(leader)


def _share(axes: Axes, value: float) -> float:
    low, high = axes.get_ylim()
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _words(figure: Figure, view: View, colours: Mapping[str, str]) -> None:
    figure.text(0.055, 0.972, view.title, fontsize=11, color=TRACE, va="center")
    figure.text(0.055, 0.945, ",  ".join(view.findings), fontsize=15, fontweight="bold", color=TRACE, va="center")
    figure.text(0.055, 0.921, _cut(" · ".join(view.facts), _FACTS_LONGEST), fontsize=8.5, color="#5a6875", va="center")
    legend = "● peak, in the colour of its name (grey: no name)   ▲ saturated   ○ expected of its element, and missing"
    figure.text(0.99, 0.972, legend, fontsize=8, color="#5a6875", ha="right", va="center")
    figure.text(0.99, 0.945, "baseline", fontsize=8, color=BASELINE, ha="right", va="center")
    y = 0.135
    claimed = [reason for reason in view.reasons if reason.claimed]
    others = [reason for reason in view.reasons if not reason.claimed][:_NEARLY]
    for reason in [*claimed[: _REASONS - len(others)], *others]:
        colour = colours.get(reason.name, TRACE) if reason.claimed else QUIET
        figure.text(0.055, y, reason.name, fontsize=9, fontweight="bold", color=colour, va="center")
        figure.text(0.085, y, reason.chance, fontsize=8.5, color=colour, va="center")
        figure.text(0.118, y, _cut(reason.sentence, _REASON_LONGEST), fontsize=8.5, color=TRACE, va="center")
        y -= 0.0155


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _colour(mark: Mark, colours: Mapping[str, str]) -> str:
    return colours[mark.name] if mark.name else UNSURE if mark.ambiguous else QUIET
