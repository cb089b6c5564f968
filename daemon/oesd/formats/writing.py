"""Entries to files: one self-describing file each, deterministic to the byte."""

from __future__ import annotations

from typing import Literal

from oesd.formats.columns import columns_bytes
from oesd.formats.description import describe
from oesd.formats.document import document_bytes
from oesd.model import Capture, Entry, FloatArray, Result


def upload_name(sample: Capture, form: Literal["columns", "json"]) -> str:
    """File name of an entry: its record id and ``.txt`` or ``.json``."""
    return f"{sample.record_id}.{'txt' if form == 'columns' else 'json'}"


def write_columns(
    entry: Entry, sample: Capture, dark: Capture | None, reference: Capture | None, result: Result | None
) -> bytes:
    """Entry in the column form of Jaz and SpectraSuite, every metadatum in its header.

    Parameters
    ----------
    entry : Entry
    sample, dark, reference : Capture or None
        The entry's captures, on one axis.
    result : Result or None
        Latest revision; None before it is processed.

    Returns
    -------
    bytes
        ASCII with LF line ends; read back exactly by :func:`~oesd.formats.read_spectrum`.
    """
    header = describe(entry, sample, dark, reference, result)
    return columns_bytes(header, _by_role(sample, dark, reference), _processed(sample, dark, result))


def write_document(
    entry: Entry, sample: Capture, dark: Capture | None, reference: Capture | None, result: Result | None
) -> bytes:
    """Entry as a JSON document with the same content as :func:`write_columns` and the whole result.

    Parameters are those of :func:`write_columns`; the bytes are UTF-8.
    """
    header = describe(entry, sample, dark, reference, result)
    return document_bytes(header, _by_role(sample, dark, reference), _processed(sample, dark, result), result)


def _by_role(sample: Capture, dark: Capture | None, reference: Capture | None) -> dict[str, Capture]:
    captures = {"dark": dark, "reference": reference, "sample": sample}
    return {role: capture for role, capture in captures.items() if capture is not None}


def _processed(sample: Capture, dark: Capture | None, result: Result | None) -> FloatArray:
    """Return the corrected scope of the result; before there is one, sample - dark to a thousandth of a count."""
    if result is not None:
        return result.analysis.scope_corrected
    return (sample.counts if dark is None else sample.counts - dark.counts).round(3)
