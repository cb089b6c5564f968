"""Entries to files: one self-describing file each, deterministic to the byte."""

from __future__ import annotations

from typing import Literal

from oesd.formats.columns import columns_bytes
from oesd.formats.document import document_bytes
from oesd.formats.parts import Parts
from oesd.model import Capture, Entry, ModelledDark, Result, RunRecord


def upload_name(sample: Capture, form: Literal["columns", "json"]) -> str:
    """File name of an entry: its record id and ``.txt`` or ``.json``."""
    return f"{sample.record_id}.{'txt' if form == 'columns' else 'json'}"


def write_columns(
    entry: Entry,
    sample: Capture,
    dark: Capture | ModelledDark | None,
    reference: Capture | None,
    result: Result | None,
    *,
    short: Capture | None = None,
    run: RunRecord | None = None,
) -> bytes:
    """Entry in the column form of Jaz and SpectraSuite, every metadatum in its header.

    Parameters
    ----------
    entry : Entry
    sample, dark, reference : Capture or None
        The entry's captures, on one axis; the dark may be a modelled one.
    result : Result or None
        Latest revision; None before it is processed.
    short : Capture or None
        The shorter exposure of a bracketed sample.
    run : RunRecord or None
        The sample's run: what caused it.

    Returns
    -------
    bytes
        ASCII with LF line ends; read back exactly by :func:`~oesd.formats.read_spectrum`.
    """
    return columns_bytes(Parts(entry, sample, dark, reference, short, result, run))


def write_document(
    entry: Entry,
    sample: Capture,
    dark: Capture | ModelledDark | None,
    reference: Capture | None,
    result: Result | None,
    *,
    short: Capture | None = None,
    run: RunRecord | None = None,
) -> bytes:
    """Entry as a JSON document with the same content as :func:`write_columns` and the whole result.

    Parameters are those of :func:`write_columns`; the bytes are UTF-8.
    """
    return document_bytes(Parts(entry, sample, dark, reference, short, result, run))
