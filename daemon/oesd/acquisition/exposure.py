"""Automatic exposure: from the highest pixel of one frame to the integration time of the next.

::

    net peak / integration time = light      brightest of the last frames ("hold")
    aim / light                 = wished time, taken to a rung of a ladder

Three things keep it quiet. A frame inside the aim changes nothing. The ladder's rungs are at most ``sqrt(high / low)``
apart, so a change ends in the middle half of the aim (in logarithms) and the other half is left to noise. And a longer
time needs a whole hold of dim frames: light that flickers is measured by its bright moments, for a saturated spectrum
is lost and a dim one is not. What costs darks is how often the time changes, not how many rungs there could be.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import ceil, floor, log10, sqrt

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray, MaskArray

RUNGS_PER_DECADE = (6, 12, 24, 48, 96)  # preferred numbers: each series holds the one before, so do the dark libraries
HOLD_FRAMES = 8
FAR_ABOVE, FAR_ABOVE_FRAMES = 1.1, 3  # so far above the aim, in net counts, that some frames of the hold are enough
DIM_SHARE = 0.01  # of the range above the offset: less is not told from noise, and the step is made for this much light
HELD_SHARE = 0.05  # a frame below this serves its own step only: an offset a little wrong would make it look brighter
SAME_LIGHT = 0.9  # less light than a saturated frame needs: it flickers, and the bright moment may come again
CLIPPED_STEPS = (4.0, 16.0, 64.0)  # saturation hides by how much; what follows is never dimmer than DIM_SHARE
SUPPORT_SHARE = 0.25  # a line at least 1.8 px wide leaves 0.42 of its height in the higher neighbour pixel
LONGEST_AVERAGE = 10_000


@dataclass(frozen=True, slots=True)
class Brightness:
    """How high a frame reaches.

    Attributes
    ----------
    peak_counts : float
        Highest pixel of a scan that a neighbour bears out: neither a hot pixel nor a cosmic hit.
    saturated : bool
        Whether such a pixel is saturated.
    offset_counts : float
        What a scan shows without light, at most.
    """

    peak_counts: float
    saturated: bool
    offset_counts: float


def brightness_of(counts: FloatArray, saturated: MaskArray, electric_dark_pixels: tuple[int, ...] = ()) -> Brightness:
    """How high a frame reaches, from its mean raw counts of one scan and its saturation mask, both (pixels,).

    A pixel counts when a neighbour has ``SUPPORT_SHARE`` of its height above the offset: the highest pixel alone may
    be a hot one, and of those a detector has a handful, so that the third or tenth highest would be no better.
    The offset is the mean of the optically black pixels, else the lowest two per cent.
    """
    black = [pixel for pixel in electric_dark_pixels if 0 <= pixel < len(counts)]
    offset = float(np.mean(counts[black])) if black else float(np.quantile(counts, 0.02))
    net = counts - offset
    padded = np.pad(net, 1)
    borne_out = np.maximum(padded[:-2], padded[2:]) >= SUPPORT_SHARE * net
    peak = float(net.max(initial=0.0, where=borne_out))
    return Brightness(offset + peak, bool(np.any(saturated & borne_out)), offset)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Light of a frame, net counts per us, 0 when too dim to hold; of a saturated one what it was at least and most."""

    light: float
    at_most: float
    clipped: bool = False


