"""An analysis as bytes in and bytes out says what the engine says, bit for bit."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from tests.daemon.web import spectra

from oesd.engine.analyze import analyze_measurement
from oesd.model import ConstraintMode, Kind, Measurement, Recipe
from oesd.processing.doing import do
from oesd.processing.file_jobs import pack_file_job, read_file_answer
from oesd.processing.jobs import BadAnswer, OtherVersion, pack_job, read_answer
from oesd.store.analysis_form import pack_analysis
from oesd.store.bundle import pack_bundle, unpack_bundle


def measurement(seed: int = 1, **changes: object) -> Measurement:
    device = spectra.device()
    sample, dark = spectra.capture(device, seed=seed), spectra.capture(device, Kind.DARK)
    return replace(Measurement.from_captures(sample, dark), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(ConstraintMode.INCLUDE, ("Cu",), ambient=("Ar",), search_nm=1.0)])
def test_a_worker_says_what_the_engine_says(recipe: Recipe) -> None:
    measured = measurement(nonlinearity=(1.0, 1e-7), short=np.full(2048, 3.0), short_integration_us=1000)
    said = read_answer(do(pack_job(measured, recipe)), measured)
    assert not isinstance(said, str)
    assert (
        pack_analysis(said, measured).content == pack_analysis(analyze_measurement(measured, recipe), measured).content
    )
    assert said.recipe == recipe


def test_the_same_job_gives_the_same_bytes() -> None:
    job = pack_job(measurement(), Recipe())
    assert do(job) == do(job)


def test_a_refused_spectrum_is_a_sentence() -> None:
    measured = measurement(wavelengths_nm=np.zeros(2048))
    assert "increasing" in str(read_answer(do(pack_job(measured, Recipe())), measured))


def test_a_worker_of_another_version_says_so() -> None:
    measured = measurement()
    about, arrays = unpack_bundle(pack_job(measured, Recipe())[1:])
    answer = do(b"M" + pack_bundle({**about, "versions": ["99", "other"]}, arrays))
    with pytest.raises(OtherVersion, match="not engine 99, lines other"):
        read_answer(answer, measured)


@pytest.mark.parametrize("answer", [b"", b"A", b"Axyz", b"Z", b"R\xff"])
def test_an_answer_that_makes_no_sense_is_refused(answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_answer(answer, measurement())
    with pytest.raises(BadAnswer):
        read_file_answer(answer)


def test_a_file_is_read_and_analysed_in_one_go() -> None:
    measured = measurement()
    rows = zip(measured.wavelengths_nm, measured.sample, strict=True)
    data = "\n".join(f"{nm:.3f},{counts:.1f}" for nm, counts in rows).encode()
    answer = read_file_answer(do(pack_file_job(data, "lamp.csv", Recipe())))
    assert answer.spectrum is not None
    assert answer.analysis is not None
    assert {found.element for found in answer.analysis.elements} >= {"Ar"}
    again = analyze_measurement(answer.spectrum.measurement, Recipe())
    content = [pack_analysis(a, answer.spectrum.measurement).content for a in (answer.analysis, again)]
    assert content[0] == content[1]


def test_a_file_without_a_spectrum_is_a_sentence() -> None:
    answer = read_file_answer(do(pack_file_job(b"\x00\x01", "x.bin", Recipe())))
    assert answer.unreadable
    assert answer.spectrum is None


def test_every_field_of_a_measurement_travels(tmp_path: Path) -> None:
    """Two measurements that differ in one field only make different jobs."""
    plain = measurement()
    job = pack_job(plain, Recipe())
    for field in fields(Measurement):
        value = getattr(plain, field.name)
        other = value + 1 if isinstance(value, np.ndarray | int | float) and not isinstance(value, bool) else ("other",)
        if isinstance(value, np.ndarray) and value.dtype == np.bool_:
            other = ~value
        assert pack_job(replace(plain, **{field.name: other}), Recipe()) != job, field.name
