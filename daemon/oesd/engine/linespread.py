"""The width of a single line along the axis: the instrument's line spread, learned from the lines at hand.

Lines are single or they are several, and several are only ever wider. So the widths at hand are a narrow peak (single
lines, as wide as the instrument's and their own errors make them) with a tail to one side (blends), and the width of
the instrument is where the likelihood of that mixture is highest. It may change along the axis as a parabola through
three places; what earlier spectra of the device told is prior knowledge.

A pixel adds its own width: a line of standard deviation s shows sqrt(s^2 + 1/12). What is fitted is the latter, what is
reported is the former.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oesd.engine.windows import FWHM_PER_SIGMA
from oesd.model import FloatArray, LineSpread, MaskArray

NARROWEST_PX, WIDEST_PX = 1.5, 20.0
DEFAULT_PX = 3.0
MIN_SNR = 12.0
PIXEL_PX = float(FWHM_PER_SIGMA / np.sqrt(12.0))  # FWHM of the Gaussian with a pixel's variance
PLACES = (1.0 / 6.0, 0.5, 5.0 / 6.0)  # of the axis
SINGLE_SHARE = 0.3  # of lines are single; the others are more than one
SINGLE_SPREAD = 0.012  # relative widths of single lines: Doppler and Stark widths are far below a spectrometer's
BLEND_SPREAD = 0.35  # blends are wider by about so much
FEWEST_LINES = 1.5  # that agree on a width, where nothing is known of it
STRAY_DENSITY = 0.05  # of lines of any width at all: what is no line
UNEVEN = 0.05  # how much the width may change from a third of the axis to the next
HINT_SPREAD = 0.06  # a stated width is right within so much, or entirely wrong
HINT_WRONG = 0.02
BLEND_SKEW = 0.02  # third Hermite term of lines that look single
SURE_SIGMAS = 1.4
SKEW_SPREAD, MOST_SKEW = 0.02, 0.1  # of spectrometers: coma makes one flank wider than the other by up to a third
GRID = np.linspace(-0.5, 0.5, 51)  # relative changes of width that are tried
WEIGHING_ROUNDS = 4
DRIFT = 0.01  # relative: a width changes by so much with temperature and focus from one spectrum to the next
OUTLIER_SIGMAS = 4.0
TINY = 1e-6  # keeps systems regular that nothing bounds
_SMOOTH = np.array([[1.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 1.0]]) / UNEVEN**2


@dataclass(frozen=True, slots=True, eq=False)
class Widths:
    """Width of a single line along the axis as it looks (the pixel's own in it): a parabola through three places.

    Attributes
    ----------
    place_px, fwhm_px : (3,) float64
    sigma : (3,) float64
        Relative error of each; infinite where nothing is known.
    """

    place_px: FloatArray
    fwhm_px: FloatArray
    sigma: FloatArray

    @classmethod
    def even(cls, pixels: int, fwhm_px: float) -> Widths:
        """The same everywhere, and not known."""
        return cls(np.array(PLACES) * (pixels - 1), np.full(3, fwhm_px), np.full(3, np.inf))

    @property
    def middle_px(self) -> float:
        """At the middle of the axis."""
        return float(self.fwhm_px[1])

    def shares(self, px: FloatArray) -> FloatArray:
        """How much each of the three places counts at these pixels: (pixels, 3), rows sum to one."""
        a, b, c = self.place_px
        x = np.clip(px, a - 0.5 * (b - a), c + 0.5 * (c - b))
        return np.stack(
            [
                (x - b) * (x - c) / ((a - b) * (a - c)),
                (x - a) * (x - c) / ((b - a) * (b - c)),
                (x - a) * (x - b) / ((c - a) * (c - b)),
            ],
            axis=1,
        )

    def sigma_px(self, px: FloatArray) -> FloatArray:
        """Standard deviation of a line's shape at these pixels, in pixels."""
        widths: FloatArray = self.shares(px) @ self.fwhm_px / FWHM_PER_SIGMA
        return np.clip(widths, 0.5 * self.fwhm_px.min() / FWHM_PER_SIGMA, 2.0 * self.fwhm_px.max() / FWHM_PER_SIGMA)


def optical(fwhm_px: FloatArray) -> FloatArray:
    """Width without the pixel's own, of a width as it looks."""
    return np.sqrt(np.maximum(fwhm_px * fwhm_px - PIXEL_PX**2, 0.25 * fwhm_px * fwhm_px))


def seen(fwhm_px: float) -> float:
    """Width as it looks, of a width without the pixel's own."""
    return float(np.hypot(fwhm_px, PIXEL_PX))


def first_fwhm_px(net: FloatArray, sigma: FloatArray, masked: MaskArray, hint_px: float | None) -> float:
    """A first width in pixels, as it looks (the pixel's own in it): good enough to find the lines with.

    Every strong local maximum gives one from the log-parabola through its top (exact for a Gaussian); blends and bands
    are wider, so it is a low quantile, weighted to strong lines. A hint bounds it to 0.6 .. 1.6 of itself.
    """
    widths, snr = _top_widths(net, sigma, masked)
    low, high = (NARROWEST_PX, WIDEST_PX) if hint_px is None else (0.6 * hint_px, 1.6 * hint_px)
    usable = (widths >= low) & (widths <= high)
    if usable.sum() < 3:
        return DEFAULT_PX if hint_px is None else max(hint_px, NARROWEST_PX)
    found = _weighted_quantile(widths[usable], np.minimum(snr[usable], 100.0), 0.3)
    return float(np.clip(found, NARROWEST_PX, max(WIDEST_PX, high)))


def _top_widths(net: FloatArray, sigma: FloatArray, masked: MaskArray) -> tuple[FloatArray, FloatArray]:
    """Widths and signal-to-noise of all strong maxima; the parabola's arms reach out 1, 2, 4, 8 or 16 pixels."""
    middle = net[1:-1]
    tops = 1 + np.flatnonzero((middle >= net[:-2]) & (middle > net[2:]) & (middle > MIN_SNR * sigma[1:-1]))
    widths, ratios = np.zeros(0), np.zeros(0)
    for arm in (1, 2, 4, 8, 16):
        at = tops[(tops >= arm) & (tops < len(net) - arm)]
        y, left, right = net[at], net[at - arm], net[at + arm]
        good = (y > left) & (y > right) & (left > 0.0) & (right > 0.0)
        good &= ~(masked[at - arm] | masked[at] | masked[at + arm])
        at, y, left, right = at[good], y[good], left[good], right[good]
        curvature = 2.0 * np.log(y) - np.log(left) - np.log(right)  # = arm^2 / sigma^2 of a Gaussian
        width = arm * np.sqrt(8.0 * np.log(2.0) / np.maximum(curvature, 1e-6))
        fits = (width >= 1.4 * arm) & (width < 4.0 * arm)  # arms on the flanks: neither in the noise nor in the wings
        widths = np.concatenate([widths, width[fits]])
        ratios = np.concatenate([ratios, (y / sigma[at])[fits]])
    return widths, ratios


def _weighted_quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, share * cumulative[-1])])


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Widths with all that is known, and by this spectrum's ``lines`` lines alone (None: they do not tell)."""

    widths: Widths
    alone: Widths | None
    lines: int


