"""Emission peaks: found at a stated false-alarm rate, then fitted together with one line shape.

Detection is the matched filter of a known pulse in noise (North 1943; Turin, IRE Trans. IT-6, 311 (1960)): a peak
counts when its filtered height exceeds the quantile of the noise that ``FALSE_PER_SPECTRUM`` allows over all
independent places, and when the saddle to its higher neighbour is as deep. Centres, heights and widths of all peaks
then come from one weighted Gauss-Newton fit in which neighbours share the light between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np

from oesd.engine.blends import taken_apart
from oesd.engine.linefit import LeftOver, LineFit, Windows, top_of
from oesd.engine.lines import IntArray
from oesd.engine.linespread import Learned, Widths, learned, learned_skew, optical
from oesd.engine.windows import FWHM_PER_SIGMA, edges_of, grown, long_runs, smoothed, smoothing_of_noise
from oesd.model import FloatArray, MaskArray

FALSE_PER_SPECTRUM = 0.05
NOT_INDEPENDENT = (
    0.25  # sigmas on top: maxima are looked for at every pixel; measured on noise, 0.03 to 0.05 a spectrum
)
SADDLE_SIGMAS = 3.0
TOPS_FWHM = 0.35  # smoothing before maxima are looked for: noise falls, close lines stay apart
NARROWER = 2.0**-0.5  # the square of a Gaussian
FIRST_DAMPING, DAMPING = 0.8, 0.95
MAX_PEAKS = 600
LEAST_SNR = 2.0  # of the fitted height: lower, and a neighbour has taken all the light
BLEND_FWHM = 1.5  # lines nearer than this share light
BLEND_WIDER, BLEND_BESIDE = 0.1, 0.15  # wider than a line, or so much light beside it: lines that are not resolved
PLATEAU_FWHM = 12.0  # a longer run of full pixels is no line: nothing can be said within it
TELLING_SNR = 10.0  # of lines whose width is asked for
SEVERAL_SIGMAS = 2.5  # what a single line leaves by chance
SEVERAL_MOVES = 0.01  # of a line's sigma: what lines at unknown places do to a top that has no noise; measured
SKEW_MOVES = 1.5  # sigmas by unit of skew: a skewed line's top lies 3 beside, a fitted Gaussian's middle 1.5
OWN_WIDTH = 0.02  # how much wider than the instrument's a line that looks single may be
WIDTH_LINES = 3  # that make a width known
NARROW, SURE_SIGMAS = -0.2, 3.0  # against the instrument's width: what is surely narrower is a hit or hot pixels
BRIDGED_WEIGHT = 1e-6  # what lies between two pixels of a line is not on the line between them
CLIPPED_CENTER_FWHM = 0.2  # a clipped line's middle is known no better,
CLIPPED_CENTER_RUN = 1.0 / 6.0  # nor than so much of its run of full pixels


@dataclass(frozen=True, slots=True, eq=False)
class PeakList:
    """Fitted peaks sorted by position; every array has shape (peaks,), positions and widths in pixels."""

    center_px: FloatArray
    sigma_px: FloatArray
    fwhm_px: FloatArray
    height: FloatArray
    height_sigma: FloatArray
    snr: FloatArray
    saturated: MaskArray
    blended: MaskArray

    def __len__(self) -> int:
        return len(self.center_px)

    def chosen(self, keep: MaskArray) -> PeakList:
        """The peaks where ``keep`` is true."""
        return PeakList(**{name: getattr(self, name)[keep] for name in self.__slots__})


def find_peaks(
    net: FloatArray,
    sigma: FloatArray,
    saturated: MaskArray,
    widths: Widths,
    known: Widths | None = None,
    floor_sigma: FloatArray | float = 0.0,
    bridged: MaskArray | None = None,
) -> tuple[PeakList, Learned]:
    """Peaks of a baseline-free spectrum, and the line width that they show.

    Parameters
    ----------
    net, sigma : (pixels,) float64
        Counts above the baseline and their standard deviation.
    saturated : (pixels,) bool
        Pixels that are not to be used: full, or spilled over by full neighbours.
    widths : Widths
        The instrument's line width as far as it is known.
    known : Widths, optional
        What a hint or earlier spectra say of it.
    floor_sigma : (pixels,) float64 or float
        Error of the baseline that was taken off.
    bridged : (pixels,) bool, optional
        Pixels that nothing was measured in: ``net`` there is a straight line between their neighbours.
    """
    variance = sigma * sigma
    calm = smoothed(variance, widths.middle_px * NARROWER)  # a pixel's own is as noisy as its counts
    tops = _detected(net, variance, calm, widths.middle_px, floor_sigma)
    any_saturated = bool(saturated.any())
    if any_saturated:
        plateau = grown(long_runs(saturated, PLATEAU_FWHM * widths.middle_px), int(np.ceil(2.0 * widths.middle_px)))
        tops = tops[~plateau[tops.astype(np.int64)]]
    weight = 1.0 / np.maximum(calm, 0.5 * variance)
    if bridged is not None:
        weight[bridged] *= BRIDGED_WEIGHT
    if any_saturated:
        weight[saturated] = 0.0
    fit = LineFit(net, weight, tops, widths.sigma_px(tops))
    if not len(tops):
        return _accepted(fit, net, sigma, saturated, np.zeros(0), np.zeros(0, dtype=np.bool_)), Learned(widths, None, 0)
    full = saturated if any_saturated else None
    told, doubt = _with_its_width(fit, full, widths, known)
    left, seen = fit.last_step(1.0)
    if told.lines >= WIDTH_LINES or known is not None:
        fit.height[(left.wider < NARROW - SURE_SIGMAS * left.wider_sigma) & _untouched(fit, full)] = 0.0
    fit.center = fit.center + fit.sigma * top_of(fit.skew)
    fit.error[1] = np.sqrt(fit.error[1] ** 2 + (SKEW_MOVES * doubt * fit.sigma) ** 2)
    if isinstance(floor_sigma, np.ndarray):
        fit.error[0] = np.sqrt(fit.error[0] ** 2 + floor_sigma[fit.first.astype(np.int64)] ** 2)
    wider, blended = _taken_apart(fit, left, seen, full, doubt)
    return _accepted(fit, net, sigma, saturated, wider, blended), told


def _with_its_width(
    fit: LineFit, full: MaskArray | None, widths: Widths, known: Widths | None
) -> tuple[Learned, float]:
    """Fit the lines, and give them the width and the skew that they show; the error of the skew."""
    fit.step(FIRST_DAMPING)
    left, _ = fit.last_step(DAMPING)
    usable = ((fit.height > TELLING_SNR * fit.error[0]) & _untouched(fit, full)).nonzero()[0]
    told = learned(widths, fit.center[usable], left.wider[usable], left.wider_sigma[usable], known)
    fit.sigma = told.widths.sigma_px(fit.center)
    fit.skew, doubt = learned_skew(left.lopsided[usable], left.lopsided_sigma[usable])
    return told, doubt


def _taken_apart(
    fit: LineFit, left: LeftOver, seen: Windows, full: MaskArray | None, doubt: float
) -> tuple[FloatArray, MaskArray]:
    """Give the tops that are several lines the place of their light; how much wider than a line each is, and which."""
    wider, blended = left.wider * OWN_WIDTH**2 / (OWN_WIDTH**2 + left.wider_sigma**2), np.zeros(len(fit.center), bool)
    several = _several(fit, left, full)
    if len(several):
        apart = taken_apart(seen, several)
        fit.center[several], fit.height[several] = apart.center_px, apart.height
        more = (SEVERAL_MOVES + SKEW_MOVES * doubt) * fit.sigma[several]
        fit.error[1, several] = np.sqrt(apart.center_sigma**2 + more**2)
        looks = left.wider[several]
        wider[several] = np.maximum(np.minimum(looks, apart.wider), 0.0)
        blended[several] = (looks > BLEND_WIDER) | (apart.beside > BLEND_BESIDE)
    return wider, blended


def _untouched(fit: LineFit, full: MaskArray | None) -> MaskArray | np.bool:
    """Lines whose middle is not on a full pixel; None: no pixel is."""
    return np.True_ if full is None else ~full[_pixels(fit.center, len(full))]


def _several(fit: LineFit, left: LeftOver, full: MaskArray | None) -> IntArray:
    """Lines that no single one explains."""
    signs = np.maximum(np.abs(left.wider) / left.wider_sigma, np.abs(left.lopsided) / left.lopsided_sigma)
    signs = np.maximum(signs, left.excess)
    several: IntArray = ((signs > SEVERAL_SIGMAS) & (fit.height > 0.0) & _untouched(fit, full)).nonzero()[0]
    return several


def threshold_sigmas(pixels: int, fwhm_px: float) -> float:
    """Matched-filter threshold for ``FALSE_PER_SPECTRUM`` expected noise peaks over pixels / FWHM places."""
    places = max(pixels / fwhm_px, 1.0)
    rate = FALSE_PER_SPECTRUM / places
    return sqrt(-2.0 * log(rate * sqrt(-4.0 * pi * log(rate)))) + NOT_INDEPENDENT


def _detected(
    net: FloatArray, variance: FloatArray, calm: FloatArray, fwhm_px: float, floor_sigma: FloatArray | float
) -> FloatArray:
    """Pixel positions of significant maxima, ascending, shape (peaks,); ``calm``: the matched filter's variance."""
    smooth, matched = smoothed(net, TOPS_FWHM * fwhm_px), smoothed(net, fwhm_px)
    tops = _maxima(smooth)
    floor2 = floor_sigma[tops] ** 2 if isinstance(floor_sigma, np.ndarray) else floor_sigma * floor_sigma
    limit = threshold_sigmas(len(net), fwhm_px)
    light = np.maximum(matched[tops], 0.0)
    loud = light * light > limit * limit * (smoothing_of_noise(fwhm_px) * calm[tops] + floor2)
    tops = tops[loud]
    noise = np.sqrt(smoothing_of_noise(TOPS_FWHM * fwhm_px) * variance[tops])
    higher = smooth[tops] > SADDLE_SIGMAS * noise
    tops = _prominent(smooth, noise[higher], tops[higher])
    if len(tops) > MAX_PEAKS:
        tops = np.sort(tops[(-smooth[tops]).argsort(kind="stable")[:MAX_PEAKS]])
    return tops.astype(np.float64)


