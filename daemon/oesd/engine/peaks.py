"""Emission peaks: found at a stated false-alarm rate, then fitted together with one line shape.

Detection is the matched filter of a known pulse in noise (North 1943; Turin, IRE Trans. IT-6, 311 (1960)): a peak
counts when its filtered height exceeds the quantile of the noise that ``FALSE_PER_SPECTRUM`` allows over all
independent places, and when the saddle to its higher neighbour is as deep. Centres, heights and widths of all peaks
then come from one weighted Gauss-Newton fit in which neighbours share the light between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.blends import taken_apart
from oesd.engine.linefit import LeftOver, LineFit, top_of
from oesd.engine.lines import IntArray
from oesd.engine.linespread import Learned, Widths, learned, learned_skew, optical
from oesd.engine.windows import FWHM_PER_SIGMA, filtered, gaussian_kernel, grown, long_runs
from oesd.model import FloatArray, MaskArray

FALSE_PER_SPECTRUM = 0.05
NOT_INDEPENDENT = (
    0.25  # sigmas on top: maxima are looked for at every pixel; measured on noise, 0.03 to 0.05 a spectrum
)
SADDLE_SIGMAS = 3.0
TOPS_FWHM = 0.35  # smoothing before maxima are looked for: noise falls, close lines stay apart
MAX_PEAKS = 600
LEAST_SNR = 2.0  # of the fitted height: lower, and a neighbour has taken all the light
BLEND_FWHM = 1.5  # lines nearer than this share light
BLEND_WIDER, BLEND_BESIDE = 0.1, 0.15  # wider than a line, or so much light beside it: lines that are not resolved
PLATEAU_FWHM = 12.0  # a longer run of full pixels is no line: nothing can be said within it
TELLING_SNR = 10.0  # of lines whose width is asked for
SEVERAL_SIGMAS = 2.5  # what a single line leaves by chance
SEVERAL_DOUBT = 2.0  # where lines stand is known worse than the top of their common curve looks; measured
SEVERAL_MOVES = 0.01  # of a line's sigma: what lines at unknown places do to a top that has no noise; measured
SKEW_MOVES = 1.5  # sigmas by unit of skew: a skewed line's top lies 3 beside, a fitted Gaussian's middle 1.5
OWN_WIDTH = 0.02  # how much wider than the instrument's a line that looks single may be
WIDTH_LINES = 3  # that make a width known
NARROW, SURE_SIGMAS = -0.2, 3.0  # against the instrument's width: what is surely narrower is a hit or hot pixels
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
    """
    tops = detected_tops(net, sigma, widths.middle_px, floor_sigma)
    plateau = grown(long_runs(saturated, PLATEAU_FWHM * widths.middle_px), int(np.ceil(2.0 * widths.middle_px)))
    tops = tops[~plateau[tops.astype(np.int64)]]
    weight = np.where(saturated, 0.0, 1.0 / (sigma * sigma))
    fit = LineFit(net, weight, tops, widths.sigma_px(tops))
    if not len(tops):
        return _accepted(fit, sigma, saturated, np.zeros(0), np.zeros(0, dtype=np.bool_)), Learned(widths, None, 0)
    fit.run()
    left, usable = fit.left_over(), _telling(fit, saturated)
    told = learned(widths, fit.center[usable], left.wider[usable], left.wider_sigma[usable], known)
    fit.sigma = told.widths.sigma_px(fit.center)
    fit.skew, doubt = learned_skew(left.lopsided[usable], left.lopsided_sigma[usable])
    fit.run()
    left = fit.left_over()
    wider = left.wider * OWN_WIDTH**2 / (OWN_WIDTH**2 + left.wider_sigma**2)
    several, blended = _several(fit, left, saturated), np.zeros(len(tops), dtype=np.bool_)
    fit.center += fit.sigma * top_of(fit.skew)
    fit.error[1] = np.hypot(fit.error[1], SKEW_MOVES * doubt * fit.sigma)
    if len(several):
        apart = taken_apart(net, weight, fit.first[several], fit.sigma[several], fit.skew)
        fit.center[several], fit.height[several] = apart.center_px, apart.height
        unsure = np.hypot(SEVERAL_DOUBT * apart.center_sigma, (SEVERAL_MOVES + SKEW_MOVES * doubt) * fit.sigma[several])
        fit.error[0, several], fit.error[1, several] = apart.height_sigma, unsure
        wider[several] = np.sqrt(1.0 + apart.wider) - 1.0
        blended[several] = (wider[several] > BLEND_WIDER) | (apart.beside > BLEND_BESIDE)
    if told.lines >= WIDTH_LINES or known is not None:
        too_narrow = (left.wider < NARROW - SURE_SIGMAS * left.wider_sigma) & ~_touched(fit, saturated)
        fit.height[too_narrow] = 0.0
    if isinstance(floor_sigma, np.ndarray):
        fit.error[0] = np.hypot(fit.error[0], floor_sigma[np.clip(fit.first.astype(np.int64), 0, len(net) - 1)])
    return _accepted(fit, sigma, saturated, wider, blended), told


def _telling(fit: LineFit, saturated: MaskArray) -> MaskArray:
    """Lines that tell their width: bright, and not clipped."""
    telling: MaskArray = (fit.height > TELLING_SNR * fit.error[0]) & ~_touched(fit, saturated)
    return telling


def _touched(fit: LineFit, saturated: MaskArray) -> MaskArray:
    touched: MaskArray = saturated[np.clip(np.rint(fit.center).astype(np.int64), 0, len(saturated) - 1)]
    return touched