def learned(
    before: Widths, center_px: FloatArray, wider: FloatArray, wider_sigma: FloatArray, known: Widths | None
) -> Learned:
    """Widths by what every line says of its own.

    Parameters
    ----------
    before : Widths
        What the lines were fitted with.
    center_px, wider, wider_sigma : (lines,) float64
        Where they are, how much wider than ``before`` they look, relative, and its error.
    known : Widths or None
        What a hint or earlier spectra say.
    """
    trust = np.zeros(3)
    told = np.zeros(3)
    if known is not None and np.isfinite(known.sigma).all():
        trust, told = known.sigma**-2.0, known.fwhm_px / before.fwhm_px - 1.0
    shares = before.shares(center_px)
    change = np.full(3, _mode(wider, wider_sigma, _told(known, before)))
    system, wanted, lines = np.zeros((3, 3)), np.zeros(3), 0.0
    for _ in range(WEIGHING_ROUNDS):
        single = _single_share(wider - shares @ change, wider_sigma)
        weight = single / (wider_sigma**2 + SINGLE_SPREAD**2)
        system, wanted = (shares * weight[:, None]).T @ shares + _SMOOTH, shares.T @ (weight * wider)
        lines = float(single.sum())
        if lines < FEWEST_LINES and not trust.any():
            return Learned(before, None, 0)  # blends and bands alone do not tell
        change = _solved(system + np.diag(trust), wanted + trust * told)
    alone = None
    if lines >= FEWEST_LINES:
        alone = _changed(before, _solved(system, wanted), system, known)
    return Learned(_changed(before, change, system + np.diag(trust), known), alone, round(lines))


