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

from oesd.engine.kept import PLACES, dispersion_of
from oesd.engine.windows import FWHM_PER_SIGMA
from oesd.model import FloatArray, LineSpread

NARROWEST_PX, WIDEST_PX = 1.5, 20.0
PIXEL_PX = float(FWHM_PER_SIGMA / np.sqrt(12.0))  # FWHM of the Gaussian with a pixel's variance
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
WEIGHING_ROUNDS = 3
DRIFT = 0.01  # relative: a width changes by so much with temperature and focus from one spectrum to the next
OUTLIER_SIGMAS = 4.0
MOST_LINES = 80
_EYE, _NOTHING = np.eye(3), np.zeros(3)
_TINY = 1e-6 * _EYE  # keeps systems regular that nothing bounds
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
        x = np.minimum(np.maximum(px, a - 0.5 * (b - a)), c + 0.5 * (c - b))
        from_a, from_b, from_c = x - a, x - b, x - c
        shares = np.empty((len(px), 3))
        shares[:, 0] = from_b * from_c / ((a - b) * (a - c))
        shares[:, 1] = from_a * from_c / ((b - a) * (b - c))
        shares[:, 2] = from_a * from_b / ((c - a) * (c - b))
        return shares

    def sigma_px(self, px: FloatArray) -> FloatArray:
        """Standard deviation of a line's shape at these pixels, in pixels."""
        (a, b, c), sigma = self.place_px.tolist(), (self.fwhm_px / FWHM_PER_SIGMA).tolist()
        x = np.minimum(np.maximum(px, a - 0.5 * (b - a)), c + 0.5 * (c - b))
        rise = (sigma[1] - sigma[0]) / (b - a)
        bend = ((sigma[2] - sigma[0]) / (c - a) - rise) / (c - b)
        widths: FloatArray = sigma[0] + (x - a) * (rise + (x - b) * bend)  # Newton's form of the parabola
        bounded: FloatArray = np.minimum(np.maximum(widths, 0.5 * min(sigma)), 2.0 * max(sigma))
        return bounded


def optical(fwhm_px: FloatArray) -> FloatArray:
    """Width without the pixel's own, of a width as it looks."""
    return np.sqrt(np.maximum(fwhm_px * fwhm_px - PIXEL_PX**2, 0.25 * fwhm_px * fwhm_px))


def seen(fwhm_px: float) -> float:
    """Width as it looks, of a width without the pixel's own."""
    return float(np.hypot(fwhm_px, PIXEL_PX))


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Widths with all that is known, and by this spectrum's ``lines`` lines alone (None: they do not tell)."""

    widths: Widths
    alone: Widths | None
    lines: int


def learned(
    before: Widths, center_px: FloatArray, wider: FloatArray, wider_sigma: FloatArray, known: Widths | None
) -> Learned:
    """Widths by what every line says of its own; the ``MOST_LINES`` that say it best are asked.

    Parameters
    ----------
    before : Widths
        What the lines were fitted with.
    center_px, wider, wider_sigma : (lines,) float64
        Where they are, how much wider than ``before`` they look, relative, and its error.
    known : Widths or None
        What a hint or earlier spectra say.
    """
    if len(wider) > MOST_LINES:
        best = np.sort(wider_sigma.argsort(kind="stable")[:MOST_LINES])
        center_px, wider, wider_sigma = center_px[best], wider[best], wider_sigma[best]
    known_well = known is not None and bool(np.isfinite(known.sigma).all())
    trust = told = _NOTHING
    if known is not None and known_well:
        trust, told = known.sigma**-2.0, known.fwhm_px / before.fwhm_px - 1.0
    firm, wished = trust * _EYE, trust * told
    shares, square = before.shares(center_px), wider_sigma * wider_sigma + SINGLE_SPREAD**2
    sharp = 1.0 / np.sqrt(square)
    off = wider - _mode(wider, sharp, _told(known, before))
    system, wanted, change, inverse, lines = _SMOOTH, _NOTHING, _NOTHING, _TINY, 0.0
    for _ in range(WEIGHING_ROUNDS):
        single, blend = _densities(off, sharp)
        blend += single
        blend += STRAY_DENSITY
        single /= blend
        lines = float(single.sum())
        if lines < FEWEST_LINES and not known_well:
            return Learned(before, None, 0)  # blends and bands alone do not tell
        weighted = shares.T * (single / square)
        system, wanted = weighted @ shares + _SMOOTH, weighted @ wider
        inverse = _inverse(system + firm)
        change = inverse @ (wanted + wished)
        off = wider - shares @ change
    widths = _changed(before, change, inverse, known)
    if lines < FEWEST_LINES:
        return Learned(widths, None, round(lines))
    if not known_well:
        return Learned(widths, widths, round(lines))
    inverse = _inverse(system)
    return Learned(widths, _changed(before, inverse @ wanted, inverse, known), round(lines))


def _inverse(system: FloatArray) -> FloatArray:
    """Inverse of a symmetric system of three: by its cofactors, for a library's solver takes longer to be called."""
    a, b, c, _, d, e, _, _, f = (system + _TINY).ravel().tolist()
    row = d * f - e * e, c * e - b * f, b * e - c * d
    cofactors = np.array([row, (row[1], a * f - c * c, b * c - a * e), (row[2], b * c - a * e, a * d - b * b)])
    inverse: FloatArray = cofactors / (a * row[0] + b * row[1] + c * row[2])
    return inverse


