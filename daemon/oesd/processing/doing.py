"""Every kind of job that a worker does, told by its first byte."""

from __future__ import annotations

from oesd.processing.file_jobs import FILE, work_file
from oesd.processing.jobs import MEASUREMENT, work


def do(job: bytes) -> bytes:
    """Do a job; pure, so that it does not matter where.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the bytes are no job.
    """
    return _KINDS[job[:1]](job)


_KINDS = {MEASUREMENT: work, FILE: work_file}