def _maxima(values: FloatArray) -> IntArray:
    """Indices of local maxima, the middle of a flat one; the two edge pixels never count."""
    rises = values[1:] > values[:-1]
    tops = 1 + (rises[:-1] & ~rises[1:]).nonzero()[0]
    if not (values[tops] == values[tops + 1]).any():
        return tops
    steps = np.flatnonzero(np.diff(values))
    rising = values[steps + 1] > values[steps]
    turn = np.flatnonzero(rising[:-1] & ~rising[1:])
    flat: IntArray = (steps[turn] + 1 + steps[turn + 1]) // 2
    return flat


def _prominent(smooth: FloatArray, noise: FloatArray, tops: IntArray) -> IntArray:
    """Merge tops over shallow saddles, lower into higher, until every saddle left is significant."""
    if len(tops) < 2:
        return tops
    height = smooth[tops]
    must_fall = height - SADDLE_SIGMAS * noise
    saddle = np.minimum.reduceat(smooth, tops)[:-1]  # lowest value from each top to the next
    while True:
        left_lower = height[:-1] <= height[1:]
        shallow = (saddle > np.where(left_lower, must_fall[:-1], must_fall[1:])).nonzero()[0]
        if not len(shallow):
            return tops
        drop = np.zeros(len(tops) + 1, dtype=np.bool_)
        drop[shallow + ~left_lower[shallow]] = True
        both = drop[1:-1] & drop[:-2]  # of neighbours that both fall, the lower goes first
        if both.any():
            waits = np.zeros(len(tops) + 1, dtype=np.bool_)
            waits[:-2] = both & (height[:-1] > height[1:])
            waits[1:-1] |= both & (height[1:] > height[:-1])
            if (drop & ~waits).any():
                drop &= ~waits
        kept = (~drop[:-1]).nonzero()[0]
        tops, height, must_fall = tops[kept], height[kept], must_fall[kept]
        if len(tops) < 2:
            return tops
        saddle = np.minimum.reduceat(saddle[: kept[-1]], kept[:-1])


