"""Pictures of a result, for an expert's ten seconds; the only importer of matplotlib and plotly (``oesd[plot]``)."""

from oesd.pictures.axes import draw_on
from oesd.pictures.drawing import PictureError, picture

__all__ = ["PictureError", "draw_on", "picture"]
