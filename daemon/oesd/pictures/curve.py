"""A curve with its uncertainty as a picture: what is no emission spectrum, such as an absorbance."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from oesd.pictures.colours import TRACE
from oesd.pictures.drawing import FORMS, PictureError

if TYPE_CHECKING:
    from oesd.model import FloatArray

_AXIS = "wavelength in air / nm, as the device has it"


def curve_picture(
    form: str, nm: FloatArray, values: FloatArray, label: str, title: str, sigma: FloatArray | None = None
) -> bytes:
    """Draw a curve.

    Parameters
    ----------
    form : {".png", ".html"}
    nm, values : (pixels,) float64
        NaN leaves a gap.
    label, title : str
        Of the axis, with its unit, and of the picture; foreign text.
    sigma : (pixels,) float64, optional
        Drawn as a band of one sigma to either side.

    Raises
    ------
    PictureError
        When the form is another, or its library is not installed.
    """
    draw = {".png": _png, ".html": _html}.get(form.lower())
    if draw is None:
        raise PictureError(
            f"{form or 'a file without an ending'} is no picture that can be drawn: {' or '.join(FORMS)}"
        )
    try:
        return draw(nm, values, label, title, np.zeros_like(values) if sigma is None else sigma)
    except ModuleNotFoundError as error:
        raise PictureError(f"a {form} picture needs {error.name}: pip install 'oesd[plot]'") from None


def _png(nm: FloatArray, values: FloatArray, label: str, title: str, sigma: FloatArray) -> bytes:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9, "text.parse_math": False}):
        figure = Figure(figsize=(14, 7), dpi=110, facecolor="white", layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.fill_between(nm, values - sigma, values + sigma, color=TRACE, alpha=0.2, linewidth=0)
        axes.plot(nm, values, color=TRACE, linewidth=0.9)
        axes.set(xlabel=_AXIS, ylabel=label, title=title, xlim=(float(nm[0]), float(nm[-1])))
        axes.grid(color="#e8ecf0")
        out = io.BytesIO()
        canvas.print_png(out)
    return out.getvalue()


def _html(nm: FloatArray, values: FloatArray, label: str, title: str, sigma: FloatArray) -> bytes:
    from plotly.graph_objects import Figure as Chart
    from plotly.io import to_html

    chart: Any = Chart()
    x = nm.tolist()
    for edge, fill in ((values - sigma, None), (values + sigma, "tonexty")):
        chart.add_scatter(
            x=x, y=_gaps(edge), mode="lines", line={"width": 0}, fill=fill, fillcolor="rgba(31,45,58,.2)",
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    chart.add_scatter(x=x, y=_gaps(values), mode="lines", line={"color": TRACE, "width": 1}, showlegend=False)
    chart.update_layout(
        template="plotly_white", title=escape(title), xaxis_title=_AXIS, yaxis_title=escape(label), hovermode="x"
    )
    page: str = to_html(chart, include_plotlyjs=True, full_html=True)
    return page.encode()


def _gaps(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