def _accepted(
    fit: LineFit, net: FloatArray, sigma: FloatArray, clipped: MaskArray, wider: FloatArray, blended: MaskArray
) -> PeakList:
    """The fitted peaks in order, without those the fit did away with; a clipped one is at least as high as its top."""
    order = fit.center.argsort(kind="stable")
    center, looks, height = fit.center[order], fit.sigma[order] * FWHM_PER_SIGMA, fit.height[order]
    height_sigma, center_sigma = np.maximum(fit.error[0, order], 1e-300), fit.error[1, order]
    at = _pixels(center, len(net))
    saturated, snr = clipped[at], height / height_sigma
    if saturated.any():
        top = np.where(saturated, np.maximum(net[at], 0.0), 0.0)
        height = np.maximum(height, top)
        doubt = np.minimum(height_sigma, np.maximum(0.1 * height, sigma[at]))
        height_sigma = np.where(saturated, doubt, height_sigma)
        snr = np.maximum(height / height_sigma, top / sigma[at])
        center_sigma = np.maximum(center_sigma, _clipped_sigma(clipped, at, looks))
    close = center[1:] - center[:-1] < BLEND_FWHM * np.minimum(looks[:-1], looks[1:])
    beside = np.zeros(len(center) + 1, dtype=np.bool_)
    beside[1:-1] = close
    fitted = PeakList(
        center_px=center,
        sigma_px=center_sigma,
        fwhm_px=optical(looks * (1.0 + wider[order])),
        height=height,
        height_sigma=height_sigma,
        snr=snr,
        saturated=saturated,
        blended=beside[1:] | beside[:-1] | blended[order],
    )
    keep = snr > LEAST_SNR
    return fitted if keep.all() else fitted.chosen(keep)


def _pixels(center: FloatArray, pixels: int) -> IntArray:
    """The pixels that the centres lie on."""
    at: IntArray = np.minimum(np.maximum(np.rint(center), 0.0), pixels - 1.0).astype(np.int64)
    return at


def _clipped_sigma(clipped: MaskArray, at: IntArray, looks: FloatArray) -> FloatArray:
    """How well the middle of clipped lines is known: overflowing charge runs to one side; 0 for lines that are not."""
    if not clipped.any():
        return np.zeros(len(at))
    starts, ends = edges_of(clipped).T
    number = np.clip(np.searchsorted(starts, at, side="right") - 1, 0, len(starts) - 1)
    doubt = np.maximum(CLIPPED_CENTER_FWHM * looks, CLIPPED_CENTER_RUN * (ends - starts)[number])
    return np.where(clipped[at], doubt, 0.0)
