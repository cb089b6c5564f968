"""Exports to a file: as the server makes them, or made here of its documents where it makes none."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from oesd.client.errors import ClientError


@contextmanager
def new_file(target: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """A file that has its name once it is whole; nothing is left of it otherwise."""
    if target.exists() and not target.is_file():
        raise ClientError(f"{target} is no plain file")
    if target.exists() and not overwrite:
        raise ClientError(f"{target} is there already: overwrite=True takes its place")
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError as error:
        raise ClientError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            part.unlink()


def made_here(documents: Iterable[Mapping[str, Any]], form: str, *, several: bool) -> Iterator[bytes]:
    """Bytes of an export of GET /oes documents, for a server without GET /export.

    Raises
    ------
    ClientError
        For a form that is not known or not installed, or a document that holds no spectrum.
    """
    from oesd.formats import FormatError, read_spectrum
    from oesd.formats.exporting import FORMS, pieces_of
    from oesd.formats.sheet import Sheet, file_sheet

    if form not in FORMS:
        raise ClientError(f"format {form!r} is none of {', '.join(FORMS)}")

    def sheets() -> Iterator[Sheet]:
        for document in documents:
            yield file_sheet(read_spectrum(orjson.dumps(dict(document)), "answer"), str(document.get("data_id", "")))

    try:
        FORMS[form].require()
        yield from pieces_of(sheets(), form, several=several)
    except (FormatError, ValueError) as error:
        raise ClientError(str(error)) from None
