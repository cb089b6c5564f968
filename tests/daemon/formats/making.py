"""Values that the tests of this room are made of, and strategies that draw them."""

import dataclasses
import string
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oesd.model import (
    Analysis,
    Candidate,
    Capture,
    Device,
    ElementFinding,
    Entry,
    Kind,
    Measurement,
    ModelledDark,
    Peak,
    Recipe,
    Result,
    RunRecord,
    new_id,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def make_device(pixels=16, **changes):
    device = Device(
        serial="OES00001",
        name="usb2000-1",
        model="USB2000+",
        wavelengths_nm=np.linspace(350.0, 1000.0 / 3, pixels)[::-1].copy(),
        saturation_counts=65535,
        nonlinearity=(0.98, 1.2e-6, -3.4e-11),
        electric_dark_pixels=(2, 3, 4, 6),
        integration_min_us=1000,
        integration_max_us=655350000,
        simulated=True,
    )
    return dataclasses.replace(device, **changes)


def make_capture(kind=Kind.SAMPLE, device=None, scans=3, seed=1, **changes):
    device = device or make_device()
    rng = np.random.default_rng(seed)
    capture = Capture(
        record_id=new_id(1_700_000_000_000_000_000 + seed),
        device=device,
        kind=kind,
        run_id="run-1",
        sequence=7,
        slot=5,
        taken_at_utc=NOON,
        monotonic_ns=123_456_789,
        boot_id="boot",
        integration_us=100_000,
        scans=scans,
        boxcar_half_width_px=2,
        counts_sum=rng.integers(0, 65536 * scans, device.pixels).astype(np.uint32),
        saturated=rng.random(device.pixels) > 0.8,
    )
    return dataclasses.replace(capture, **changes)


def make_run(cause):
    return RunRecord("run-1", "usb2000-1", 1_000_000, True, NOON, 0, "boot", cause=cause)


def make_modelled(counts, mask, version="law 1"):
    return ModelledDark(
        record_id=new_id(),
        serial="OES00001",
        device_model="USB2000+",
        simulated=True,
        integration_us=100_000,
        temperature_c=21.5,
        counts=counts,
        sigma=np.ones(16, np.float32),
        saturated=mask,
        darks=7,
        last_dark_id="last",
        version=version,
        made_at_utc=NOON,
    )


def make_entry(sample, dark=None, reference=None, short=None):
    return Entry(
        data_id=new_id(),
        sample_id=sample.record_id,
        dark_id=dark and dark.record_id,
        reference_id=reference and reference.record_id,
        dark_reason="same integration time, 12 s old" if dark else "no dark at 100 ms",
        reference_reason="none asked for",
        created_at_utc=NOON + timedelta(seconds=1),
        short_id=short and short.record_id,
    )


def make_result(sample, data_id="d"):
    peak = Peak(
        *("p1", 345.6789, 0.0031, 8.25, 0.412, 55.5, 1234.5, 600.25, "Ar", 0.987, True),
        candidates=(Candidate("Ar_345.7", "Ar", 1, 345.678, 0.987),),
    )
    analysis = Analysis(
        wavelengths_nm=sample.device.wavelengths_nm,
        sample=sample.counts,
        scope_corrected=(sample.counts - 100.0).round(3),
        elements=(ElementFinding("Ar", 0.999),),
        detected_peaks=(peak,),
        recipe=Recipe(),
        line_table_version="table 1",
        engine_version="engine 1",
        warnings=("one pixel is saturated",),
    )
    return Result(data_id, 2, NOON, analysis, {"note": "x"})


def assert_same_measurement(found, expected):
    for field in dataclasses.fields(Measurement):
        mine, theirs = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(theirs, np.ndarray):
            assert np.array_equal(mine, theirs), field.name
        else:
            assert mine == theirs, field.name


text = st.text(max_size=20)
small = st.floats(-1e9, 1e9, allow_nan=False)


@st.composite
def captures_of_one_device(draw):
    pixels = draw(st.integers(1, 24))
    steps = draw(st.lists(st.floats(1e-6, 5.0), min_size=pixels, max_size=pixels))
    device = make_device(
        serial=draw(text),
        name=draw(st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=64)),
        model=draw(text),
        wavelengths_nm=150.0 + np.cumsum(np.array(steps)),
        saturation_counts=draw(st.integers(1, 10**7)),
        nonlinearity=tuple(draw(st.lists(small, max_size=8))),
        electric_dark_pixels=tuple(sorted(draw(st.sets(st.integers(0, pixels - 1))))),
        dead_pixels=tuple(sorted(draw(st.sets(st.integers(0, pixels - 1))))),
        stray_light=tuple(draw(st.lists(small, max_size=3))),
        simulated=draw(st.booleans()),
        calibrated=draw(st.booleans()),
    )
    return [draw(a_capture(device, kind)) for kind in (Kind.SAMPLE, Kind.DARK, Kind.REFERENCE, Kind.SAMPLE)]


@st.composite
def a_capture(draw, device, kind):
    sums = st.lists(st.integers(0, 2**32 - 1), min_size=device.pixels, max_size=device.pixels)
    mask = st.lists(st.booleans(), min_size=device.pixels, max_size=device.pixels)
    optional = st.none() | small
    return make_capture(
        kind,
        device,
        scans=draw(st.integers(1, 10**7)),
        run_id=draw(text),
        sequence=draw(st.integers(0, 10**9)),
        slot=draw(st.integers(-1, 10**9)),
        monotonic_ns=draw(st.integers(0, 10**18)),
        boot_id=draw(text),
        integration_us=draw(st.integers(1, 10**9)),
        boxcar_half_width_px=draw(st.integers(0, 100)),
        counts_sum=np.array(draw(sums), dtype=np.uint32),
        saturated=np.array(draw(mask), dtype=np.bool_),
        detector_temperature_c=draw(optional),
        board_temperature_c=draw(optional),
        clock_offset_ms=draw(optional),
        clock_bound_ms=draw(optional),
        labels=draw(st.dictionaries(text, text, max_size=3)),
        spread=draw(
            st.none() | arrays(np.float32, device.pixels, elements=st.floats(0.0, width=32, allow_infinity=False))
        ),
    )