def _solved(system: FloatArray, wanted: FloatArray) -> FloatArray:
    solution: FloatArray = np.linalg.solve(system + TINY * np.eye(3), wanted).astype(np.float64, copy=False)
    return solution


def _changed(before: Widths, change: FloatArray, system: FloatArray, known: Widths | None) -> Widths:
    widest = WIDEST_PX if known is None else max(WIDEST_PX, 1.6 * float(known.fwhm_px.max()))
    fwhm_px = before.fwhm_px * (1.0 + np.clip(change, GRID[0], GRID[-1]))
    error = np.sqrt(np.maximum(np.diag(np.linalg.inv(system + TINY * np.eye(3))), 0.0))
    return Widths(before.place_px, np.clip(fwhm_px, NARROWEST_PX, widest), np.minimum(error, 1.0))


def learned_skew(lopsided: FloatArray, sigma: FloatArray) -> tuple[float, float]:
    """The third Hermite term of the instrument, and its error: what most lines have in common.

    Blends lean either way. A mean with Tukey's weights about the median; drawn to zero as far as it may be zero (James
    and Stein 1961).
    """
    if not len(lopsided):
        return 0.0, SKEW_SPREAD
    spread = np.hypot(sigma, BLEND_SKEW)
    order = np.argsort(lopsided, kind="stable")
    trust = np.cumsum(1.0 / spread[order] ** 2)
    middle, doubt = float(lopsided[order][np.searchsorted(trust, 0.5 * trust[-1])]), SKEW_SPREAD
    for _ in range(2):
        near = np.clip(1.0 - ((lopsided - middle) / (3.0 * spread)) ** 2, 0.0, 1.0) ** 2 / spread**2
        doubt = float((near.sum() + SKEW_SPREAD**-2.0) ** -0.5)
        middle = float((near * lopsided).sum()) * doubt * doubt
    may_be_zero = (SURE_SIGMAS * doubt) ** 2
    sure = max(1.0 - may_be_zero / max(middle * middle, may_be_zero), 0.0)
    return float(np.clip(sure * middle, -MOST_SKEW, MOST_SKEW)), doubt


def _told(known: Widths | None, before: Widths) -> FloatArray:
    """Log-probability of each relative change by what is known of the width."""
    if known is None:
        return np.zeros(len(GRID))
    sigma = HINT_SPREAD if not np.isfinite(known.sigma).all() else max(float(known.sigma.mean()), SINGLE_SPREAD)
    off = (before.middle_px * (1.0 + GRID) / known.middle_px - 1.0) / sigma
    return np.log(HINT_WRONG + np.exp(-0.5 * np.minimum(off * off, 80.0)))


def _mode(wider: FloatArray, sigma: FloatArray, prior: FloatArray) -> float:
    """Relative change of width at which single lines and blends together are likeliest."""
    single, blend = _densities(wider[:, None] - GRID, sigma[:, None])
    likelihood = np.log(single + blend + STRAY_DENSITY).sum(axis=0) + prior
    return float(GRID[int(likelihood.argmax())])


