"""Asking for upload links, under the physical sample that a record's labels name."""

from __future__ import annotations

from oesd.store.outbox import OutboxItem
from oesd.upload.answers import Presigned, RemoteNamed
from oesd.upload.client import split
from oesd.upload.errors import NotFound, ProtocolBroken, RecordRefused
from oesd.upload.means import Means, RenderedFile

_PATIENCE = 5  # tries of a record before its filing is given up: its labels stand in the file itself


def ask_for_links(means: Means, item: OutboxItem, file: RenderedFile) -> Presigned:
    """Presign a file; a sample that is no longer there is looked for, or made, once more.

    Raises
    ------
    UploadError
        As :meth:`oesd.upload.client.OesApi.presign`.
    """
    parts, sample = len(split(file.data)), _sample(means, item, file)
    try:
        given = means.api.presign(file.name, parts, sample)
    except (RecordRefused, NotFound):
        # What was refused may be the sample: taken away there, or of an API that was set up anew.
        if sample is None or not means.filing.forget(sample):
            raise
        sample = _sample(means, item, file)
        given = means.api.presign(file.name, parts, sample)
    if sample is not None:
        means.filing.believe(sample)
    return given


def _sample(means: Means, item: OutboxItem, file: RenderedFile) -> RemoteNamed | None:
    try:
        return means.filing.place(file.labels)
    except ProtocolBroken as odd:
        if item.attempts < _PATIENCE:
            raise
        means.filing.give_up(file.labels, odd)
        return None
