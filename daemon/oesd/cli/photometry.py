"""``oesd photometry``: transmittance, reflectance, absorbance and irradiance of spectrum files and stored entries."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.entries import reached, where
from oesd.cli.errors import fail, printable
from oesd.cli.files import read_file
from oesd.cli.targets import new_file
from oesd.model import is_uuid

if TYPE_CHECKING:
    from oesd.model import IrradianceCalibration, Measurement, Photometric

QUANTITIES = ("transmittance", "reflectance", "absorbance", "irradiance")


@click.command()
@click.argument("source", metavar="FILE|ID|latest")
@click.option("--as", "quantity", type=click.Choice(QUANTITIES), required=True, help="What to make of the counts.")
@click.option("--reference", type=click.Path(path_type=Path), help="Spectrum file of the reference light.")
@click.option("--dark", type=click.Path(path_type=Path), help="Spectrum file with the light blocked.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Vendor's .IrradCal, .cal or .JazIrrad file.")
@click.option("--out", type=click.Path(path_type=Path), help="OUT.csv, OUT.png or OUT.html; CSV to stdout by default.")
@where
def photometry(
    source: str,
    quantity: str,
    reference: Path | None,
    dark: Path | None,
    calibration: Path | None,
    out: Path | None,
    url: str | None,
    data: Path | None,
) -> None:
    """Turn the counts of a spectrum FILE or of stored entry ID into a physical quantity.

    Pixels where the reference is weak, something is saturated or the calibration does not reach have no value. Nothing
    is stored.
    """
    _check(quantity, out, reference, calibration, (Path(source), reference, dark, calibration))
    sample, about = _sample(source, url, data)
    if dark is not None:
        sample, about["Dark"] = _with_dark(sample, dark), _name(dark)
    white = None if reference is None else _reference(reference, sample)
    energy = None if calibration is None else _calibration(calibration)
    told = {"Reference": reference, "Calibration": calibration}
    about |= {name: _name(file) for name, file in told.items() if file is not None}
    if energy is not None:
        about["Calibration SHA256"] = energy.sha256
    made = _made(source, sample, quantity, white, energy)
    for warning in made.warnings:
        click.echo(printable(f"warning: {warning}"), err=True)
    _write(made, about, out)


def _check(
    quantity: str, out: Path | None, reference: Path | None, calibration: Path | None, sources: Sequence[Path | None]
) -> None:
    """Refuse what would be told of the result and is not in it, and to write over what it is made of."""
    if quantity == "irradiance" and reference is not None:
        fail("--reference is for transmittance, reflectance and absorbance: irradiance is not made of one")
    if quantity != "irradiance" and calibration is not None:
        fail(f"--calibration is for irradiance: {quantity} is not made of one")
    for source in sources:
        if source is not None and out is not None and _same(out, source):
            fail(f"--out {out}: the result would be written over what it is made of: name another file")


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False  # no such file: told when it is read


def _sample(source: str, url: str | None, data: Path | None) -> tuple[Measurement, dict[str, str]]:
    """The measurement of a file or of an entry, and where it comes from."""
    if _is_file(source):
        return _counts(Path(source)), {"File": _name(Path(source))}
    if source != "latest" and not is_uuid(source):
        fail(f"{source}: no such file, and no data id")
    with reached(url, data) as access:
        data_id = access.latest() if source == "latest" else source
        with access.reader() as reader:
            measurement = reader.measurement(data_id)
    if measurement is None:
        fail(f"{source}: no file, and no entry of this id")
        raise click.Abort
    return measurement, {"Data ID": data_id}


def _is_file(source: str) -> bool:
    """Whether a file is meant; one that is there and cannot be one ends the command."""
    try:
        status = os.stat(source)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        fail(f"{source}: cannot be read: {error.strerror}")
        raise
    if not stat.S_ISREG(status.st_mode):
        fail(f"{source}: is no plain file")
    return True


def _name(file: Path) -> str:
    """A file's name as text: those of older systems are not in UTF-8."""
    return os.fsencode(file.name).decode("utf-8", "replace")


def _counts(file: Path) -> Measurement:
    """The counts in a file, also of one that holds a quantity beside them."""
    import numpy as np

    from oesd.formats import read_spectrum
    from oesd.model import Quantity

    spectrum = read_file(file, read_spectrum)
    measured = spectrum.measurement
    if measured.quantity is not Quantity.COUNTS and (
        spectrum.processed is None or np.array_equal(spectrum.processed, measured.sample)
    ):
        fail(f"{file}: holds {measured.quantity} and no counts: there is nothing to compute it from")
    return replace(measured, quantity=Quantity.COUNTS)


def _with_dark(sample: Measurement, file: Path) -> Measurement:
    from oesd.engine.errors import SpectrumError
    from oesd.engine.photometry import check_same_axis

    dark = _counts(file)
    try:
        check_same_axis(sample, dark, "dark")
    except SpectrumError as error:
        fail(f"--dark {file}: {error}")
    return replace(
        sample, dark=dark.sample, dark_variance=None, dark_scans=0, dark_integration_us=dark.integration_us
    )  # fmt: skip


def _reference(file: Path, sample: Measurement) -> Measurement:
    """The reference light with its own dark, else with the sample's."""
    white = _counts(file)
    known = replace(
        white,
        saturation_counts=white.saturation_counts or sample.saturation_counts,
        nonlinearity=white.nonlinearity or sample.nonlinearity,
        dead_pixels=sample.dead_pixels,
        stray_light=sample.stray_light,
    )
    if known.dark is not None or sample.dark is None or len(sample.dark) != len(known.sample):
        return known
    dark_us = sample.dark_integration_us or sample.integration_us
    return replace(known, dark=sample.dark, dark_variance=sample.dark_variance, dark_scans=sample.dark_scans,
                   dark_integration_us=dark_us)  # fmt: skip


def _calibration(file: Path) -> IrradianceCalibration:
    from oesd.formats import read_calibration

    return read_file(file, read_calibration)


def _made(
    source: str, sample: Measurement, quantity: str, white: Measurement | None, energy: IrradianceCalibration | None
) -> Photometric:
    from oesd.engine.errors import SpectrumError
    from oesd.engine.photometry import known_quantity, photometric

    try:
        return photometric(sample, known_quantity(quantity), reference=white, calibration=energy)
    except SpectrumError as error:
        fail(f"{source}: {error}")
        raise


def _write(made: Photometric, about: Mapping[str, str], out: Path | None) -> None:
    from oesd.formats import photometric_columns

    if out is None:
        click.echo(photometric_columns(made, about), nl=False)
        return
    data = photometric_columns(made, about) if out.suffix.lower() == ".csv" else _picture(made, about, out)
    with new_file(Path(os.path.realpath(out)), force=True) as written:
        written.write(data)
    click.echo(printable(f"{out}: {len(data) / 1000:.1f} kB"), err=True)


def _picture(made: Photometric, about: Mapping[str, str], out: Path) -> bytes:
    from oesd.pictures import PictureError
    from oesd.pictures.curve import curve_picture

    label = str(made.quantity) if made.unit == "1" else f"{made.quantity} / ({made.unit})"
    title = f"{made.quantity} of {about.get('Data ID') or about.get('File', '')}"
    try:
        return curve_picture(out.suffix, made.wavelengths_nm, made.values, label, title, made.sigma)
    except PictureError as error:
        fail(str(error))
        raise
