"""What light that does not fit costs, nats: unexplained in a peak, missing in a peak, missing where nothing shines.

Everything is in units of what is seen, ``u = ln(expected / seen)`` softened by twice the noise. The loss
``k ln(1 + u^2 / 2vk)`` is that of a Gaussian near zero and grows as a logarithm far out: no single line decides.
"""

from __future__ import annotations

import numpy as np

from oesd.engine.patterns import Float32Array

STRENGTH_SPREAD = 0.5  # 1 sigma of ln(strength): transition probabilities, response, self-absorption
FLOOR_SIGMAS = 2.0
UNEXPLAINED_SCALE = 3.0
MISSING_SCALE = 4.0
SOFT_ABSENCE = 0.6  # weight of an absent line known by intensity only
LAMP_ABSENCE = 0.7  # weight of absent lines when only lamp intensities speak
FAINT_SHARE = 0.02  # absence of a line this faint beside the strongest says half as much: strengths are known so far
LEAST_STRENGTH = np.float32(1e-12)
_MISSING_SCALE = np.array(MISSING_SCALE, dtype=np.float32)  # numpy takes an array sooner than a number


def _nothing(light: Float32Array) -> Float32Array:
    """Zeros along the last axis: numpy compares with an array three times as fast as with a number."""
    return np.zeros(light.shape[-1], dtype=np.float32)


def peak_loss(light: Float32Array, costs: Float32Array) -> Float32Array:
    """Loss at sites in peaks (last axis) for this light, in units of what is seen.

    ``costs``, (3, sites): the k of light unexplained, 1 / 2vk of it, and of light missing. Both sides are worked out
    for all sites: choosing between them takes longer. Works in place.
    """
    under_scale, under, over = costs
    misfit = np.log(light, out=light)
    below = np.minimum(misfit, _nothing(misfit))
    above: Float32Array = np.subtract(misfit, below, out=misfit)
    below *= below
    below *= under
    np.log1p(below, out=below)
    below *= under_scale
    above *= above
    above *= over
    np.log1p(above, out=above)
    above *= _MISSING_SCALE
    above += below
    return above


def dark_loss(light: Float32Array, scale: Float32Array, inverse: Float32Array) -> Float32Array:
    """Loss where no peak is, for this light in units of what is seen there; works in place."""
    np.log(light, out=light)
    np.maximum(light, _nothing(light), out=light)
    light *= light
    light *= inverse
    np.log1p(light, out=light)
    light *= scale
    return light


def absence_scale(strength: Float32Array, strongest: Float32Array, known: Float32Array) -> Float32Array:
    """What an absence says at most, nats: the k of :func:`dark_loss`.

    ``strongest`` is what the species shows most of anywhere on the axis: faint lines beside it say less.
    """
    faint = np.multiply(strongest, FAINT_SHARE, dtype=np.float32)
    scale: Float32Array = strength / (strength + faint)
    scale *= known
    scale += np.float32(1e-9)
    return scale
