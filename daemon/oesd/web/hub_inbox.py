"""From bytes that arrived to entries: takes a file of several apart, has each read, stores the spectra.

::

    finished upload --read (elsewhere, perhaps another process)--> claim: new, or known? --> spectrum and result stored
                  '-- no spectrum: its bytes are kept as they came                      '--> taken; the parts go

Every step may be done twice: what a crash leaves is taken again at the next start, under the same ids.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from oesd.model import Analysis, Result, SpectrumFile
from oesd.store import Store
from oesd.store.claims import Claim
from oesd.store.ingest import StagedPart, Upload
from oesd.web.bucket import Bucket
from oesd.web.shelf import PartDamaged

READ_LIMIT_BYTES = 16 * 1024 * 1024
BUNDLE_LIMIT_BYTES = 64 * 1024 * 1024
_ZIP = b"PK"
# What hostile bytes can provoke in a reader; memory and system errors are not among it.
STUMBLES = (ValueError, ArithmeticError, LookupError, RecursionError)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What was read from a file: a spectrum, perhaps with its analysis, or the reasons why there is none."""

    spectrum: SpectrumFile | None = None
    unreadable: str = ""
    analysis: Analysis | None = None
    refused: str = ""


Read = Callable[[bytes, str], "Future[Reading]"]
TakeApart = Callable[[bytes], Sequence[tuple[str, bytes]] | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One file of an upload: under which id, its bytes, and what is to come out of them."""

    file: Upload
    data: bytes
    reading: Future[Reading]


class Inbox:
    """Makes entries of finished uploads. Thread-safe for different uploads.

    Parameters
    ----------
    read : callable
        ``read(data, file_name)`` gives the future of a :class:`Reading`.
    take_apart : callable
        Files in a file of several, by name; None for a file of one. ValueError when it is damaged.
    describe : callable
        Metadata of a result, from the spectrum that it is made of.
    ingested : callable
        Told the data id of each new entry that has no result yet.
    made : callable
        Told each result that came with its file; must not wait.
    """

    def __init__(
        self,
        store: Store,
        bucket: Bucket,
        *,
        read: Read,
        ingested: Callable[[str], None],
        take_apart: TakeApart = lambda _: None,
        describe: Callable[[SpectrumFile], Mapping[str, Any]] = lambda _: {},
        made: Callable[[Result], None] = lambda _: None,
    ) -> None:
        self._made = made
        self._store = store
        self._bucket = bucket
        self._ingest = bucket.ingest
        self._read = read
        self._ingested = ingested
        self._take_apart = take_apart
        self._describe = describe

    def take(self, data_id: str) -> None:
        """Make the entry, or the entries, of an upload; nothing when it was taken before.

        Raises
        ------
        StoreError
            When it cannot be stored now: it is found again.
        """
        upload = self._ingest.upload_of(data_id)
        if upload is None or upload.finished_at_utc is None or upload.is_taken:
            return
        parts = self._ingest.parts(upload.upload_id)
        try:
            unreadable, members = self._settle(upload, parts)
        except PartDamaged as problem:
            unreadable, members = str(problem), 0
        self._ingest.taken(data_id, unreadable, members)
        self._bucket.shelf.drop_parts(upload.upload_id, parts)

    def _settle(self, upload: Upload, parts: list[StagedPart]) -> tuple[str, int]:
        """Why it is no spectrum, "" when it is one; and how many are in it when it is a file of several."""
        files = None
        try:
            data = self._bytes(upload, parts)
            files = self._take_apart(data)
            unreadable = "" if files is not None else self._store_all([self._piece(upload, data)], "")[0]
        except STUMBLES as problem:
            unreadable = one_line(problem)
        if unreadable or files is not None:
            self._bucket.shelf.keep_file(upload.data_id, self._bucket.shelf.pieces(upload.upload_id, parts))
        if files is None:
            return unreadable, 0
        found = [self._piece(_member(upload, place, name, data), data) for place, (name, data) in enumerate(files)]
        for piece, reason in zip(found, self._store_all(found, upload.data_id), strict=True):
            if reason:
                self._keep_unreadable(piece, upload.data_id, reason)
        return "", len(found)

    def _bytes(self, upload: Upload, parts: list[StagedPart]) -> bytes:
        """All of a file, unless it is too large for what its first bytes say it is."""
        pieces = self._bucket.shelf.pieces(upload.upload_id, parts)
        first = next(pieces, b"")
        most = BUNDLE_LIMIT_BYTES if first.startswith(_ZIP) else READ_LIMIT_BYTES
        if (upload.size_bytes or 0) > most:
            raise ValueError(f"larger than {most} bytes: not read as a spectrum")
        return b"".join([first, *pieces])

    def _piece(self, file: Upload, data: bytes) -> _Piece:
        return _Piece(file, data, self._read(data, file.file_name))

    def _store_all(self, pieces: Sequence[_Piece], batch_id: str) -> list[str]:
        """Store what can be read, all in a few commits; of each piece why it cannot, "" when it was."""
        readings = [_settled(piece) for piece in pieces]
        good = [(p, r, r.spectrum) for p, r in zip(pieces, readings, strict=True) if r.spectrum is not None]
        claims = [Claim(replace(p.file, record_id=spectrum.record_id), batch_id) for p, _, spectrum in good]
        entries = self._ingest.claim(claims) if claims else []
        fresh = [one for one, entry in zip(good, entries, strict=True) if entry == one[0].file.data_id]
        saved = [self._store.save_file(p.file.data_id, spectrum, p.data, p.file.file_name) for p, _, spectrum in fresh]
        for future in saved:
            future.result()
        self._store_results(fresh)
        return [reading.unreadable for reading in readings]

    def _store_results(self, fresh: Sequence[tuple[_Piece, Reading, SpectrumFile]]) -> None:
        made: list[Future[Result]] = []
        refused: list[Future[None]] = []
        for piece, reading, spectrum in fresh:
            data_id = piece.file.data_id
            if reading.analysis is not None:
                made.append(self._store.save_result(data_id, reading.analysis, self._describe(spectrum)))
            elif reading.refused:
                refused.append(self._store.fail_result(data_id, reading.refused))
            else:
                self._ingested(data_id)
        results = [future.result() for future in made]
        for future in refused:
            future.result()
        if made or refused:
            self._ingest.touch([piece.file.data_id for piece, _, _ in fresh], self._bucket.clock())
        for result in results:
            self._made(result)

    def _keep_unreadable(self, piece: _Piece, batch_id: str, reason: str) -> None:
        self._bucket.shelf.keep_file(piece.file.data_id, iter([piece.data]))
        self._ingest.claim([Claim(piece.file, batch_id)])
        self._ingest.taken(piece.file.data_id, reason)


def reading_with(parse: Callable[[bytes, str], SpectrumFile]) -> Read:
    """Read at once, in the caller's thread, with a reader that raises ValueError for what is no spectrum."""

    def read(data: bytes, file_name: str) -> Future[Reading]:
        done: Future[Reading] = Future()
        try:
            done.set_result(Reading(parse(data, file_name)))
        except STUMBLES as problem:
            done.set_result(Reading(unreadable=one_line(problem)))
        return done

    return read


def one_line(problem: Exception) -> str:
    """An error's text in one line of sane length."""
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text[:300]


def _settled(piece: _Piece) -> Reading:
    try:
        return piece.reading.result()
    except STUMBLES as problem:
        return Reading(unreadable=one_line(problem))


def _member(upload: Upload, place: int, name: str, data: bytes) -> Upload:
    """A file out of an upload, under an id that is the same each time, and that sorts beside the upload's."""
    mark = hashlib.sha256(f"{upload.data_id} {place}".encode()).digest()
    value = uuid.UUID(upload.data_id).int >> 80 << 80 | int.from_bytes(mark[:10]) & ~(0x3 << 62 | 0xF << 76)
    data_id = str(uuid.UUID(int=value | 0x7 << 76 | 0b10 << 62))
    printable = "".join(c for c in name if c.isprintable()).strip(" .")[-200:] or "unnamed"
    return replace(
        upload,
        upload_id=data_id,
        data_id=data_id,
        new_filename="",
        file_name=printable,
        parts=0,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        sha3_256=hashlib.sha3_256(data).hexdigest(),
        is_taken=True,
    )