def _single_share(off: FloatArray, sigma: FloatArray) -> FloatArray:
    single, blend = _densities(off, sigma)
    share: FloatArray = single / (single + blend + STRAY_DENSITY)
    return share


def _densities(off: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of single lines and of blends, at these distances from a single line's width."""
    spread = np.hypot(sigma, SINGLE_SPREAD)
    z = off / spread
    single = SINGLE_SHARE / 2.5066 * np.exp(-0.5 * np.minimum(z * z, 80.0)) / spread
    rise = 1.0 / (1.0 + np.exp(np.clip(-1.7 * z, -40.0, 40.0)))  # logistic in place of the normal distribution
    blend = (1.0 - SINGLE_SHARE) / BLEND_SPREAD * np.exp(-np.clip(off, 0.0, 8.0) / BLEND_SPREAD) * rise
    return single, blend


def remembered(spread: LineSpread, device_nm: FloatArray) -> Widths:
    """What earlier spectra of a device showed, on an axis of it."""
    pixels = len(device_nm)
    place = np.array(PLACES) * (pixels - 1)
    nm = np.interp(place, np.arange(pixels), device_nm)
    dispersion = np.interp(place, np.arange(pixels), np.gradient(device_nm))
    fwhm_nm = np.interp(nm, spread.wavelengths_nm, spread.fwhm_nm)
    sigma_nm = np.interp(nm, spread.wavelengths_nm, spread.sigma_nm)
    fwhm_px = np.clip(np.hypot(fwhm_nm / dispersion, PIXEL_PX), NARROWEST_PX, pixels / 4.0)
    return Widths(place, fwhm_px, np.hypot(sigma_nm / np.maximum(fwhm_nm, 1e-12), DRIFT))


def shown(widths: Widths, lines: int, device_nm: FloatArray) -> LineSpread:
    """Widths as a value that can be kept."""
    pixels = np.arange(len(device_nm))
    nm = np.interp(widths.place_px, pixels, device_nm)
    dispersion = np.interp(widths.place_px, pixels, np.gradient(device_nm))
    fwhm_nm = optical(widths.fwhm_px) * dispersion
    numbers = [tuple(round(float(x), 5) for x in row) for row in (nm, fwhm_nm, widths.sigma * fwhm_nm)]
    return LineSpread(numbers[0], numbers[1], numbers[2], lines=lines)


def combined(spreads: Sequence[LineSpread]) -> LineSpread | None:
    """What several spectra of one device show together, the newest last; None of none.

    Means weighted by inverse variance, without those far off the weighted median. Spectra on another axis than the
    newest's do not count.
    """
    if not spreads:
        return None
    newest = spreads[-1]
    same = [s for s in spreads if s.wavelengths_nm == newest.wavelengths_nm and len(s.fwhm_nm) == len(newest.fwhm_nm)]
    fwhm = np.array([s.fwhm_nm for s in same])
    sigma = np.hypot(np.array([s.sigma_nm for s in same]), DRIFT * fwhm)
    weight = 1.0 / np.maximum(sigma, 1e-9) ** 2
    order = np.argsort(fwhm, axis=0, kind="stable")
    trust = np.cumsum(np.take_along_axis(weight, order, axis=0), axis=0)
    half = (trust < 0.5 * trust[-1]).sum(axis=0)
    middle = np.take_along_axis(np.take_along_axis(fwhm, order, axis=0), half[None], axis=0)[0]
    weight = np.where(np.abs(fwhm - middle) <= OUTLIER_SIGMAS * sigma, weight, 0.0)
    total = weight.sum(axis=0)
    mean, error = (weight * fwhm).sum(axis=0) / total, total**-0.5
    rounded = [tuple(round(float(x), 5) for x in row) for row in (mean, error)]
    return LineSpread(newest.wavelengths_nm, rounded[0], rounded[1], lines=sum(s.lines for s in same))
