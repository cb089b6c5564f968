"""The values that cross rooms: frozen, units in their names.

A spectrum's life in these values::

    Capture (sample)  ----.
    Capture (dark)    -----+--> Entry --(engine)--> Analysis --> Result (one revision of it, stored)
    Capture (reference)---'                            ^
                                            Override --'  (a person's word on one peak)

Arrays are numpy, read-only by agreement; wavelengths are nm in air; times are
UTC for people, monotonic ns for pace, (run, sequence) for order.
"""

from oesd.model.corrections import Correction, Means
from oesd.model.found import Analysis, Candidate, ElementFinding, Override, Peak, Result
from oesd.model.measured import (
    Capture,
    CountArray,
    Device,
    Entry,
    FloatArray,
    Kind,
    MaskArray,
    Measurement,
    Quantity,
    SpectrumFile,
    SpreadArray,
)
from oesd.model.modelled import ModelledDark
from oesd.model.names import is_uuid, new_id, utc_from_text, utc_text
from oesd.model.photometric import IrradianceCalibration, Photometric
from oesd.model.recipes import ConstraintMode, LineSpread, Recipe
from oesd.model.runs import Conditions, Loss, RunOrder, RunRecord
from oesd.model.told import Ambiguity, AxisCorrection, Evidence, LineEvidence

__all__ = [
    "Ambiguity", "Analysis", "AxisCorrection", "Candidate", "Capture", "Conditions", "ConstraintMode", "Correction",
    "CountArray", "Device", "ElementFinding", "Entry", "Evidence", "FloatArray", "IrradianceCalibration", "Kind",
    "LineEvidence", "LineSpread", "Loss", "MaskArray", "Means", "Measurement", "ModelledDark", "Override", "Peak",
    "Photometric", "Quantity", "Recipe", "Result", "RunOrder", "RunRecord", "SpectrumFile", "SpreadArray", "is_uuid",
    "new_id", "utc_from_text", "utc_text",
]  # fmt: skip
