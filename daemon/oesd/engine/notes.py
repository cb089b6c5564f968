"""What is said beside a result: sentences for its warnings."""

from __future__ import annotations

from oesd.engine.assignment import Inference
from oesd.engine.bandshapes import SeenBand
from oesd.engine.calibration import Axis

AXIS_WARNING_NM = 0.2
EDGE = 0.9  # of the reach: a shift this far out may only be the nearest that was looked at


def axis_notes(axis: Axis, inference: Inference, reach_nm: float) -> tuple[str, ...]:
    """That the axis is off, and that it may be farther off than was searched."""
    if not inference.claims or abs(axis.shift_nm) < AXIS_WARNING_NM:
        return ()
    told = f"the lines lie {axis.shift_nm:+.2f} nm from where they belong: the wavelength axis needs calibration"
    if abs(axis.shift_nm) <= EDGE * reach_nm:
        return (told,)
    return (told, f"that is at the edge of the {reach_nm:g} nm searched and not safe: search wider, with search_nm")


def band_notes(bands: list[SeenBand], inference: Inference) -> tuple[str, ...]:
    """Which molecules shine: they name peaks and are not among the elements."""
    systems = sorted({band.system for band in bands} | set(inference.bands))
    return (f"molecular bands of {', '.join(systems)}",) if systems else ()
