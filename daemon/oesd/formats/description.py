"""All that is known of an entry beside its numbers, as ordered header lines; both of our forms carry them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from oesd.formats.parts import Parts
from oesd.formats.ranges import mask_text, ranges_text
from oesd.formats.widths import HEADER as WIDTHS_KNOWN
from oesd.formats.widths import widths_text
from oesd.model import Analysis, Capture, Device, Entry, ModelledDark, Peak, Result
from oesd.model.modelled import PARTS_PER_COUNT

FORMAT_VERSION = "1"
LABEL = "Label "
Lines = Iterator[tuple[str, str]]


def describe(parts: Parts) -> dict[str, str]:
    """Header lines as key and value, unescaped, in the order in which they are written.

    The first ones are spelled as SpectraSuite and Jaz spell them, so that their readers find what they know.
    """
    entry, sample, result = parts.entry, parts.sample, parts.result
    return dict(
        [
            *_as_the_vendor(parts),
            *_identity(entry, sample),
            *(() if parts.run is None else _known_text(("Run Cause", parts.run.cause))),
            *_device(sample.device),
            *_exposure(sample),
            ("Dark Reason", entry.dark_reason),
            *_dark(parts.dark),
            ("Reference Reason", entry.reference_reason),
            *_other("Reference", parts.reference),
            *_other("Short", parts.short),
            *((f"{LABEL}{name}", value) for name, value in sample.labels.items()),
            *(result_lines(result) if result is not None else ()),
        ]
    )


def _as_the_vendor(parts: Parts) -> Lines:
    sample, serial = parts.sample, parts.sample.device.serial
    yield "Date", sample.taken_at_utc.astimezone(UTC).strftime("%a %b %d %H:%M:%S GMT %Y")
    yield "User", "oesd"
    yield "Dark Spectrum Present", _yes(parts.dark is not None)
    yield "Reference Spectrum Present", _yes(parts.reference is not None)
    yield "Processed Spectrum Present", "Yes"
    yield "Spectrometers", serial
    yield "Integration Time (usec)", f"{sample.integration_us} ({serial})"
    yield "Spectra Averaged", f"{sample.scans} ({serial})"
    yield "Boxcar Smoothing", f"0 ({serial})"
    yield "Correct for Electrical Dark", f"No ({serial})"
    yield "Correct for Detector Non-linearity", f"No ({serial})"
    yield "Correct for Stray Light", f"No ({serial})"
    yield "Number of Pixels in Processed Spectrum", str(sample.device.pixels)


def _identity(entry: Entry, sample: Capture) -> Lines:
    yield "oesd Format", FORMAT_VERSION
    yield (
        "Columns",
        "W air nm; D, R, S mean raw counts of one scan; P sample - dark, linearised where the result says so; "
        "B mean raw counts of the shorter exposure; N, M standard deviation of the scans of sample and dark (of a "
        "modelled dark its sigma)",
    )
    yield "Record ID", sample.record_id
    yield "Data ID", entry.data_id
    yield "Entry Made At (UTC)", moment_text(entry.created_at_utc)
    yield "Kind", sample.kind.value
    yield "Simulated", _yes(sample.device.simulated)
    yield "Run ID", sample.run_id
    yield "Sequence", str(sample.sequence)
    yield "Slot", str(sample.slot)
    yield "Taken At (UTC)", moment_text(sample.taken_at_utc)
    yield "Monotonic (ns)", str(sample.monotonic_ns)
    yield "Boot ID", sample.boot_id
    yield from _known(("Clock Offset (ms)", sample.clock_offset_ms), ("Clock Bound (ms)", sample.clock_bound_ms))


def _device(device: Device) -> Lines:
    yield "Device Name", device.name
    yield "Model", device.model
    yield "Serial Number", device.serial
    yield "Wavelength Calibrated", _yes(device.calibrated)
    yield "Saturation Level (counts)", str(device.saturation_counts)
    yield "Nonlinearity Coefficients", " ".join(map(repr, map(float, device.nonlinearity))) or "none"
    yield "Electric Dark Pixels", ranges_text(device.electric_dark_pixels)
    yield from _known_text(
        ("Dead Pixels", ranges_text(device.dead_pixels) if device.dead_pixels else ""),
        ("Stray Light", " ".join(map(repr, map(float, device.stray_light)))),
    )
    yield "Integration Limits (usec)", f"{device.integration_min_us}-{device.integration_max_us}"


def _exposure(sample: Capture) -> Lines:
    yield "Integration (usec)", str(sample.integration_us)
    yield "Scans", str(sample.scans)
    yield "Boxcar Half Width (px)", str(sample.boxcar_half_width_px)
    yield "Saturated Pixels", mask_text(sample.saturated)
    yield from _known(
        ("Detector Temperature (C)", sample.detector_temperature_c),
        ("Board Temperature (C)", sample.board_temperature_c),
    )


def _dark(dark: Capture | ModelledDark | None) -> Lines:
    if not isinstance(dark, ModelledDark):
        yield from _other("Dark", dark)
        return
    yield "Dark Model ID", dark.record_id
    yield "Dark Modelled From", f"{dark.darks} darks up to {dark.last_dark_id}, {dark.version}"
    yield "Dark Integration (usec)", str(dark.integration_us)
    yield "Dark Parts Per Count", str(PARTS_PER_COUNT)
    yield "Dark Saturated Pixels", mask_text(dark.saturated)


def _other(role: str, capture: Capture | None) -> Lines:
    """Lines of the dark, the reference or the shorter exposure."""
    if capture is None:
        return
    yield f"{role} Record ID", capture.record_id
    yield f"{role} Taken At (UTC)", moment_text(capture.taken_at_utc)
    yield f"{role} Integration (usec)", str(capture.integration_us)
    yield f"{role} Scans", str(capture.scans)
    yield f"{role} Saturated Pixels", mask_text(capture.saturated)


def result_lines(result: Result) -> Lines:
    """What was found: versions, elements, peaks, warnings."""
    analysis = result.analysis
    yield "Result Revision", str(result.revision)
    yield "Result Made At (UTC)", moment_text(result.made_at_utc)
    yield "Engine Version", analysis.engine_version
    yield "Line Table Version", analysis.line_table_version
    yield "Constraint", _constraint(analysis)
    if analysis.recipe.line_spread is not None:
        yield WIDTHS_KNOWN, widths_text(analysis.recipe.line_spread)
    yield "Elements", ", ".join(f"{e.element} {e.probability:.3f}" for e in analysis.elements) or "none"
    yield "Peaks", str(len(analysis.detected_peaks))
    yield from ((f"Peak {peak.peak_id}", _peak(peak)) for peak in analysis.detected_peaks)
    yield from ((f"Warning {i}", text) for i, text in enumerate(analysis.warnings, start=1))


def _constraint(analysis: Analysis) -> str:
    return " ".join([analysis.recipe.constraint.value, *analysis.recipe.elements])


def _peak(peak: Peak) -> str:
    named = f"{peak.element or 'unnamed'}{' (by hand)' if peak.manual else ''} {peak.probability:.3f}"
    key = peak.candidate_key or (peak.candidates[0].candidate_key if peak.candidates else "")
    likely = f", {key}" if key else ""
    return (
        f"{peak.wavelength_nm:.4f} nm, sigma {peak.wavelength_sigma_nm:.4f} nm, FWHM {peak.fwhm_nm:.3f} nm, "
        f"SNR {peak.snr:.1f}, height {peak.intensity:.2f}, area {peak.area:.3f}, {named}{likely}"
    )


def _known_text(*lines: tuple[str, str]) -> Lines:
    return ((name, text) for name, text in lines if text)


def _known(*lines: tuple[str, float | None]) -> Lines:
    return ((name, repr(float(value))) for name, value in lines if value is not None)


def _yes(truth: bool) -> str:
    return "Yes" if truth else "No"


def moment_text(when: datetime) -> str:
    """ISO 8601 in UTC with all its microseconds."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
