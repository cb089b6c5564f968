"""``oesd analyze``: spectrum files in, names out, without a daemon."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from oesd.cli.errors import fail
from oesd.cli.explaining import evidence_lines
from oesd.cli.files import read_file
from oesd.cli.findings import echo_findings
from oesd.cli.plotting import draw, plot_option
from oesd.cli.recipes import chosen_recipe, recipe_options
from oesd.formats.evidence import evidence_document

if TYPE_CHECKING:
    from oesd.model import Analysis, FloatArray, Measurement, Recipe, SpectrumFile


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dark", type=click.Path(path_type=Path), help="Spectrum file with the light blocked.")
@click.option("--reference", type=click.Path(path_type=Path), help="Spectrum file of the reference light.")
@recipe_options
@click.option("--explain", is_flag=True, help="Tell for each element why: lines seen and missing, rivals.")
@plot_option
@click.option("--json", "as_json", is_flag=True, help="GET /oes documents, one a line.")
def analyze(
    files: Sequence[Path],
    dark: Path | None,
    reference: Path | None,
    explain: bool,
    plot: Path | None,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Find the peaks of each FILE and name its elements.

    Reads SpectraSuite, OceanView, Jaz, OOIBase32, AvaSoft text, JCAMP-DX, CSV and TSV of two columns, and oesd's own
    files, all that oesd export writes included.
    """
    if plot is not None and len(files) > 1:
        fail("--plot draws one FILE")
    chosen = chosen_recipe(**recipe)
    dark_counts = _background(dark)
    reference_counts = _background(reference)
    for file in files:
        found = _spectra(file)
        for name, spectrum in found:
            _must_be_emission(name, spectrum)
            measurement = _with(spectrum.measurement, dark_counts, reference_counts, name)
            analysis = _analysis(name, measurement, chosen, explain or plot is not None)
            _tell(name, spectrum, analysis, explain, as_json, len(files) > 1 or len(found) > 1)
            if plot is not None:
                draw(plot, _document(name, spectrum, analysis), evidence_document(analysis), name)


def _spectra(file: Path) -> list[tuple[str, SpectrumFile]]:
    """The spectra of a file with their names: one, or those that oesd exported to it together."""
    from oesd.formats.containers import spectra_of

    return read_file(file, lambda data, name: list(spectra_of(data, name)))


def _must_be_emission(file: str, spectrum: SpectrumFile) -> None:
    from oesd.model.measured import Quantity

    quantity = spectrum.measurement.quantity
    if quantity not in (Quantity.COUNTS, Quantity.IRRADIANCE):
        fail(f"{file}: {quantity} is no emission: no elements are named in it; oesd photometry is for such spectra")


def _background(file: Path | None) -> FloatArray | None:
    if file is None:
        return None
    found = _spectra(file)
    if len(found) != 1:
        fail(f"{file}: {len(found)} spectra where one is wanted")
    return found[0][1].measurement.sample


def _with(measurement: Measurement, dark: FloatArray | None, reference: FloatArray | None, file: str) -> Measurement:
    for name, counts in (("--dark", dark), ("--reference", reference)):
        if counts is not None and len(counts) != len(measurement.sample):
            fail(f"{name} has {len(counts)} values, {file} has {len(measurement.sample)}: not of one spectrometer")
    return replace(
        measurement,
        dark=measurement.dark if dark is None else dark,
        reference=measurement.reference if reference is None else reference,
    )


def _analysis(file: str, measurement: Measurement, recipe: Recipe, explain: bool) -> Analysis:
    from oesd.engine.analyze import analyze_measurement
    from oesd.engine.errors import SpectrumError

    try:
        return analyze_measurement(measurement, recipe, explain=explain)
    except SpectrumError as error:
        fail(f"{file}: {error}")
        raise


def _document(file: str, spectrum: SpectrumFile, analysis: Analysis) -> dict[str, Any]:
    return analysis.to_api(metadata={"file": file, "format": spectrum.format})


def _tell(file: str, spectrum: SpectrumFile, analysis: Analysis, explain: bool, as_json: bool, many: bool) -> None:
    document = _document(file, spectrum, analysis)
    explained = evidence_document(analysis)
    document.pop("evidence", None)
    if as_json:
        click.echo(json.dumps(document | ({"evidence": explained["evidence"]} if explain else {})))
        return
    warnings = [f"warning: {text}" for text in (*spectrum.warnings, *analysis.warnings)]
    head = [f"{file} ({spectrum.format})"] if many else []
    echo_findings([*head, *warnings], document, evidence_lines(explained) if explain else [])
