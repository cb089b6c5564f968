"""One analysis as bytes in and bytes out: what a worker process, or another machine, is asked and answers.

::

    job     "M" | bundle( versions, recipe, the measurement's values ; its arrays )
    answer  "A" | an analysis in the store's form     "R" | why the engine refuses the spectrum
            "V" | which versions the worker has, because they are not those of the job

The same function does it everywhere, so that the results are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import numpy as np

from oesd.engine import ENGINE_VERSION
from oesd.engine.analyze import analyze_measurement
from oesd.engine.errors import SpectrumError
from oesd.engine.lines import line_table
from oesd.model import Analysis, Measurement, Recipe
from oesd.store.analysis_form import pack_analysis, unpack_payload
from oesd.store.bundle import pack_bundle, unpack_bundle

MEASUREMENT = b"M"
_ANALYSIS, _REFUSAL, _VERSIONS = b"A", b"R", b"V"


class OtherVersion(ValueError):
    """What was asked runs another engine: install the same oesd there; one line for a person."""


class BadAnswer(ValueError):
    """These bytes are no answer to this job."""


@dataclass(frozen=True, slots=True)
class Versions:
    """What decides a result besides the measurement and the recipe."""

    engine: str
    line_table: str

    @classmethod
    def of(cls, analysis: Analysis) -> Versions:
        """Versions that an analysis was made with."""
        return cls(analysis.engine_version, analysis.line_table_version)

    def __str__(self) -> str:
        return f"engine {self.engine}, lines {self.line_table}"


def versions() -> Versions:
    """Versions of this process."""
    return Versions(ENGINE_VERSION, line_table().version)


def pack_job(measurement: Measurement, recipe: Recipe) -> bytes:
    """Bytes that :func:`work` takes, for workers of this process's own versions."""
    values, arrays = packed_values(measurement)
    return MEASUREMENT + pack_bundle({**asked(recipe), "measurement": values}, arrays)


def asked(recipe: Recipe) -> dict[str, Any]:
    """What every job says: by which recipe, and of which versions the worker must be."""
    mine = versions()
    return {"versions": [mine.engine, mine.line_table], "recipe": recipe.as_dict()}


def other_versions(about: Mapping[str, Any]) -> str:
    """What a worker says that is not of the versions a job asks for; "" when it is."""
    wanted, mine = Versions(*about["versions"]), versions()
    return "" if wanted == mine else f"a worker has {mine}, not {wanted}: install the same oesd everywhere"


def work(job: bytes) -> bytes:
    """Analyse; pure. Runs in a worker, whose every error but a refused spectrum is a defect.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the bytes are no job.
    """
    about, arrays = unpack_bundle(job[len(MEASUREMENT) :])
    measurement = Measurement(**unpacked_values(Measurement, about["measurement"], arrays))
    if other := other_versions(about):
        return _VERSIONS + other.encode()
    return answer_of(measurement, Recipe.from_dict(about["recipe"]))


def answer_of(measurement: Measurement, recipe: Recipe) -> bytes:
    """What the engine says, as an answer."""
    try:
        analysis = analyze_measurement(measurement, recipe)
    except SpectrumError as error:
        return _REFUSAL + str(error).encode()
    return _ANALYSIS + pack_analysis(analysis, measurement).payload({})


def read_answer(answer: bytes, measurement: Measurement) -> Analysis | str:
    """Analysis of the measurement, or the sentence why there is none.

    Raises
    ------
    OtherVersion
        When the worker has other versions than the job.
    BadAnswer
        When the bytes make no sense.
    """
    if refusal := refusal_of(answer):
        return refusal
    try:
        return unpack_payload(answer[len(_ANALYSIS) :], measurement)[0]
    except (ValueError, KeyError, TypeError) as error:
        raise BadAnswer(f"the answer of a worker cannot be read: {error}") from error


def refusal_of(answer: bytes) -> str:
    """Why the engine refuses the spectrum, "" when the answer is an analysis, which is not looked into.

    Raises
    ------
    OtherVersion, BadAnswer
        As :func:`read_answer`.
    """
    kind, sentence = answer[:1], answer[1:]
    if kind == _ANALYSIS:
        return ""
    if kind == _VERSIONS:
        raise OtherVersion(sentence.decode(errors="replace"))
    try:
        if kind == _REFUSAL:
            return sentence.decode() or "the engine refuses the spectrum"
    except UnicodeDecodeError as error:
        raise BadAnswer(f"the answer of a worker cannot be read: {error}") from error
    raise BadAnswer("the answer of a worker cannot be read: unknown kind")


def packed_values(given: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Fields of a frozen value as JSON and bytes: arrays as they are in memory."""
    values: dict[str, Any] = {}
    arrays: dict[str, bytes] = {}
    for field in fields(given):
        value = getattr(given, field.name)
        if isinstance(value, np.ndarray):
            values[field.name] = value.dtype.str
            arrays[field.name] = np.ascontiguousarray(value).tobytes()
        else:
            values[field.name] = value
    return values, arrays


def unpacked_values(kind: Any, values: Mapping[str, Any], arrays: Mapping[str, bytes]) -> dict[str, Any]:
    """Inverse of :func:`packed_values`, for the constructor of ``kind``."""
    defaults = {field.name: field.default for field in fields(kind)}
    return {name: _unpacked(value, arrays.get(name), defaults[name]) for name, value in values.items()}


def _unpacked(value: Any, array: bytes | None, default: Any) -> Any:
    if array is not None:
        return np.frombuffer(array, dtype=value)
    if isinstance(default, Enum):
        return type(default)(value)
    return tuple(value) if isinstance(value, list) else value
