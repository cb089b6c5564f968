"""Sets of pixels as text: ``12-15,20``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from oesd.formats.errors import FormatError
from oesd.model import MaskArray

_RANGES = re.compile(r"[0-9]{1,6}(?:-[0-9]{1,6})?(?:,[0-9]{1,6}(?:-[0-9]{1,6})?)*")


def ranges_text(pixels: Iterable[int]) -> str:
    """Ascending pixel numbers as ``12-15,20``; ``none`` for the empty set."""
    runs: list[list[int]] = []
    for pixel in pixels:
        if runs and pixel == runs[-1][1] + 1:
            runs[-1][1] = pixel
        else:
            runs.append([pixel, pixel])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) or "none"


def mask_text(mask: MaskArray) -> str:
    """Pixels where the mask is set, as :func:`ranges_text`."""
    return ranges_text(np.flatnonzero(mask).tolist())


def pixels_from_text(text: str, pixels: int) -> tuple[int, ...]:
    """Return what :func:`ranges_text` was given.

    Raises
    ------
    FormatError
        When the text is none of its or names a pixel beyond ``pixels``.
    """
    if text == "none":
        return ()
    if _RANGES.fullmatch(text) is None:
        raise FormatError("a list of pixels is damaged")
    pairs = [part.split("-") for part in text.split(",")]
    edges = [(int(pair[0]), int(pair[-1])) for pair in pairs]
    if edges[-1][1] >= pixels:
        raise FormatError(f"a list of pixels goes beyond the {pixels} pixels of the spectrum")
    if any(first > last for first, last in edges) or any(a[1] >= b[0] for a, b in pairwise(edges)):
        raise FormatError("a list of pixels is not in ascending order")
    return tuple(pixel for first, last in edges for pixel in range(first, last + 1))


def mask_from_text(text: str, pixels: int) -> MaskArray:
    """Mask of shape (pixels,) out of :func:`mask_text`."""
    mask = np.zeros(pixels, dtype=np.bool_)
    mask[list(pixels_from_text(text, pixels))] = True
    return mask