class AutoExposure:
    """The integration time of the next frame, of one spectrometer.

    Parameters
    ----------
    aim : (float, float)
        Where the highest pixel shall be, as shares of ``saturation_counts``.
    shortest_us, longest_us : int
        Bounds; what is returned never lies outside.
    saturation_counts : float
        Raw count of one scan at which a pixel is saturated.
    offset_counts : float, optional
        Raw count without light. Too low a value is safe and takes a few frames more; the lowest that
        :meth:`next_us` was told wins, because light only ever adds to it.
    step_us : int
        What is returned is a whole multiple of this, where the bounds leave room for one.
    """

    def __init__(
        self,
        aim: tuple[float, float],
        shortest_us: int,
        longest_us: int,
        saturation_counts: float,
        offset_counts: float | None = None,
        step_us: int = 1,
    ) -> None:
        self._aim = aim
        first_us = -(-max(1, shortest_us) // step_us) * step_us
        self._bounds = (first_us, max(first_us, longest_us // step_us * step_us))
        self._full = float(saturation_counts)
        self._offset = offset_counts
        self._rungs = _rungs(*self._bounds, sqrt(aim[1] / aim[0]), step_us)
        self._seen: deque[_Seen] = deque(maxlen=HOLD_FRAMES)
        self._clipped, self._clipped_us = 0, 0
        self._now_us: int | None = None

    def next_us(
        self, integration_us: int, peak_counts: float, saturated: bool, offset_counts: float | None = None
    ) -> int:
        """Take in a frame; returns the integration time of the next one, us.

        Parameters
        ----------
        integration_us : int
            Of this frame. A frame that was still under way with another time than the one returned last only teaches
            about the light: the time stays until a frame of its own was seen.
        peak_counts, saturated, offset_counts : float, bool, float or None
            As :func:`brightness_of` tells.
        """
        if offset_counts is not None:
            self._offset = offset_counts if self._offset is None else min(offset_counts, self._offset)
        if self._now_us is None:
            self._now_us = integration_us
        wished = self._shorter(integration_us) if saturated else self._fitting(integration_us, peak_counts)
        if integration_us == self._now_us:
            self._now_us = wished
        return self._now_us

    @property
    def shortest_us(self) -> int:
        """Nothing shorter is returned."""
        return self._bounds[0]

    @property
    def longest_us(self) -> int:
        """Nothing longer is returned."""
        return self._bounds[1]

    def forget(self) -> None:
        """Forget the light seen so far: the next frame decides alone, as at the start."""
        self._seen.clear()
        self._clipped, self._clipped_us = 0, 0
        self._now_us = None

    def _fitting(self, integration_us: int, peak_counts: float) -> int:
        """The time that fits the light, which is this frame's own as long as that is not off the aim."""
        shortest, longest = self._bounds
        own = self._light_of(integration_us, peak_counts)
        if not self._off_aim(integration_us, own):
            return min(max(integration_us, shortest), longest)
        return self._best(self._brightest(own))

    def _net(self, share: float) -> float:
        """Counts above the offset at a share of saturation."""
        return max(share * self._full - (self._offset or 0.0), 1e-3 * self._full)

    def _light_of(self, integration_us: int, peak_counts: float) -> float:
        """Keep a frame's light; returns it, at least what a dim frame may hide."""
        full = self._net(1.0)
        net = peak_counts - (self._offset or 0.0)
        own = net / integration_us
        as_bright_as_clipped = own * self._clipped_us >= SAME_LIGHT * full
        held = own if as_bright_as_clipped or net > HELD_SHARE * full else 0.0
        self._seen.append(_Seen(held, held))
        if as_bright_as_clipped or not any(seen.clipped for seen in self._seen):
            self._trust()
        return max(own, DIM_SHARE * full / integration_us)

    def _trust(self) -> None:
        """Believe what is seen after a saturated frame: as bright as that one at least, or long after it."""
        self._seen = deque((replace(seen, at_most=seen.light) for seen in self._seen), HOLD_FRAMES)
        self._clipped, self._clipped_us = 0, 0

    def _brightest(self, own: float) -> float:
        return max(own, *(seen.at_most for seen in self._seen))

    def _off_aim(self, integration_us: int, own: float) -> bool:
        """Whether the brightest frame is too dim, or every frame too bright, or some of them far too bright."""
        low, high = (self._net(share) / integration_us for share in self._aim)
        exact = [seen.light for seen in self._seen if not seen.clipped]
        far_above = sum(light > FAR_ABOVE * high for light in exact) >= FAR_ABOVE_FRAMES
        return self._brightest(own) < low or min(exact) > high or far_above

    def _best(self, light: float) -> int:
        """The rung nearest to the middle of the aim that does not lead above it."""
        low, high = self._aim
        wished = self._net(sqrt(low * high)) / light
        allowed = [rung for rung in self._rungs if rung * light <= self._net(high)]
        return min(allowed, key=lambda rung: abs(log10(rung / wished)), default=self._bounds[0])

    def _shorter(self, integration_us: int) -> int:
        """A much shorter time, by more when a shorter one was saturated too."""
        if not self._clipped or integration_us < self._clipped_us:
            self._clipped, self._clipped_us = min(self._clipped + 1, len(CLIPPED_STEPS)), integration_us
        step, full = CLIPPED_STEPS[self._clipped - 1], self._net(1.0)
        self._seen.append(_Seen(full / integration_us, step * full / integration_us, clipped=True))
        return max((rung for rung in self._rungs if rung <= integration_us / step), default=self._bounds[0])


def scans_in(total_us: int, integration_us: int, readout_us: int = 0) -> int:
    """Scans to average so that they fill a wished total time, from 1 to 10,000."""
    return min(max(total_us // max(integration_us + readout_us, 1), 1), LONGEST_AVERAGE)


def bracket_us(integration_us: int, ratio: float, shortest_us: int) -> int:
    """Integration time of the shorter exposure of a bracket; the same as the longer one when there is no shorter."""
    return min(integration_us, max(round(integration_us * ratio), shortest_us, 1))


def in_steps(integration_us: int, step_us: int) -> int:
    """The whole multiple of a device's step that is nearest to a time, as the driver rounds it; never nothing."""
    return (integration_us + step_us // 2) // step_us * step_us or integration_us


def _rungs(shortest_us: int, longest_us: int, widest_step: float, step_us: int) -> list[int]:
    """The bounds and between them preferred numbers to three digits, no further apart than asked for or one step.

    They lie at the same places for every spectrometer and start, so that a dark taken at one of them serves again.
    """
    series = next((n for n in RUNGS_PER_DECADE if 10.0 ** (1 / n) <= widest_step), RUNGS_PER_DECADE[-1])
    first, last = ceil(series * log10(shortest_us)), floor(series * log10(longest_us))
    between: NDArray[np.float64] = 10.0 ** (np.arange(first, last + 1) / series)
    rounded = {in_steps(round(float(f"{rung:.2e}")), step_us) for rung in between}
    return sorted({shortest_us, longest_us} | {rung for rung in rounded if shortest_us < rung < longest_us})
