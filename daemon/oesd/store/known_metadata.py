"""Of a result's metadata only what its capture and its entry do not tell is stored with it.

The metadata of a spectrum tell in the words of the API what stands in the capture's row, too. They come back name by
name, in their order; what is told otherwise, or is told by nobody, is kept as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from oesd.model import Capture, Entry, utc_text


def sample_metadata(sample: Capture) -> dict[str, Any]:
    """Where, when and how a sample was taken, in the words of the API; part of the stored form, as their order is."""
    device = sample.device
    return {
        "record_id": sample.record_id,
        "device": device.name,
        "serial": device.serial,
        "model": device.model,
        "simulated": device.simulated,
        "calibrated": device.calibrated,
        "taken_at": utc_text(sample.taken_at_utc),
        "run_id": sample.run_id,
        "sequence": sample.sequence,
        "slot": sample.slot,
        "integration_us": sample.integration_us,
        "scans": sample.scans,
        "boxcar_half_width_px": sample.boxcar_half_width_px,
        "saturation_counts": device.saturation_counts,
        "saturated_pixels": int(sample.saturated.sum()),
        "detector_temperature_c": sample.detector_temperature_c,
        "board_temperature_c": sample.board_temperature_c,
        "cause": "",
        "labels": dict(sample.labels),
    }


def known_metadata(entry: Entry, sample: Capture) -> dict[str, Any]:
    """What capture and entry tell, as the metadata name it."""
    return {
        **sample_metadata(sample),
        "dark_id": entry.dark_id,
        "dark_reason": entry.dark_reason,
        "dark_modelled": False,
        "reference_id": entry.reference_id,
        "reference_reason": entry.reference_reason,
    }


NOT_OF_THE_ENGINE = ("metadata", "known")
"""Names under which :func:`kept_of` keeps metadata."""


def kept_of(metadata: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be stored of metadata: all of it when it cannot be put together again from less."""
    own = {name: value for name, value in metadata.items() if name not in known or not _same(known[name], value)}
    beside = {
        "lacks": [name for name in known if name not in metadata],
        "at": [place for place, name in enumerate(metadata) if name not in known],
    }
    kept = {"metadata": own, "known": {name: values for name, values in beside.items() if values}}
    again = whole_of(kept, known)
    return kept if _same(again, dict(metadata)) else {"metadata": dict(metadata)}


def whole_of(kept: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as they were given."""
    own = kept["metadata"]
    if "known" not in kept:
        return dict(own)
    beside = kept["known"]
    lacking = set(beside.get("lacks", ()))
    names = [name for name in known if name not in lacking]
    for place, name in zip(beside.get("at", ()), [name for name in own if name not in known], strict=True):
        names.insert(place, name)
    return {name: own[name] if name in own else known[name] for name in names}


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same to who reads them: 1, 1.0 and true are not."""
    return json.dumps(one) == json.dumps(other)
