"""A spectrum file as a job: bytes in, the spectrum read from it and its analysis out, as bytes again.

For a hub, whose own process then only stores: reading and analysing are what takes long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from oesd.engine.analyze import analyze_measurement
from oesd.engine.errors import SpectrumError
from oesd.formats import read_spectrum
from oesd.formats.widths import known_widths
from oesd.model import Analysis, Recipe, SpectrumFile
from oesd.processing.jobs import BadAnswer
from oesd.store.analysis_form import pack_analysis, unpack_payload
from oesd.store.bundle import pack_bundle, unpack_bundle
from oesd.store.files import pack_spectrum, unpack_spectrum

FILE = b"F"
# What hostile bytes can provoke in a reader; memory and system errors are not among it.
_STUMBLES = (ValueError, ArithmeticError, LookupError, RecursionError)


@dataclass(frozen=True, slots=True, eq=False)
class FileAnswer:
    """What came of a file: its spectrum with an analysis, or with why the engine refuses it, or why it is none."""

    spectrum: SpectrumFile | None = None
    analysis: Analysis | None = None
    unreadable: str = ""
    refused: str = ""


def pack_file_job(data: bytes, file_name: str, recipe: Recipe) -> bytes:
    """Bytes that :func:`work_file` takes."""
    return FILE + pack_bundle({"file_name": file_name, "recipe": recipe.as_dict()}, {"data": data})


def work_file(job: bytes) -> bytes:
    """Read and analyse; pure. Runs in a worker, whose every error but those of a file is a defect."""
    about, blobs = unpack_bundle(job[len(FILE) :])
    try:
        spectrum = read_spectrum(blobs["data"], about["file_name"])
    except _STUMBLES as error:
        return pack_bundle({"unreadable": _one_line(error)}, {})
    values: dict[str, Any] = {"format": spectrum.format, "record_id": spectrum.record_id}
    found = {"spectrum": pack_spectrum(spectrum)}
    try:
        recipe = recipe_of_file(Recipe.from_dict(about["recipe"]), spectrum.metadata)
        analysis = analyze_measurement(spectrum.measurement, recipe)
        found["analysis"] = pack_analysis(analysis, spectrum.measurement).payload({})
    except SpectrumError as error:
        values["refused"] = str(error)
    return pack_bundle(values, found)


def recipe_of_file(today: Recipe, header: Mapping[str, str]) -> Recipe:
    """The recipe for a new file, which tells what was known of the width of lines where it comes from."""
    return today if today.fwhm_nm else replace(today, line_spread=known_widths(header))


def read_file_answer(answer: bytes) -> FileAnswer:
    """What a worker made of a file.

    Raises
    ------
    BadAnswer
        When the bytes make no sense.
    """
    try:
        values, found = unpack_bundle(answer)
        if "unreadable" in values:
            return FileAnswer(unreadable=values["unreadable"])
        spectrum = unpack_spectrum(values["format"], values["record_id"], found["spectrum"])
        packed = found.get("analysis")
        analysis = unpack_payload(packed, spectrum.measurement)[0] if packed is not None else None
        return FileAnswer(spectrum, analysis, refused=values.get("refused", ""))
    except (ValueError, KeyError, TypeError) as error:
        raise BadAnswer(f"the answer of a worker cannot be read: {error}") from error


def _one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
