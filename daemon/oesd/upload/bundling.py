"""The file of a record, or of several as one, and what the server made of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from oesd.formats import write_bundle
from oesd.store.errors import StoreDamaged, UnknownEntry
from oesd.store.outbox import OutboxItem
from oesd.upload.errors import RecordRefused, one_line
from oesd.upload.means import Means, RenderedFile

_CANNOT = (StoreDamaged, UnknownEntry, ValueError, LookupError)


def rendered(means: Means, item: OutboxItem) -> RenderedFile:
    """Render the file of a record or a batch.

    Raises
    ------
    RecordRefused
        When there is none, or its bytes are not those of its hash.
    """
    try:
        file = bundled(means, item) if item.batch_no else means.render(item.data_id)
    except _CANNOT as failure:
        raise RecordRefused(f"cannot be rendered: {one_line(str(failure))}") from failure
    if not file.data:
        raise RecordRefused("rendered to an empty file")
    if hashlib.sha256(file.data).hexdigest() != file.sha256:
        raise RecordRefused("rendered bytes are not those that were hashed")
    return file


def bundled(means: Means, batch: OutboxItem) -> RenderedFile:
    """Render the file of a batch; a record that cannot be rendered is put in quarantine, the others go on.

    Raises
    ------
    RecordRefused
        When nothing is left of it.
    """
    labels: list[Mapping[str, str]] = []
    data = write_bundle(_files(means, batch, labels))
    if not labels:
        raise RecordRefused("none of the batch's records can be rendered")
    means.fill.learn(len(data), len(labels))
    return RenderedFile(f"{batch.record_id}.zip", data, hashlib.sha256(data).hexdigest(), None, labels[0])


def _files(means: Means, batch: OutboxItem, labels: list[Mapping[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Render one after the other, so that only the packed ones are in memory; notes the labels of each."""
    for data_id in means.outbox.members(batch):
        try:
            file = means.render(data_id)
        except _CANNOT as failure:
            reason = f"cannot be rendered: {one_line(str(failure))}"
            means.outbox.expel(batch, data_id, reason).result()
        else:
            labels.append(file.labels)
            yield file.name, file.data


def remote_ids(means: Means, batch: OutboxItem) -> tuple[dict[str, str], int]:
    """Remote data id by local one of the records that the server has taken out of a batch, and how many there are."""
    local = {record_id: data_id for data_id, record_id in means.outbox.members(batch).items()}
    try:
        entries = means.api.find_entries(keywords=batch.record_id)
    except RecordRefused:
        entries = []
    found = {}
    for entry in entries:
        for text in entry.texts:
            record_id = text.partition(".")[0]
            if record_id in local and entry.data_id != batch.remote_data_id:
                found[local[record_id]] = entry.data_id
    return found, len(local)
