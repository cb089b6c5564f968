"""Captures, entries, analyses and files to store, from seeds; and what it means that two of them are the same."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import numpy as np

from oesd.model import (
    Ambiguity,
    Analysis,
    AxisCorrection,
    Candidate,
    Capture,
    Device,
    ElementFinding,
    Entry,
    Kind,
    LineSpread,
    Loss,
    Means,
    Measurement,
    Peak,
    Recipe,
    SpectrumFile,
    new_id,
)
from oesd.store import Store

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
PIXELS = 2048


def device(name: str = "chamber-a", pixels: int = PIXELS, **changes: Any) -> Device:
    values: dict[str, Any] = {
        "serial": "USB2+\x1b[2J\n",
        "name": name,
        "model": "USB2000+",
        "wavelengths_nm": 200.0 + np.arange(pixels) * 0.33 - np.arange(pixels) ** 2 * 1.1e-5,
        "saturation_counts": 65535,
        "nonlinearity": (1.0, -1e-7, 2.5e-12),
        "electric_dark_pixels": (0, 1, 2),
        "integration_min_us": 1000,
        "integration_max_us": 10_000_000,
        "simulated": True,
    }
    return Device(**{**values, **changes})


def capture(kind: Kind = Kind.SAMPLE, seed: int = 0, of: Device | None = None, **changes: Any) -> Capture:
    rng = np.random.default_rng(seed)
    of = device() if of is None else of
    light = np.zeros(of.pixels)
    if kind is not Kind.DARK:
        for centre in rng.uniform(0, of.pixels, 40):
            light += rng.uniform(0, 20_000) * np.exp(-0.5 * ((np.arange(of.pixels) - centre) / 1.8) ** 2)
    counts = np.rint(1500 + light + rng.normal(0, 9, of.pixels)).clip(0).astype(np.uint32)
    values: dict[str, Any] = {
        "record_id": new_id(),
        "device": of,
        "kind": kind,
        "run_id": "run-1",
        "sequence": seed,
        "slot": seed,
        "taken_at_utc": NOW,
        "monotonic_ns": 123_456_789_012 + seed,
        "boot_id": "boot",
        "integration_us": 100_000,
        "scans": 3,
        "boxcar_half_width_px": 0,
        "counts_sum": counts,
        "saturated": counts > 20_000,
        "detector_temperature_c": -10.25,
        "labels": {"growth": "Ga₂O₃ #7"},
    }
    return Capture(**{**values, **changes})


def entry(sample: Capture, dark: Capture | None = None, reference: Capture | None = None) -> Entry:
    return Entry(
        data_id=new_id(),
        sample_id=sample.record_id,
        dark_id=None if dark is None else dark.record_id,
        reference_id=None if reference is None else reference.record_id,
        dark_reason="latest of 100 ms",
        reference_reason="",
        created_at_utc=NOW,
    )


def stored_entry(store: Store, seed: int = 0, *, upload: bool = True, of: Device | None = None) -> Entry:
    """A sample with a dark, stored; its entry."""
    dark, sample = capture(Kind.DARK, seed + 1000, of), capture(Kind.SAMPLE, seed, of)
    made = entry(sample, dark)
    store.save_capture(dark, None, upload=False).result(10)
    store.save_capture(sample, made, upload=upload).result(10)
    return made


def peak(wavelength_nm: float, element: str | None = "Ga", peak_id: str = "p1", **changes: Any) -> Peak:
    symbols = [element or "Ga", "Ar", "Fe"]
    candidates = tuple(
        Candidate(f"{symbol}_{wavelength_nm + shift:.1f}", symbol, 1, round(wavelength_nm + shift, 4), share)
        for symbol, shift, share in zip(symbols, (0.0, 0.1, -0.2), (0.7, 0.2, 0.1), strict=True)
    )
    values: dict[str, Any] = {
        "peak_id": peak_id,
        "wavelength_nm": wavelength_nm,
        "wavelength_sigma_nm": 0.01,
        "center_px": round((wavelength_nm - 200) / 0.33, 3),
        "fwhm_nm": 1.2,
        "snr": 55.5,
        "intensity": 1234.567,
        "area": 1500.25,
        "element": element,
        "probability": 0.7,
        "manual": False,
        "candidates": candidates,
    }
    return Peak(**{**values, **changes})


def analysis(measurement: Measurement, wavelengths_nm: tuple[float, ...] = (294.4, 417.2), **changes: Any) -> Analysis:
    dark = np.zeros_like(measurement.sample) if measurement.dark is None else measurement.dark
    peaks = tuple(peak(nm, peak_id=f"p{k}") for k, nm in enumerate(wavelengths_nm, start=1))
    values: dict[str, Any] = {
        "wavelengths_nm": measurement.wavelengths_nm,
        "sample": measurement.sample,
        "dark": measurement.dark,
        "reference": measurement.reference,
        "scope_corrected": np.round(measurement.sample - dark, 3),
        "elements": (ElementFinding("Ga", 0.97),),
        "detected_peaks": peaks,
        "recipe": Recipe(),
        "line_table_version": "lines-1",
        "engine_version": "engine-1",
        "warnings": ("a warning",),
        "molecules": (ElementFinding("N2", 0.99),),
        "means": Means.of(measurement),
        "ambiguous": (Ambiguity(("In", "H"), (410.2,)),),
        "line_spread": LineSpread((250.0, 500.0, 750.0), (1.1, 1.2, 1.4), (0.02, 0.01, 0.03), 0.05, 17),
        "axis": AxisCorrection(0.2137, 1.5e-4, 540.0, 0.012, True),
    }
    return Analysis(**{**values, **changes})


def processed(store: Store, data_id: str, wavelengths_nm: tuple[float, ...] = (294.4, 417.2), **changes: Any) -> Any:
    """Analyse an entry and store the result."""
    measured = store.measurement(data_id)
    assert measured is not None
    return store.save_result(data_id, analysis(measured, wavelengths_nm, **changes), {"run": "7"}).result(10)


def spectrum_file(seed: int = 0, pixels: int = 300, **changes: Any) -> SpectrumFile:
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {
        "format": "SpectraSuite",
        "measurement": Measurement(
            wavelengths_nm=np.sort(rng.uniform(200, 900, pixels)),
            sample=rng.normal(1000, 30, pixels),
            dark=rng.normal(900, 30, pixels),
            integration_us=10_000,
            saturation_counts=65535.0,
            saturated=rng.random(pixels) < 0.01,
            nonlinearity=(1.0, 1e-6),
        ),
        "processed": rng.normal(100, 5, pixels),
        "metadata": {
            "device_name": "chamber-b",
            "model": "HR4000",
            "taken_at": "2013-02-03T04:05:06Z",
            "simulated": "true",
        },
        "record_id": "rec-7",
        "warnings": ("no reference",),
    }
    return SpectrumFile(**{**values, **changes})


def loss(reason: str = "overrun", slots: int = 1, kind: Kind = Kind.SAMPLE) -> Loss:
    return Loss("chamber-a", "run-1", kind, 7, slots, reason, "the exposure took longer than the slot", NOW)


def same(one: Any, other: Any) -> bool:
    """Whether two values of the model are equal, arrays and values inside them included."""
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f")) and one.dtype == other.dtype
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one) if field.compare]
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in names)
    return bool(one == other)
