"""A picture as a page that needs no network, by plotly: zoom, hover, names that appear as there is room for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from plotly.graph_objects import Figure
from plotly.io import to_html

from oesd.model import FloatArray
from oesd.pictures.colours import BASELINE, QUIET, TRACE, UNSURE, colours_of
from oesd.pictures.view import Mark, Missing, View

_CONFIG = {"displaylogo": False, "scrollZoom": True, "responsive": True}
_CHART = "oesd-chart"


def html(view: View) -> bytes:
    """Draw a view. Foreign text is escaped; the page loads nothing."""
    colours = colours_of(view.names)
    chart = to_html(
        _figure(view, colours),
        config=_CONFIG,
        include_plotlyjs=True,
        full_html=False,
        div_id=_CHART,
        default_height="100%",
        post_script=_script(view, colours),
    )
    return _template().format(
        title=escape(view.title),
        findings=escape(",  ".join(view.findings)),
        facts=escape(" · ".join(view.facts)),
        chart=chart,
        reasons="\n".join(_reason(view, i, colours) for i in range(len(view.reasons))),
    ).encode()  # fmt: skip


def _template() -> str:
    return files("oesd.pictures").joinpath("page.html").read_text(encoding="utf-8")


def _script(view: View, colours: Mapping[str, str]) -> str:
    """Labels as data, and the code that places them; ``<`` cannot end the script."""
    labels = [
        {"x": mark.nm, "y": mark.top, "text": mark.label, "colour": _colour(mark, colours)} for mark in view.ranked
    ]
    data = json.dumps(labels).replace("<", "\\u003c")
    code = files("oesd.pictures").joinpath("page.js").read_text(encoding="utf-8")
    return f"const labels = {data};\nconst chart = document.getElementById({json.dumps(_CHART)});\n{code}"


def _figure(view: View, colours: Mapping[str, str]) -> Any:
    figure = Figure()
    figure.add_scatter(
        x=_finite(view.nm), y=_finite(view.counts), mode="lines", name="spectrum", line={"color": TRACE, "width": 1},
        hovertemplate="%{x:.2f} nm: %{y:.0f}<extra></extra>",
    )  # fmt: skip
    if view.baseline is not None:
        figure.add_scatter(
            x=_finite(view.nm), y=_finite(view.baseline), mode="lines", name="baseline",
            line={"color": BASELINE, "width": 1.5}, hoverinfo="skip",
        )  # fmt: skip
    for name in view.names:
        _add_peaks(figure, [mark for mark in view.marks if mark.name == name], name, colours[name])
        _add_missing(figure, [one for one in view.missing if one.element == name], name, colours[name])
    _add_peaks(figure, [mark for mark in view.marks if not mark.name and mark.ambiguous], "ambiguous", UNSURE)
    _add_peaks(figure, [mark for mark in view.marks if not mark.name and not mark.ambiguous], "not named", QUIET)
    for band in view.bands:
        figure.add_vrect(
            x0=band.low_nm, x1=band.high_nm, fillcolor=colours.get(band.name, QUIET), opacity=0.12, line_width=0
        )
    figure.update_layout(**_layout(view))
    return figure


def _add_peaks(figure: Any, marks: list[Mark], name: str, colour: str) -> None:
    if marks:
        figure.add_scatter(
            x=[mark.nm for mark in marks], y=[mark.top for mark in marks], mode="markers", name=escape(name),
            legendgroup=name, marker={
                "color": colour, "size": 7, "symbol": ["triangle-up" if mark.saturated else "circle" for mark in marks],
            },
            hovertext=["<br>".join(escape(line) for line in mark.detail) for mark in marks],
            hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip


def _add_missing(figure: Any, lines: list[Missing], name: str, colour: str) -> None:
    if lines:
        figure.add_scatter(
            x=[one.nm for one in lines], y=[one.top for one in lines], mode="markers", name=f"{escape(name)} missing",
            legendgroup=name, marker={"color": colour, "size": 10, "symbol": "circle-open", "line": {"width": 2}},
            hovertext=[escape(one.detail) for one in lines], hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip


def _layout(view: View) -> dict[str, Any]:
    return {
        "template": "plotly_white",
        "margin": {"l": 70, "r": 20, "t": 96, "b": 50},
        "hovermode": "closest",
        "dragmode": "zoom",
        "legend": {"itemsizing": "constant"},
        "xaxis": {"title": {"text": "wavelength in air / nm, as the device has it"}, "range": _range(view.nm)},
        "yaxis": {"title": {"text": "counts"}, "fixedrange": False},
        "updatemenus": [
            {
                "type": "buttons", "direction": "right", "x": 1.0, "xanchor": "left", "y": -0.02, "yanchor": "top",
                "buttons": [
                    {"label": name, "method": "relayout", "args": [{"yaxis.type": kind, "yaxis.autorange": True}]}
                    for name, kind in (("linear", "linear"), ("log", "log"))
                ],
            }
        ],
    }  # fmt: skip


def _range(nm: FloatArray) -> list[float]:
    return [float(nm[0]), float(nm[-1])]


def _finite(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _reason(view: View, number: int, colours: Mapping[str, str]) -> str:
    reason = view.reasons[number]
    colour = colours.get(reason.name, TRACE) if reason.claimed else QUIET
    cells = f'<th style="color:{colour}">{escape(reason.name)}</th><td>{escape(reason.chance)}</td>'
    return f"<tr>{cells}<td>{escape(reason.sentence)}</td></tr>"


def _colour(mark: Mark, colours: Mapping[str, str]) -> str:
    return colours[mark.name] if mark.name else UNSURE if mark.ambiguous else QUIET
