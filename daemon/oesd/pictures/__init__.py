"""Pictures of a result, for an expert's ten seconds; the only importer of matplotlib and plotly (``oesd[plot]``)."""

from oesd.pictures.drawing import PictureError, picture

__all__ = ["PictureError", "picture"]
