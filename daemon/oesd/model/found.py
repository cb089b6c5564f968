"""What is found: peaks with their candidates, analyses, results, and a person's word on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from oesd.model.corrections import Means
from oesd.model.measured import FloatArray
from oesd.model.names import utc_text
from oesd.model.recipes import ConstraintMode, LineSpread, Recipe
from oesd.model.told import Ambiguity, AxisCorrection, Evidence


class Candidate(NamedTuple):
    """One line that may be the peak; ``candidate_key`` is ``<symbol>_<air nm, one decimal>``, unique in its peak."""

    candidate_key: str
    element: str
    ionization: int
    wavelength_nm: float
    probability: float


class Peak(NamedTuple):
    """One detected emission peak.

    ``peak_id`` stays the same when the entry is reprocessed. ``intensity`` is the height above the baseline and
    ``area`` its integral over nm, both in (linearised) counts of one scan. ``element`` is None when none is named:
    then the peak is ``ambiguous``, with the competing names among its candidates, or unidentified.
    ``candidate_key`` is what a person chose, None while nobody has.
    """

    peak_id: str
    wavelength_nm: float
    wavelength_sigma_nm: float
    center_px: float
    fwhm_nm: float
    snr: float
    intensity: float
    area: float
    element: str | None
    probability: float
    manual: bool
    candidates: tuple[Candidate, ...]
    saturated: bool = False
    blended: bool = False
    ambiguous: bool = False
    candidate_key: str | None = None

    @property
    def line_key(self) -> str | None:
        """Key of the line that it is said to be: what a person chose, else the likeliest of its element."""
        first = next((one.candidate_key for one in self.candidates if one.element == self.element), None)
        return self.candidate_key or first

    def as_dict(self) -> dict[str, Any]:
        """The peak as it stands in the GET /oes document."""
        shown: dict[str, Any] = {"peak_id": self.peak_id, "wavelength_nm": self.wavelength_nm, "element": self.element}
        if self.manual:
            shown["manual"] = True
        if self.candidate_key:
            shown["candidate_key"] = self.candidate_key
        numbers = ("wavelength_sigma_nm", "center_px", "fwhm_nm", "snr", "intensity", "area", "probability")
        shown.update({name: getattr(self, name) for name in numbers})
        shown.update(saturated=self.saturated, blended=self.blended, ambiguous=self.ambiguous)
        shown["candidates"] = [
            {
                "candidate_key": c.candidate_key,
                "element": c.element,
                "ionization": c.ionization,
                "wavelength_nm": c.wavelength_nm,
                "probability": c.probability,
            }
            for c in self.candidates
        ]
        return shown

    @classmethod
    def from_dict(cls, shown: Mapping[str, Any]) -> Peak:
        """Peak from its stored form, the inverse of :meth:`as_dict`."""
        values = {k: v for k, v in shown.items() if k != "candidates"}
        values.setdefault("manual", False)
        return cls(candidates=tuple(Candidate(**c) for c in shown["candidates"]), **values)


@dataclass(frozen=True, slots=True)
class ElementFinding:
    """An element (or a molecule) said to be in the light, with the probability that this is true."""

    element: str
    probability: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {"element": self.element, "probability": self.probability}


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What the engine makes of one spectrum. All spectra have shape (pixels,).

    ``sample``, ``reference`` and ``dark`` are mean raw counts of one scan. ``scope_corrected`` is sample - dark,
    linearised where the device gives sane coefficients, without the stray light that it tells, and out of the shorter
    exposure where the sample is saturated and there is one: ``means`` tells what of it. ``line_spread`` is what this
    spectrum alone shows, None when no line tells. ``evidence`` is there when it was asked for; like ``baseline`` and
    ``noise`` it is made again rather than stored.
    """

    wavelengths_nm: FloatArray
    sample: FloatArray
    scope_corrected: FloatArray
    elements: tuple[ElementFinding, ...]
    detected_peaks: tuple[Peak, ...]
    recipe: Recipe
    line_table_version: str
    engine_version: str
    reference: FloatArray | None = None
    dark: FloatArray | None = None
    baseline: FloatArray | None = None
    noise: FloatArray | None = None
    warnings: tuple[str, ...] = ()
    molecules: tuple[ElementFinding, ...] = ()
    ambiguous: tuple[Ambiguity, ...] = ()
    axis: AxisCorrection | None = None
    line_spread: LineSpread | None = None
    evidence: tuple[Evidence, ...] = ()
    means: Means | None = field(default=None, compare=False)
    """What the measurement offered to correct it by; told by the measurement, no finding."""

    def to_api(
        self,
        *,
        data_id: str = "",
        result_id: str = "oes_001",
        last_updated: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
        numbers: Callable[[str, FloatArray], Any] | None = None,
    ) -> dict[str, Any]:
        """Return the GET /oes document: JSON-ready, absent arrays omitted, non-finite numbers as None.

        ``numbers`` makes of a field's name and array what stands in the document, a list when None.
        """
        shown = numbers or _json_numbers
        constrained = None if self.recipe.constraint is ConstraintMode.AUTO else list(self.recipe.elements)
        document: dict[str, Any] = {
            "data_id": data_id,
            "id": result_id,
            "wavelengths": shown("wavelengths", self.wavelengths_nm),
            "wavelength_unit": "nm",
            "sample": shown("sample", self.sample),
            "scope_corrected": shown("scope_corrected", self.scope_corrected),
            "spectrum_type": "sample",
            "detected_peaks": [peak.as_dict() for peak in self.detected_peaks],
            "elements": [finding.as_dict() for finding in self.elements],
            "molecules": [finding.as_dict() for finding in self.molecules],
            "ambiguous": [one.as_dict() for one in self.ambiguous],
            "constraint_mode": self.recipe.constraint.value,
            "constrained_elements": constrained,
            "spectral_metadata": {
                **(metadata or {}),
                "engine_version": self.engine_version,
                "line_table_version": self.line_table_version,
                "recipe": self.recipe.as_dict(),
                "warnings": list(self.warnings),
                "corrections": self.corrections(metadata or {}),
            },
            "last_updated": utc_text(last_updated or datetime.now(UTC)),
        }
        if self.axis is not None:
            document["wavelength_correction"] = self.axis.as_dict()
        if self.evidence:
            document["evidence"] = [one.as_dict() for one in self.evidence]
        for name, spectrum in (("reference", self.reference), ("dark", self.dark)):
            if spectrum is not None:
                document[name] = shown(name, spectrum)
        return document

    def corrections(self, metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what was corrected, JSON-ready, with what metadata tell of it; empty when that is not known."""
        return [] if self.means is None else [one._asdict() for one in self.means.corrections(metadata, self.warnings)]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One stored revision of an entry's analysis, overrides applied."""

    data_id: str
    revision: int
    made_at_utc: datetime
    analysis: Analysis
    metadata: Mapping[str, Any]
    orphaned: tuple[Override, ...] = ()

    @property
    def result_id(self) -> str:
        """Identifier shown as ``id``: ``oes_001`` for the first revision."""
        return f"oes_{self.revision:03d}"

    def to_api(self, numbers: Callable[[str, FloatArray], Any] | None = None) -> dict[str, Any]:
        """Return the GET /oes document of this revision; ``numbers`` as :meth:`Analysis.to_api` takes it."""
        metadata = dict(self.metadata)
        if self.orphaned:
            metadata["orphaned_overrides"] = [o.as_dict() for o in self.orphaned]
        return self.analysis.to_api(
            data_id=self.data_id,
            result_id=self.result_id,
            last_updated=self.made_at_utc,
            metadata=metadata,
            numbers=numbers,
        )


@dataclass(frozen=True, slots=True)
class Override:
    """A person's assignment, anchored to physics and not to a peak's number: it survives reprocessing."""

    data_id: str
    peak_id: str
    wavelength_nm: float
    wavelength_sigma_nm: float
    candidate_key: str
    element: str
    made_at_utc: datetime

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form for people and the API."""
        return {
            "peak_id": self.peak_id,
            "wavelength_nm": self.wavelength_nm,
            "candidate_key": self.candidate_key,
            "element": self.element,
            "made_at": utc_text(self.made_at_utc),
        }


def _json_numbers(_: str, values: FloatArray) -> list[float | None]:
    numbers: list[float | None] = values.tolist()
    if not np.isfinite(values).all():
        numbers = [x if x is not None and np.isfinite(x) else None for x in numbers]
    return numbers