def _changed(before: Widths, change: FloatArray, inverse: FloatArray, known: Widths | None) -> Widths:
    widest = WIDEST_PX if known is None else max(WIDEST_PX, 1.6 * float(known.fwhm_px.max()))
    fwhm_px = before.fwhm_px * (1.0 + np.minimum(np.maximum(change, GRID[0]), GRID[-1]))
    error = np.sqrt(np.maximum(inverse.diagonal(), 0.0))
    return Widths(before.place_px, np.minimum(np.maximum(fwhm_px, NARROWEST_PX), widest), np.minimum(error, 1.0))


def learned_skew(lopsided: FloatArray, sigma: FloatArray) -> tuple[float, float]:
    """The third Hermite term of the instrument, and its error: what most lines have in common.

    Blends lean either way. A mean with Tukey's weights about the median; drawn to zero as far as it may be zero (James
    and Stein 1961).
    """
    if not len(lopsided):
        return 0.0, SKEW_SPREAD
    square = sigma * sigma + BLEND_SKEW**2
    order = lopsided.argsort(kind="stable")
    trust = (1.0 / square[order]).cumsum()
    middle, doubt = float(lopsided[order[trust.searchsorted(0.5 * trust[-1])]]), SKEW_SPREAD
    for _ in range(2):
        off = lopsided - middle
        near = np.maximum(1.0 - off * off / (9.0 * square), 0.0) ** 2 / square
        doubt = (float(near.sum()) + SKEW_SPREAD**-2.0) ** -0.5
        middle = float(near @ lopsided) * doubt * doubt
    may_be_zero = (SURE_SIGMAS * doubt) ** 2
    sure = max(1.0 - may_be_zero / max(middle * middle, may_be_zero), 0.0)
    return min(max(sure * middle, -MOST_SKEW), MOST_SKEW), doubt


def _told(known: Widths | None, before: Widths) -> FloatArray:
    """Log-probability of each relative change by what is known of the width."""
    if known is None:
        return np.zeros(len(GRID))
    sigma = HINT_SPREAD if not np.isfinite(known.sigma).all() else max(float(known.sigma.mean()), SINGLE_SPREAD)
    off = (before.middle_px * (1.0 + GRID) / known.middle_px - 1.0) / sigma
    return np.log(HINT_WRONG + np.exp(-0.5 * np.minimum(off * off, 80.0)))


def _mode(wider: FloatArray, sharp: FloatArray, prior: FloatArray) -> float:
    """Relative change of width at which single lines and blends together are likeliest."""
    single, blend = _densities(wider[:, None] - GRID, sharp[:, None])
    single += blend
    single += STRAY_DENSITY
    likelihood = np.log(single, out=single).sum(axis=0) + prior
    return float(GRID[int(likelihood.argmax())])


def _densities(off: FloatArray, sharp: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of single lines and of blends, at these distances from a single line's width; ``sharp``: 1 / their errors."""
    z = off * sharp
    single = z * z
    single *= -0.5
    np.exp(single, out=single)
    single *= SINGLE_SHARE / 2.5066 * sharp
    z *= -1.7
    blend = np.exp(np.minimum(z, 40.0, out=z), out=z)  # logistic in place of the normal distribution
    blend += 1.0
    fall = np.maximum(off, 0.0)
    fall *= -1.0 / BLEND_SPREAD
    np.exp(fall, out=fall)
    fall *= (1.0 - SINGLE_SHARE) / BLEND_SPREAD
    fall /= blend
    return single, fall


def remembered(spread: LineSpread, device_nm: FloatArray) -> Widths:
    """What earlier spectra of a device showed, on an axis of it."""
    pixels = len(device_nm)
    place = np.array(PLACES) * (pixels - 1)
    along = dispersion_of(device_nm)
    fwhm_nm = np.interp(along.nm, spread.wavelengths_nm, spread.fwhm_nm)
    sigma_nm = np.interp(along.nm, spread.wavelengths_nm, spread.sigma_nm)
    fwhm_px = np.clip(np.hypot(fwhm_nm / along.nm_per_px, PIXEL_PX), NARROWEST_PX, pixels / 4.0)
    return Widths(place, fwhm_px, np.hypot(sigma_nm / np.maximum(fwhm_nm, 1e-12), DRIFT))


def shown(widths: Widths, lines: int, device_nm: FloatArray) -> LineSpread:
    """Widths as a value that can be kept."""
    along = dispersion_of(device_nm)
    fwhm_nm = optical(widths.fwhm_px) * along.nm_per_px
    nm, width, sigma = np.array([along.nm, fwhm_nm, widths.sigma * fwhm_nm]).round(5).tolist()
    return LineSpread(tuple(nm), tuple(width), tuple(sigma), lines=lines)


def is_of_axis(spread: LineSpread, device_nm: FloatArray) -> bool:
    """Whether a width was told on this very axis."""
    return bool(list(spread.wavelengths_nm) == dispersion_of(device_nm).nm.round(5).tolist())


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
