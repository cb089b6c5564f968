"""Spectra, analyses and captures made by hand: what the engine would say of an argon plasma that sputters copper."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from oesd.model import (
    Analysis,
    Candidate,
    Capture,
    Device,
    ElementFinding,
    Entry,
    FloatArray,
    Kind,
    Measurement,
    Peak,
    Recipe,
    SpectrumFile,
    new_id,
)
from oesd.store import Store

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
ARGON = {
    696.54: 9.0, 706.72: 7.5, 714.70: 0.9, 727.29: 2.4, 738.40: 9.1, 750.39: 22.0, 751.47: 14.0, 763.51: 30.0,
    772.38: 12.5, 794.82: 9.0, 800.62: 10.5, 801.48: 9.8, 810.37: 13.0, 811.53: 21.0, 826.45: 8.4, 840.82: 8.6,
    842.46: 10.1, 852.14: 4.9,
}  # fmt: skip
COPPER = {324.75: 11.0, 327.40: 7.0, 510.55: 4.1, 515.32: 5.2, 521.82: 8.8}
ALUMINIUM = {308.22: 2.2, 309.27: 3.6, 394.40: 8.2, 396.15: 13.0}
UNNAMED = {430.0: 0.6, 656.3: 1.9}
LINES = {"Ar": ARGON, "Cu": COPPER, "Al": ALUMINIUM, None: UNNAMED}


def device(name: str = "chamber-a", *, serial: str = "USB2+F01234", pixels: int = 2048) -> Device:
    return Device(
        serial=serial,
        name=name,
        model="USB2000+",
        wavelengths_nm=np.linspace(196.0, 870.0, pixels),
        saturation_counts=65_535,
        simulated=True,
    )


def counts(wavelengths_nm: FloatArray, seed: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    light = 120.0 * np.exp(-0.5 * ((wavelengths_nm - 600.0) / 140.0) ** 2)
    for lines in LINES.values():
        for nm, height in lines.items():
            light = light + 1500.0 * height * np.exp(-0.5 * ((wavelengths_nm - nm) / 0.62) ** 2)
    return np.round(light + 1480.0 + rng.normal(0.0, 14.0, wavelengths_nm.size))


def capture(dev: Device, kind: Kind = Kind.SAMPLE, *, seed: int = 1, sequence: int = 0) -> Capture:
    level = counts(dev.wavelengths_nm, seed) if kind is Kind.SAMPLE else np.full(dev.pixels, 1480.0)
    return Capture(
        record_id=new_id(),
        device=dev,
        kind=kind,
        run_id=new_id(),
        sequence=sequence,
        slot=sequence,
        taken_at_utc=datetime.now(UTC),
        monotonic_ns=1,
        boot_id="boot",
        integration_us=20_000,
        scans=2,
        boxcar_half_width_px=0,
        counts_sum=(level * 2).astype(np.uint32),
        saturated=np.zeros(dev.pixels, np.bool_),
        detector_temperature_c=21.4,
    )


def peak(peak_id: str, nm: float, element: str | None, height: float) -> Peak:
    keys = [(element, nm), ("Fe", nm + 0.2), ("W", nm - 0.3)] if element else [("Fe", nm + 0.2)]
    found = tuple(
        Candidate(f"{symbol}_{at:.1f}", symbol, 1, round(at, 2), p)
        for (symbol, at), p in zip(keys, (0.97, 0.02, 0.01), strict=False)
        if symbol
    )
    return Peak(
        peak_id=peak_id,
        wavelength_nm=nm,
        wavelength_sigma_nm=0.02,
        center_px=(nm - 196.0) / 674.0 * 2047,
        fwhm_nm=1.46,
        snr=height * 1500 / 14,
        intensity=height * 1500,
        area=height * 2200,
        element=element,
        probability=0.97 if element else 0.0,
        manual=False,
        candidates=found,
        saturated=height > 25,
        blended=nm in (750.39, 751.47),
    )


def analysis(wavelengths_nm: FloatArray, sample: FloatArray, *, dark: FloatArray | None = None) -> Analysis:
    known = sorted((nm, element, height) for element, lines in LINES.items() for nm, height in lines.items()
                   if wavelengths_nm[0] <= nm <= wavelengths_nm[-1])  # fmt: skip
    return Analysis(
        wavelengths_nm=wavelengths_nm,
        sample=sample,
        dark=dark,
        scope_corrected=sample - (0.0 if dark is None else dark),
        elements=(ElementFinding("Ar", 0.9996), ElementFinding("Cu", 0.993), ElementFinding("Al", 0.984)),
        detected_peaks=tuple(peak(f"p{i}", *values) for i, values in enumerate(known, start=1)),
        recipe=Recipe(),
        line_table_version="test-1",
        engine_version="test-1",
    )


def store_spectrum(store: Store, dev: Device, *, seed: int = 1, processed: bool = True) -> str:
    """One sample with its dark, as an entry; returns its data id."""
    dark, sample = capture(dev, Kind.DARK), capture(dev, seed=seed)
    store.save_capture(dark, None, upload=False).result()
    entry = Entry(new_id(), sample.record_id, dark.record_id, None, "latest of this exposure", "none taken", NOW)
    store.save_capture(sample, entry, upload=True).result()
    if processed:
        metadata = {"serial": dev.serial, "integration_us": 20_000, "scans": 2, "detector_temperature_c": 21.4}
        made = analysis(dev.wavelengths_nm, sample.counts, dark=dark.counts)
        store.save_result(entry.data_id, made, metadata).result()
    return entry.data_id


def file_bytes(record_id: str = "", *, seed: int = 1, note: str = "") -> bytes:
    """A spectrum as a little text file."""
    axis = np.linspace(300.0, 860.0, 400)
    rows = "\n".join(f"{nm:.3f}\t{value:.0f}" for nm, value in zip(axis, counts(axis, seed), strict=True))
    return f"record: {record_id}\nnote: {note}\n{rows}\n".encode()


def parse(data: bytes, filename: str) -> SpectrumFile:
    """Read :func:`file_bytes`; ValueError for anything else."""
    if not data.startswith(b"record: "):
        raise ValueError(f"{filename or 'the file'} is no spectrum:\nno header")
    lines = data.decode().splitlines()
    table = np.array([[float(x) for x in line.split("\t")] for line in lines[2:]])
    header: Mapping[str, str] = {"note": lines[1].removeprefix("note: ")}
    spectrum = Measurement(wavelengths_nm=table[:, 0], sample=table[:, 1])
    return SpectrumFile("test", spectrum, metadata=header, record_id=lines[0].removeprefix("record: "))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
