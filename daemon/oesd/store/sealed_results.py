"""Results in segments: the payload of a spectrum's result goes into the file with its capture, in the same record.

A row of ``results`` whose payload is empty has it there. A result that was made after its spectrum was sealed stays in
its row until the segment is written anew.
"""

from __future__ import annotations

from dataclasses import replace

from oesd.store.database import Connection
from oesd.store.integrity import verify
from oesd.store.segment_file import Blobs
from oesd.store.segments import read_blobs

SCHEMA = """
CREATE TRIGGER results_no_update BEFORE UPDATE OF
    result_no, entry_no, revision, made_at_us, peaks, content, sha256, payload ON results
    BEGIN SELECT RAISE(ABORT, 'results are never changed'); END;
CREATE TRIGGER results_only_sealed BEFORE INSERT ON results WHEN NEW.payload = x'' AND NOT EXISTS (
        SELECT 1 FROM entries e JOIN captures c ON c.capture_no = e.sample_no
        WHERE e.entry_no = NEW.entry_no AND c.segment_no IS NOT NULL)
    BEGIN SELECT RAISE(ABORT, 'a result has its payload, or its capture is in a segment'); END;
"""


def whole_payload(connection: Connection, entry_no: int, revision: int, payload: bytes) -> bytes:
    """The payload of a result from what its row has of it.

    Raises
    ------
    ValueError
        When the file cannot be read, or has another one.
    """
    if payload:
        return payload
    row = connection.execute(
        "SELECT s.name, c.place, c.length, c.capture_no FROM entries e JOIN captures c ON c.capture_no = e.sample_no "
        "JOIN segments s ON s.segment_no = c.segment_no WHERE e.entry_no = ?",
        (entry_no,),
    ).fetchone()
    return sealed_payload(None if row is None else read_blobs(connection, *row), revision)


def sealed_payload(blobs: Blobs | None, revision: int) -> bytes:
    """The payload of a result that is with the blobs of its capture; ValueError when it is not there."""
    if blobs is None or blobs.revision != revision:
        raise ValueError("the segment has no such result")
    return blobs.result


def with_result(connection: Connection, capture_no: int, blobs: Blobs) -> Blobs:
    """Blobs with the latest result of the capture's entry that is still in its pages, verified, if they have none.

    Raises
    ------
    StoreDamaged
        When it is not what was stored.
    """
    row = connection.execute(
        "SELECT r.entry_no, r.revision, r.made_at_us, r.content, r.payload, r.sha256 FROM entries e "
        "JOIN processing p ON p.entry_no = e.entry_no "
        "JOIN results r ON r.entry_no = e.entry_no AND r.revision = p.revision WHERE e.sample_no = ?",
        (capture_no,),
    ).fetchone()
    if row is None or blobs.result or not row[4]:
        return blobs
    verify(f"the result of capture {capture_no}", row[-1], *row[:-1])
    return replace(blobs, revision=row[1], result=row[4])
