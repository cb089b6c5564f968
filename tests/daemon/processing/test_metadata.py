"""What is told of a spectrum: by the daemon that took it and by who has only its file, the same words and types."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from tests.daemon.formats.making import (
    captures_of_one_device,
    make_capture,
    make_device,
    make_entry,
    make_modelled,
    make_result,
    make_run,
    text,
)

from oesd.client import OESResult
from oesd.engine.correction import correct
from oesd.formats import read_spectrum, write_columns, write_document
from oesd.model import Kind, Measurement, SpectrumFile
from oesd.processing.metadata import capture_metadata, choice_metadata, file_metadata

OF_FILES = {"format", "file_header", "oesd_version"}


@pytest.mark.parametrize("write", [write_columns, write_document])
@given(captures=captures_of_one_device(), cause=text)
@settings(max_examples=15)
def test_a_file_tells_what_the_daemon_tells(write, captures, cause):
    sample, dark, _, short = captures
    entry, run = make_entry(sample, dark, None, short), make_run(cause)
    mine = {**capture_metadata(sample, run, short), **choice_metadata(entry)}
    theirs = file_metadata(read_spectrum(write(entry, sample, dark, None, None, short=short, run=run)))
    assert json.dumps({name: theirs[name] for name in mine}, sort_keys=True) == json.dumps(mine, sort_keys=True)
    assert set(theirs) - set(mine) == OF_FILES


def test_a_modelled_dark_and_a_reference_are_told_too():
    sample, white = make_capture(), make_capture(Kind.REFERENCE, seed=3)
    dark = make_modelled(np.full(16, 50.0), np.zeros(16, np.bool_))
    entry = make_entry(sample, dark, white)
    mine = {**capture_metadata(sample), **choice_metadata(entry, dark)}
    theirs = file_metadata(read_spectrum(write_columns(entry, sample, dark, white, None)))
    assert {name: theirs.get(name) for name in mine} == {**mine, "dark_temperature_c": None}  # which no file tells


def test_of_a_header_only_what_nothing_else_tells_is_handed_on():
    sample = make_capture(labels={"sample": "GaN-7"})
    entry = make_entry(sample)
    told = file_metadata(read_spectrum(write_columns(entry, sample, None, None, make_result(sample, entry.data_id))))
    lines = told["file_header"]
    assert lines["Boot ID"] == "boot" and lines["Data ID"] == entry.data_id
    assert not [name for name in lines if name.startswith(("Peak", "Warning", "Label", "Elements", "Columns"))]
    assert told["labels"] == {"sample": "GaN-7"}


@pytest.mark.parametrize("simulated", [True, False])
def test_only_a_virtual_spectrometer_is_called_simulated(simulated):
    sample = make_capture(device=make_device(simulated=simulated))
    told = file_metadata(read_spectrum(write_columns(make_entry(sample), sample, None, None, None)))
    assert told["simulated"] is simulated
    shown = OESResult({"data_id": "d", "wavelengths": [1, 2], "sample": [1, 2], "spectral_metadata": told})
    assert ("SIMULATED" in repr(shown)) is simulated


def test_a_foreign_file_tells_what_its_header_does_and_nothing_made_up():
    header = {
        "User": "Liliane",
        "serial": "USB4C00008",
        "boxcar_half_width_px": "30",
        "taken_at": "2008-01-14T17:36:35",
    }
    measured = Measurement(np.arange(3.0), np.ones(3), integration_us=None)
    told = file_metadata(SpectrumFile("ocean", measured, None, header, "r1"))
    assert (told["device"], told["serial"], told["simulated"]) == ("USB4C00008", "USB4C00008", False)
    assert (told["boxcar_half_width_px"], told["integration_us"], told["file_header"]) == (
        30,
        None,
        {"User": "Liliane"},
    )
    assert "run_id" not in told and "saturated_pixels" not in told


@pytest.mark.parametrize("line", ["Sequence", "Slot", "Dark Modelled From", "Board Temperature (C)", "Taken At (UTC)"])
def test_a_line_that_makes_no_sense_is_not_told(line):
    sample = make_capture(board_temperature_c=20.0)
    file = read_spectrum(write_columns(make_entry(sample), sample, None, None, None))
    header = {**file.metadata, line: "9" * 5000 + "x", "Dark Model ID": "m"}
    told = file_metadata(SpectrumFile(file.format, file.measurement, None, header, "r1"))
    names = {
        "Sequence": "sequence", "Slot": "slot", "Dark Modelled From": "dark_learned_from",
        "Board Temperature (C)": "board_temperature_c", "Taken At (UTC)": "taken_at",
    }  # fmt: skip
    assert told[names[line]] is None


def test_what_is_left_without_dark_is_linearised_with_the_coefficients_that_are_told():
    sample, dark = np.linspace(900.0, 40_000.0, 64), np.full(64, 800.0)
    bent = Measurement(np.linspace(300.0, 320.0, 64), sample, dark=dark, nonlinearity=(0.935, 3.9e-6, -4.2e-11))
    gain = np.polyval(bent.nonlinearity[::-1], sample - dark)
    assert np.allclose(correct(bent).scope_corrected, (sample - dark) / gain)
    assert np.abs(gain - 1.0).max() > 0.03  # which sample - dark would be wrong by
    assert np.allclose(correct(replace(bent, nonlinearity=())).scope_corrected, sample - dark)