def _several(fit: LineFit, left: LeftOver, saturated: MaskArray) -> IntArray:
    """Lines that no single one explains."""
    signs = np.maximum(np.maximum(np.abs(left.bend), np.abs(left.skew)), left.excess)
    return np.flatnonzero((signs > SEVERAL_SIGMAS) & (fit.height > 0.0) & ~_touched(fit, saturated))


def threshold_sigmas(pixels: int, fwhm_px: float) -> float:
    """Matched-filter threshold for ``FALSE_PER_SPECTRUM`` expected noise peaks over pixels / FWHM places."""
    places = max(pixels / fwhm_px, 1.0)
    rate = FALSE_PER_SPECTRUM / places
    return float(np.sqrt(2.0 * np.log(1.0 / (rate * np.sqrt(4.0 * np.pi * np.log(1.0 / rate)))))) + NOT_INDEPENDENT


def detected_tops(
    net: FloatArray, sigma: FloatArray, fwhm_px: float, floor_sigma: FloatArray | float = 0.0
) -> FloatArray:
    """Pixel positions of significant maxima, ascending, shape (peaks,)."""
    kernel = gaussian_kernel(TOPS_FWHM * fwhm_px)
    smooth = filtered(net, kernel)
    noise = np.sqrt(filtered(sigma * sigma, kernel * kernel))
    tops = _maxima(smooth)
    shape = gaussian_kernel(fwhm_px)
    matched = filtered(net, shape)
    matched_noise = np.sqrt(filtered(sigma * sigma, shape * shape) + floor_sigma * floor_sigma)
    limit = threshold_sigmas(len(net), fwhm_px)
    tops = tops[(matched[tops] > limit * matched_noise[tops]) & (smooth[tops] > SADDLE_SIGMAS * noise[tops])]
    tops = _prominent(smooth, noise, tops)
    strongest = np.sort(tops[np.argsort(-smooth[tops], kind="stable")[:MAX_PEAKS]])
    return strongest.astype(np.float64)


def _maxima(values: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of local maxima, the middle of a flat one; the two edge pixels never count."""
    steps = np.flatnonzero(np.diff(values))
    if len(steps) < 2:
        return np.zeros(0, dtype=np.int64)
    rising = values[steps + 1] > values[steps]
    turn = np.flatnonzero(rising[:-1] & ~rising[1:])
    return (steps[turn] + 1 + steps[turn + 1]) // 2


def _prominent(
    smooth: FloatArray, noise: FloatArray, tops: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Merge tops over shallow saddles, lower into higher, until every saddle left is significant."""
    while len(tops) > 1:
        saddles = np.minimum.reduceat(smooth, tops)[:-1]  # lowest value from each top to the next
        height = smooth[tops]
        need = SADDLE_SIGMAS * noise[tops]
        left_lower = height[:-1] <= height[1:]
        shallow_left = left_lower & (height[:-1] - saddles < need[:-1])
        shallow_right = ~left_lower & (height[1:] - saddles < need[1:])
        drop = np.zeros(len(tops), dtype=np.bool_)
        drop[:-1] |= shallow_left
        drop[1:] |= shallow_right
        if not drop.any():
            break
        lower_than_right = np.append(drop[1:] & (height[1:] < height[:-1]), False)
        lower_than_left = np.insert(drop[:-1] & (height[:-1] < height[1:]), 0, False)
        alone = drop & ~lower_than_right & ~lower_than_left  # of neighbours that both fall, the lower goes first
        tops = tops[~(alone if alone.any() else drop)]
    return tops


def _accepted(fit: LineFit, sigma: FloatArray, clipped: MaskArray, wider: FloatArray, blended: MaskArray) -> PeakList:
    """The fitted peaks in order, without those the fit did away with; a clipped one is at least as high as its top."""
    order = np.argsort(fit.center, kind="stable")
    center, looks = fit.center[order], fit.sigma[order] * FWHM_PER_SIGMA
    at = np.clip(np.rint(center).astype(np.int64), 0, len(clipped) - 1)
    saturated = clipped[at]
    top = np.where(saturated, np.maximum(fit.net[at], 0.0), 0.0)
    height = np.maximum(fit.height[order], top)
    height_sigma = np.maximum(fit.error[0, order], 1e-300)
    height_sigma = np.where(saturated, np.minimum(height_sigma, np.maximum(0.1 * height, sigma[at])), height_sigma)
    gap = np.diff(center, prepend=-np.inf, append=np.inf) if len(center) else np.zeros(1)
    snr = np.maximum(height / height_sigma, top / sigma[at])
    keep = snr > LEAST_SNR
    fitted = PeakList(
        center_px=center,
        sigma_px=np.maximum(fit.error[1, order], _clipped_sigma(clipped, at, looks)),
        fwhm_px=optical(looks * (1.0 + wider[order])),
        height=height,
        height_sigma=height_sigma,
        snr=snr,
        saturated=saturated,
        blended=(np.minimum(gap[:-1], gap[1:]) < BLEND_FWHM * looks) | blended[order],
    )
    return fitted.chosen(keep)


def _clipped_sigma(clipped: MaskArray, at: IntArray, looks: FloatArray) -> FloatArray:
    """How well the middle of clipped lines is known: overflowing charge runs to one side; 0 for lines that are not."""
    if not clipped.any():
        return np.zeros(len(at))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], clipped, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    number = np.clip(np.searchsorted(starts, at, side="right") - 1, 0, len(starts) - 1)
    doubt = np.maximum(CLIPPED_CENTER_FWHM * looks, CLIPPED_CENTER_RUN * (ends - starts)[number])
    return np.where(clipped[at], doubt, 0.0)
