"""Why a stored result names what it names: its analysis is made again, from the same measurement by the same recipe."""

from __future__ import annotations

from typing import Any

from oesd.engine.analyze import analyze_measurement
from oesd.engine.errors import SpectrumError
from oesd.formats.evidence import evidence_document
from oesd.processing.jobs import Versions, versions
from oesd.store import Store


def explain(store: Store, data_id: str) -> dict[str, Any] | None:
    """Build the GET /oes/{data_id}/evidence document, None when the entry has no result.

    Lines name the peaks of the stored result. ``note`` is a sentence when that was made by another engine, so that the
    evidence need not fit it, and else "".

    Raises
    ------
    StoreError
        When the entry cannot be read.
    """
    result, measurement = store.result(data_id), store.measurement(data_id)
    if result is None or measurement is None:
        return None
    stored, today = Versions.of(result.analysis), versions()
    document = {"data_id": data_id, "id": result.result_id, "result_made_with": str(stored)}
    try:
        analysis = analyze_measurement(measurement, result.analysis.recipe, explain=True)
    except SpectrumError as error:
        return {**document, "note": f"today's engine refuses the spectrum: {error}", "evidence": [], "baseline": None}
    note = "" if stored == today else f"the result was made by {stored}, this is what {today} says: oesd reprocess"
    return {**document, "note": note, **evidence_document(analysis, result.analysis.detected_peaks)}
