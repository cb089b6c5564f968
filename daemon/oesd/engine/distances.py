"""What the distances between a claim's lines say: they do not depend on the axis' error, and are known to 0.01 nm.

Lines that chance has put on peaks lie anywhere within reach of them; an element's own lie where its others let expect,
but for what unseen neighbours draw a peak's centre aside. Asked where no comb of lines confirms the axis.
"""

from __future__ import annotations

import numpy as np

from oesd.engine.windows import median
from oesd.model import FloatArray

SINGLE_FWHM = 0.05  # 1 sigma of a single line's peak about its place, beyond its own error: neighbours too faint to see
BLENDED_FWHM = 0.2  # more of it where the peak does not have the shape of a line, for a misfit of 1
MOST = 9.0  # sigma^2 that one peak can be off: one may be another's
AGREED_NATS = 1.0  # ln(chance's spread, 0.6 line widths / (sqrt(2 pi) sigma)), sigma between single and blended
WITNESSES = 3  # distances that count: those of one species were found together
ROUNDS = 3
FAR_SIGMAS = 1.5  # beyond it a peak counts less for where the others should be


def distance_nats(offset: FloatArray, sigma: FloatArray, misfit: FloatArray) -> float:
    """How much likelier the distances are of an element's own lines than of lines met by chance; 0 of one peak.

    Parameters
    ----------
    offset, sigma : (peaks,) float64
        Of the claim's light from the peaks that it rests on, and the errors of these, line widths.
    misfit : (peaks,) float64
        What a line leaves of them, see :func:`oesd.engine.doubt.line_misfit`; not NaN.
    """
    distances = len(offset) - 1
    if distances < 1:
        return 0.0
    sharp = 1.0 / np.sqrt(sigma * sigma + SINGLE_FWHM**2 + (BLENDED_FWHM * np.minimum(misfit, 1.0)) ** 2)
    place = float(median(offset))
    for _ in range(ROUNDS):
        weight = sharp * sharp / np.maximum(np.abs(offset - place) * sharp / FAR_SIGMAS, 1.0)
        place = float(weight @ offset / weight.sum())
    off = np.minimum(((offset - place) * sharp) ** 2, MOST)
    return min(distances, WITNESSES) * (AGREED_NATS - 0.5 * float(off.sum()) / distances)
