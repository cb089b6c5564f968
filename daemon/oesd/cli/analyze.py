"""``oesd analyze``: spectrum files in, names out, without a daemon."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.errors import fail, printable
from oesd.cli.tables import peak_lines

if TYPE_CHECKING:
    from oesd.model import Analysis, FloatArray, Measurement, Recipe, SpectrumFile


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dark", type=click.Path(path_type=Path), help="Spectrum file with the light blocked.")
@click.option("--reference", type=click.Path(path_type=Path), help="Spectrum file of the reference light.")
@click.option("--constraint", type=click.Choice(["auto", "include", "exclude"]), default="auto", show_default=True)
@click.option("--elements", default="", help="For include or exclude, such as Ga,N,Ar.")
@click.option("--fwhm-nm", type=click.FloatRange(0.001, 50), help="Hint for the width of a line.")
@click.option("--search-nm", type=click.FloatRange(0.05, 5), help="How far off the axis may be; 0.65 by default.")
@click.option("--json", "as_json", is_flag=True, help="GET /oes documents, one a line.")
def analyze(
    files: Sequence[Path],
    dark: Path | None,
    reference: Path | None,
    constraint: str,
    elements: str,
    fwhm_nm: float | None,
    search_nm: float | None,
    as_json: bool,
) -> None:
    """Find the peaks of each FILE and name its elements.

    Reads SpectraSuite, OceanView, Jaz, OOIBase32, AvaSoft text, CSV and TSV of two columns, and oesd's own files.
    """
    recipe = _recipe(constraint, elements, fwhm_nm)
    dark_counts = _background(dark)
    reference_counts = _background(reference)
    for file in files:
        spectrum = _read(file)
        measurement = _with(spectrum.measurement, dark_counts, reference_counts, file)
        _tell(file, spectrum, _analysis(file, measurement, recipe, search_nm), as_json, len(files) > 1)


def _recipe(constraint: str, elements: str, fwhm_nm: float | None) -> Recipe:
    from oesd.model import ConstraintMode, Recipe

    names = tuple(name.strip() for name in elements.split(",") if name.strip())
    if (constraint == "auto") == bool(names):
        fail("--elements goes with --constraint include or exclude, and they with it")
    return Recipe(ConstraintMode(constraint), names, fwhm_nm)


def _read(file: Path) -> SpectrumFile:
    from oesd.formats import FormatError, read_spectrum

    try:
        return read_spectrum(file.read_bytes(), file.name)
    except FormatError as error:
        fail(str(error))
        raise
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}")
        raise


def _background(file: Path | None) -> FloatArray | None:
    return None if file is None else _read(file).measurement.sample


def _with(measurement: Measurement, dark: FloatArray | None, reference: FloatArray | None, file: Path) -> Measurement:
    for name, counts in (("--dark", dark), ("--reference", reference)):
        if counts is not None and len(counts) != len(measurement.sample):
            fail(f"{name} has {len(counts)} values, {file} has {len(measurement.sample)}: not of one spectrometer")
    return replace(
        measurement,
        dark=measurement.dark if dark is None else dark,
        reference=measurement.reference if reference is None else reference,
    )


def _analysis(file: Path, measurement: Measurement, recipe: Recipe, search_nm: float | None) -> Analysis:
    from oesd.engine.analyze import analyze_measurement
    from oesd.engine.errors import SpectrumError

    try:
        return analyze_measurement(measurement, recipe, search_nm)
    except SpectrumError as error:
        fail(f"{file}: {error}")
        raise


def _tell(file: Path, spectrum: SpectrumFile, analysis: Analysis, as_json: bool, many: bool) -> None:
    metadata = {"file": file.name, "format": spectrum.format}
    document = analysis.to_api(metadata=metadata)
    if as_json:
        click.echo(json.dumps(document))
        return
    warnings = [f"warning: {text}" for text in (*spectrum.warnings, *analysis.warnings)]
    head = [f"{file.name} ({spectrum.format})"] if many else []
    lines = [*head, *warnings, *peak_lines(document["elements"], document["detected_peaks"])]
    click.echo("\n".join(printable(line) for line in lines))
