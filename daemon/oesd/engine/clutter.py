"""What a claim owes to light that nothing explains: it meets any line by chance.

True plasmas leave up to a third of their peaks unexplained; where more are, anyone's lines meet some. What counts are
the peaks that might have been met in place of the claim's own: much fainter ones could not. And where a molecule shines
there are bands of higher levels, which no list has, at some percent of its brightest, wherever they lie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from oesd.model import FloatArray

CLUTTER_NATS = 10.0  # owed where no other peak is explained
UNKNOWN_SHARE = 0.3  # of the peaks: so many are unexplained in true plasmas too
COMPARABLE = 0.1  # of a claim's brightest peak
EXPLAINED = 0.3  # of a peak's light
SHARED = 0.1
UNLISTED_SHARE = 0.02  # of a molecule's brightest peak
UNLISTED_NATS = 3.0  # owed by who shows nothing brighter


def clutter_nats(height: FloatArray, claimed: FloatArray, light: FloatArray, bands: Sequence[FloatArray]) -> float:
    """Nats that a claim owes besides its price.

    Parameters
    ----------
    height, claimed, light : (peaks,) float64
        What is seen, the claim's light in it, and that of all claims.
    bands : sequence of (peaks,) float64
        Light of the molecules among these.
    """
    mine = claimed > SHARED * height
    top = float(height.max(initial=0.0, where=mine))
    alike = height > COMPARABLE * top
    unknown = (light < EXPLAINED * height) & alike & ~mine
    share = int(np.count_nonzero(unknown)) / max(int(np.count_nonzero(alike)), 1)
    owed = CLUTTER_NATS * max(0.0, (share - UNKNOWN_SHARE) / (1.0 - UNKNOWN_SHARE))
    brightest = max((float(height.max(initial=0.0, where=band > EXPLAINED * height)) for band in bands), default=0.0)
    return owed + UNLISTED_NATS if top < UNLISTED_SHARE * brightest else owed
