"""A spectrum as a live picture shows it: what is under ``event: spectrum`` of GET /events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from oesd.model import FloatArray, Result
from oesd.store import Store
from oesd.store.newest import device_names
from oesd.web.thinning import envelope

_LOOK_BACK = 25  # entries that may wait for the engine before a spectrometer counts as one without a result


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The newest spectrum of a spectrometer with what was found in it.

    Attributes
    ----------
    baseline : (pixels,) float64 or None
        The continuum under the lines; None when the engine is not at hand (a spectrum of before the start).
    """

    device: str
    result: Result
    baseline: FloatArray | None

    def document(self, points: int) -> dict[str, Any]:
        """JSON-ready but for its arrays, thinned to ``points`` (0: all of them)."""
        analysis, about = self.result.analysis, self.result.metadata
        kept = envelope(analysis.scope_corrected, points)
        return {
            "data_id": self.result.data_id,
            "revision": self.result.revision,
            "device": self.device,
            "taken_at_utc": about.get("taken_at"),
            "sequence": about.get("sequence"),
            "run_id": about.get("run_id"),
            "labels": about.get("labels", {}),
            "wavelengths_nm": np.round(analysis.wavelengths_nm[kept], 3),
            "scope_corrected": np.round(analysis.scope_corrected[kept], 2),
            "baseline": None if self.baseline is None else np.round(self.baseline[kept], 2),
            "integration_us": about.get("integration_us"),
            "saturated": bool(about.get("saturated_pixels")),
            "simulated": bool(about.get("simulated")),
            "peaks": [peak.as_dict() for peak in analysis.detected_peaks],
            "elements": [finding.as_dict() for finding in analysis.elements],
            "molecules": [finding.as_dict() for finding in analysis.molecules],
            "ambiguous": [one.as_dict() for one in analysis.ambiguous],
            "metadata": {
                "scans": about.get("scans"),
                "saturated_pixels": about.get("saturated_pixels"),
                "detector_temperature_c": about.get("detector_temperature_c"),
                "board_temperature_c": about.get("board_temperature_c"),
                "warnings": list(analysis.warnings),
                "corrections": analysis.corrections(about),
            },
        }


def newest_shown(store: Store) -> Mapping[str, Shown]:
    """Read the newest spectrum with a result of each spectrometer from the store."""
    found = {name: _newest_of(store, name) for name in device_names(store)}
    return {name: shown for name, shown in found.items() if shown is not None}


def newest_stored(store: Store) -> Mapping[str, Shown]:
    """Read the newest spectrum of each spectrometer that is among the last entries: a hub may have hundreds."""
    newest: dict[str, str] = {}
    for entry in store.entries(_LOOK_BACK):
        if entry.revision:
            newest.setdefault(entry.device_name, entry.data_id)
    found = {name: store.result(data_id) for name, data_id in newest.items()}
    return {name: Shown(name, result, None) for name, result in found.items() if result is not None}


def _newest_of(store: Store, device: str) -> Shown | None:
    entries = store.entries(_LOOK_BACK, device_name=device)
    processed = next((entry.data_id for entry in entries if entry.revision), None)
    result = None if processed is None else store.result(processed)
    return None if result is None else Shown(device, result, None)
