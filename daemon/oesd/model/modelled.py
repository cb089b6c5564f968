"""A dark that was never taken: what a learned model says a spectrometer would have shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from oesd.model.measured import FloatArray, MaskArray, SpreadArray

PARTS_PER_COUNT = 1000
"""A modelled count is a whole number of thousandths, so that every file gives it back to the last digit."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelledDark:
    """Prediction of a dark, immutable and stored: an entry whose ``dark_id`` names one has no measured dark.

    It is no :class:`~oesd.model.Capture`: nothing was exposed, there are no integer counts, no scans and no moment of
    exposure, and nothing may take it for a measurement. The numbers are stored as they were used; they can be learned
    again from the accepted darks of the spectrometer from the beginning of its library to ``last_dark_id``.

    Attributes
    ----------
    record_id : str
        UUID made from all the rest but the time: the same prediction has the same id.
    temperature_c : float or None
        Of the detector that it was made for, to a tenth of a kelvin.
    counts : (pixels,) float64
        Mean raw counts of one scan, whole thousandths.
    sigma : (pixels,) float32
        How far they may be off.
    saturated : (pixels,) bool
        Pixels that dark current alone would fill.
    darks, last_dark_id : int, str
        How many darks were learned from, and the record id of the last of them.
    version : str
        Of the law and of oesd.
    """

    record_id: str
    serial: str
    device_model: str
    simulated: bool
    integration_us: int
    temperature_c: float | None
    counts: FloatArray
    sigma: SpreadArray
    saturated: MaskArray
    darks: int
    last_dark_id: str
    version: str
    made_at_utc: datetime

    @property
    def pixels(self) -> int:
        """Number of detector pixels."""
        return len(self.counts)
