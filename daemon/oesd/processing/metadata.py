"""The ``spectral_metadata`` of an entry: what the API and the files tell beside the spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oesd.model import Capture, Entry, SpectrumFile, utc_text
from oesd.version import __version__


def capture_metadata(sample: Capture) -> Mapping[str, Any]:
    """Tell where, when and how a sample was taken."""
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
        "labels": dict(sample.labels),
    }


def file_metadata(spectrum: SpectrumFile) -> dict[str, Any]:
    """Tell what a file's header says of its spectrum."""
    measured = spectrum.measurement
    return {
        **spectrum.metadata,
        "format": spectrum.format,
        "record_id": spectrum.record_id,
        "integration_us": measured.integration_us,
        "scans": measured.scans,
        "oesd_version": __version__,
    }


def choice_metadata(entry: Entry) -> Mapping[str, Any]:
    """Tell which dark and reference were chosen, and why."""
    return {
        "dark_id": entry.dark_id,
        "dark_reason": entry.dark_reason,
        "reference_id": entry.reference_id,
        "reference_reason": entry.reference_reason,
    }
