"""The ``spectral_metadata`` of an entry: what the API and the files tell beside the spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from oesd.formats import LABEL
from oesd.model import Capture, Entry, Measurement, ModelledDark, RunRecord, SpectrumFile
from oesd.store.known_metadata import sample_metadata
from oesd.version import __version__


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
    """Tell what a file's header says of its spectrum."""
    measured, header = spectrum.measurement, spectrum.metadata
    short_id = header.get("short_id", "")
    return {
        **header,
        "format": spectrum.format,
        "record_id": spectrum.record_id,
        "integration_us": measured.integration_us,
        "scans": measured.scans,
        "labels": {name.removeprefix(LABEL): text for name, text in header.items() if name.startswith(LABEL)},
        **({} if measured.short is None else {"bracket": _bracket(short_id, measured)}),
        "oesd_version": __version__,
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
