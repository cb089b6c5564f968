"""Several records as one file, and what the server made of each."""

from __future__ import annotations

import hashlib

from oesd.formats import write_bundle
from oesd.store.errors import StoreDamaged, UnknownEntry
from oesd.store.outbox import OutboxItem
from oesd.upload.errors import RecordRefused, one_line
from oesd.upload.means import Means, RenderedFile

CANNOT = (StoreDamaged, UnknownEntry, ValueError, LookupError)


def bundled(means: Means, batch: OutboxItem) -> RenderedFile:
    """Render the file of a batch; a record that cannot be rendered is put in quarantine, the others go on.

    Raises
    ------
    RecordRefused
        When nothing is left of it.
    """
    files = []
    for data_id in means.outbox.members(batch):
        try:
            files.append(means.render(data_id))
        except CANNOT as failure:
            reason = f"cannot be rendered: {one_line(str(failure))}"
            means.outbox.expel(batch, data_id, reason).result()
    if not files:
        raise RecordRefused("none of the batch's records can be rendered")
    data = write_bundle([(file.name, file.data) for file in files])
    name = f"{batch.record_id}.zip"
    return RenderedFile(name, data, hashlib.sha256(data).hexdigest(), None, files[0].labels)


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
