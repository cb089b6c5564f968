"""What is said beside a result: sentences for its warnings."""

from __future__ import annotations

from oesd.engine.bands import molecule_of
from oesd.engine.bandshapes import SeenBand
from oesd.engine.calibration import SEARCHED, Axis
from oesd.engine.claims import Inference
from oesd.engine.ghosts import Ghosts
from oesd.engine.measure import Light
from oesd.model import FloatArray, Recipe

AXIS_WARNING_NM = 0.2
CLEAR_SNR, CLEAR_PEAKS = 50.0, 3  # so many clear peaks tell the line width, but where lines are wider than 20 px


def axis_notes(axis: Axis, unsafe: str, inference: Inference) -> tuple[str, ...]:
    """That the axis is off, and why that is not safe or may be worse."""
    off = bool(inference.claims) and abs(axis.shift_nm) >= AXIS_WARNING_NM
    told = f"the lines lie {axis.shift_nm:+.2f} nm from where they belong: the wavelength axis needs calibration"
    doubt = f"the correction of the wavelength axis is not safe: {unsafe}"
    return ((told,) if off else ()) + ((doubt,) if unsafe and (off or SEARCHED in unsafe) else ())


def width_notes(light: Light, recipe: Recipe) -> tuple[str, ...]:
    """That the line width is a guess: nothing was known of it, and the clear peaks do not tell it."""
    known = light.line_spread is not None or recipe.fwhm_nm is not None or recipe.line_spread is not None
    if known or int((light.peaks.snr > CLEAR_SNR).sum()) < CLEAR_PEAKS:
        return ()
    return ("the clear peaks do not tell the line width: widths and areas are a guess until fwhm_nm says it",)


def band_notes(bands: list[SeenBand], inference: Inference) -> tuple[str, ...]:
    """Which molecules shine: they name peaks and are not among the elements."""
    systems = sorted({molecule_of(name) for name in ({band.system for band in bands} | set(inference.bands))})
    return (f"molecular bands of {', '.join(systems)}",) if systems else ()


def ghost_notes(ghosts: Ghosts, at_nm: FloatArray) -> tuple[str, ...]:
    """Peaks that are strong lines' second orders, not lines; ``at_nm`` are the peaks on the device's axis."""
    pairs = sorted(zip(at_nm[ghosts.peak].tolist(), at_nm[ghosts.of].tolist(), strict=True))
    told = ", ".join(f"{peak:.2f} nm of {of:.2f} nm" for peak, of in pairs)
    return (f"second orders of the grating, not lines: {told}",) if told else ()
