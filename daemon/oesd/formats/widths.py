"""What was known of a device's line widths when a result was made, as a header line of its file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from oesd.model import LineSpread

HEADER = "Line Widths Known"
_PLACES = 3


def widths_text(known: LineSpread) -> str:
    """Text of the header line."""
    return json.dumps(known.as_dict(), separators=(",", ":"))


def known_widths(header: Mapping[str, str]) -> LineSpread | None:
    """Widths that a file's header tells; None when it tells none, or what cannot be."""
    try:
        known = LineSpread.from_dict(json.loads(header[HEADER]))
        numbers = [float(x) for row in (known.wavelengths_nm, known.fwhm_nm, known.sigma_nm) for x in row]
        places = tuple(numbers[:3]), tuple(numbers[3:6]), tuple(numbers[6:])
        whole = LineSpread(*places, float(known.wing), int(known.lines))
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    sane = len(numbers) == 3 * _PLACES and all(math.isfinite(x) and x > 0 for x in numbers) and 0 <= whole.wing <= 1
    return whole if sane else None
