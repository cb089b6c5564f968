"""The ``spectral_metadata`` of an entry: what the API and the files tell beside the spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from oesd.formats import LABEL
from oesd.formats.told import beside, darks_of_model, is_capture, named, told_of_capture
from oesd.model import Capture, Entry, Measurement, ModelledDark, RunRecord, SpectrumFile
from oesd.store.files import device_told
from oesd.store.known_metadata import sample_metadata
from oesd.version import __version__

_BOXCAR, _DIGITS = "boxcar_half_width_px", 10


def capture_metadata(sample: Capture, run: RunRecord | None = None, short: Capture | None = None) -> Mapping[str, Any]:
    """Tell where, when and how a sample was taken, in which run, and of its shorter exposure if it is bracketed."""
    return {
        **sample_metadata(sample),
        "cause": "" if run is None else run.cause,
        **(
            {}
            if short is None
            else {"bracket": _bracket(short.record_id, Measurement.from_captures(sample, short=short))}
        ),
    }


def file_metadata(spectrum: SpectrumFile) -> dict[str, Any]:
    """Tell of a file's spectrum what its header says: of one of our own what the daemon that measured it tells.

    ``file_header`` has the header's other lines as they are.
    """
    header = spectrum.metadata
    told = _own_metadata(spectrum) if is_capture(header) else _foreign_metadata(spectrum)
    return {
        **told,
        "format": spectrum.format,
        "file_header": beside(header),
        "oesd_version": __version__,
    }


def _own_metadata(spectrum: SpectrumFile) -> dict[str, Any]:
    """The names of :func:`capture_metadata` and :func:`choice_metadata`, as far as the file tells them."""
    measured, header = spectrum.measurement, spectrum.metadata
    told = told_of_capture(header)
    return {
        "record_id": spectrum.record_id,
        **told,
        "integration_us": measured.integration_us,
        "scans": measured.scans,
        "saturated_pixels": 0 if measured.saturated is None else int(measured.saturated.sum()),
        "labels": _labels(header),
        **({} if measured.short is None else {"bracket": _bracket(header.get("short_id", ""), measured)}),
        **(_modelled_in_file(measured, header) if told["dark_modelled"] else {}),
    }


def _foreign_metadata(spectrum: SpectrumFile) -> dict[str, Any]:
    measured, header = spectrum.measurement, spectrum.metadata
    boxcar = header.get(_BOXCAR, "")  # what was applied before the file was written; the numbers need no more
    return {
        **named(header),
        **({_BOXCAR: int(boxcar)} if boxcar.isascii() and boxcar.isdecimal() and len(boxcar) < _DIGITS else {}),
        "record_id": spectrum.record_id,
        "device": device_told(header),
        "simulated": header.get("simulated", "").lower() in ("yes", "true", "1"),
        "integration_us": measured.integration_us,
        "scans": measured.scans,
        "labels": _labels(header),
        **({} if measured.short is None else {"bracket": _bracket(header.get("short_id", ""), measured)}),
    }


def _labels(header: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(LABEL): text for name, text in header.items() if name.startswith(LABEL)}


def _modelled_in_file(measured: Measurement, header: Mapping[str, str]) -> dict[str, Any]:
    variance = measured.dark_variance
    return {
        "dark_sigma_counts": None if variance is None else round(float(np.sqrt(np.median(variance))), 3),
        "dark_learned_from": darks_of_model(header),
    }


def _bracket(short_id: str, measured: Measurement) -> dict[str, Any]:
    """Tell which shorter exposure stands in for how many saturated pixels."""
    full, full_too = measured.saturated, measured.short_saturated
    replaced = 0 if full is None or full_too is None else int((full & ~full_too).sum())
    return {
        "short_id": short_id,
        "short_integration_us": measured.short_integration_us,
        "replaced_pixels": replaced,
    }


def choice_metadata(entry: Entry, modelled: ModelledDark | None = None) -> Mapping[str, Any]:
    """Tell which dark and reference were chosen, and why; of a modelled dark what it was learned from and its sigma."""
    return {
        "dark_id": entry.dark_id,
        "dark_reason": entry.dark_reason,
        "dark_modelled": modelled is not None,
        **({} if modelled is None else _modelled(modelled)),
        "reference_id": entry.reference_id,
        "reference_reason": entry.reference_reason,
    }


def _modelled(dark: ModelledDark) -> dict[str, Any]:
    return {
        "dark_sigma_counts": round(float(np.median(dark.sigma)), 3),
        "dark_temperature_c": dark.temperature_c,
        "dark_learned_from": dark.darks,
    }
