"""One picture: which form a file's ending asks for, and what is missing to make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oesd.pictures.view import view_of

FORMS = (".png", ".html")


class PictureError(Exception):
    """There will be no picture; one line for a person."""


def picture(form: str, document: Mapping[str, Any], explained: Mapping[str, Any], title: str) -> bytes:
    """Draw a result.

    Parameters
    ----------
    form : {".png", ".html"}
        An image for a report, by matplotlib; or a page that needs no network, to look into with the mouse, by plotly.
    document, explained : mapping
        As GET /oes and its evidence have them.
    title : str
        What it is a picture of; foreign text.

    Raises
    ------
    PictureError
        When the form is another, or its library is not installed.
    """
    view = view_of(document, explained, title)
    try:
        if form.lower() == ".png":
            from oesd.pictures.image import png

            return png(view)
        if form.lower() == ".html":
            from oesd.pictures.page import html

            return html(view)
    except ModuleNotFoundError as error:
        raise PictureError(f"a {form} picture needs {error.name}: pip install 'oesd[plot]'") from None
    raise PictureError(f"{form or 'a file without an ending'} is no picture that can be drawn: {' or '.join(FORMS)}")
