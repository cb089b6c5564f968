"""One record's journey to the API, a step at a time, each committed before the next.

::

    STORED --presign--> PRESIGNED --PUT--> UPLOADED --complete--> COMPLETED --look--> CONFIRMED --poll--> PROCESSED
      ^                     |                  |                     | ^                 ^
      |                link expired   404, 409, reply lost   not there | complete again  |
      |                     |                  v                     | |                 |
      |                     |              UNCERTAIN ------------------'-------look------'
      |                     v                  | not there           v
      '---------- anew: the remote id becomes an orphan -------------'

    400, 413, 422 before the bytes are up -> QUARANTINED; 400 of complete: anew

What makes a kill at any point harmless: the file's name and hash are committed *before* the presign, so a record that
is STORED with a hash may own an entry whose reply was lost, and is looked up by its record id first. Parts are
committed with their ETags, one by one. Nothing but a look at the entry and its bytes makes CONFIRMED.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from oesd.store.outbox import FINAL, OutboxItem, OutboxState, UploadPart
from oesd.upload.bundling import remote_ids, rendered
from oesd.upload.client import split
from oesd.upload.delay import next_delay
from oesd.upload.errors import (
    CredentialBlocked,
    LinkExpired,
    ProtocolBroken,
    RecordRefused,
    RefusesAll,
    RetryLater,
    Uncertain,
    Unreachable,
    UploadError,
)
from oesd.upload.filed import ask_for_links
from oesd.upload.looking import Found, find_lost, look_at, pipeline_failed
from oesd.upload.means import Means, RenderedFile
from oesd.upload.remote import keep_remote

_NEW_LINK = timedelta(minutes=1)
_OLD_LINK = timedelta(hours=1)
_PARTS_WRONG = 400  # of complete: a part is missing or damaged there (S3: InvalidPart): they are sent once more
_UNSENT = (OutboxState.STORED, OutboxState.PRESIGNED, OutboxState.UPLOADED)


class Journey:
    """One record's way, as far as it goes now.

    Parameters
    ----------
    item : OutboxItem
        Where it stands.
    now : datetime
        Time of this step, UTC; waits count from it.
    stopping : callable
        True when the daemon wants to end; asked between steps.
    """

    def __init__(self, means: Means, item: OutboxItem, now: datetime, stopping: Callable[[], bool]) -> None:
        # The outbox said that it is due: a time far ahead was written while the host's clock was wrong.
        self.item = replace(item, next_attempt_at_utc=min(item.next_attempt_at_utc, now))
        self._means = means
        self._now = now
        self._stopping = stopping
        self._file: RenderedFile | None = None
        self._steps = {
            OutboxState.STORED: self._stored,
            OutboxState.PRESIGNED: self._presigned,
            OutboxState.UPLOADED: self._uploaded,
            OutboxState.UNCERTAIN: self._look,
            OutboxState.COMPLETED: self._look,
            OutboxState.CONFIRMED: self._poll,
        }

    def go(self) -> None:
        """Take steps until the record is through or has to wait; ``item`` tells where it stands.

        Raises
        ------
        UploadError
            After it has been noted with the record (a refused key is not: the record cannot help it).
        """
        while self.item.state not in FINAL and self.item.next_attempt_at_utc <= self._now and not self._stopping():
            self._means.alive()
            self._commit(self._step())

    def _step(self) -> OutboxItem:
        try:
            return self._steps[self.item.state]()
        except CredentialBlocked:
            raise
        except RecordRefused as refusal:
            raise self._refused(refusal) from None
        except LinkExpired as expired:
            return self._replace_link(expired)
        except UploadError as failure:
            self._commit(self._later(str(failure), _asked(failure)))
            raise

    def _stored(self) -> OutboxItem:
        if self.item.sha256:
            found, known = find_lost(self._means, self.item)
            if found:
                return self._confirmed(found)
            self._commit(known)
        file = self._rendered()
        size = len(file.data)
        self._commit(
            replace(self.item, file_name=file.name, sha256=file.sha256, size_bytes=size, revision=file.revision)
        )
        given = ask_for_links(self._means, self.item, file)
        self._means.refusals.taken(OutboxState.STORED)
        return replace(
            self.item,
            state=OutboxState.PRESIGNED,
            remote_data_id=given.data_id,
            upload_id=given.upload_id,
            new_filename=given.new_filename,
            parts=tuple(UploadPart(number, url, "") for number, url in enumerate(given.urls, 1)),
            issued_at_utc=self._now,
            last_error="",
        )

    def _presigned(self) -> OutboxItem:
        data = self._rendered()
        if data.sha256 != self.item.sha256:
            return self._anew("the file was rendered anew")
        pieces = split(data.data)
        part = next(p for p in self.item.parts if not p.etag)
        try:
            etag = self._means.api.put_part(part.url, pieces[part.part - 1])
        except (Unreachable, ProtocolBroken) as silence:
            if not (self._link_is_old() and self._may_upload_again()):
                raise
            return self._wait(self._anew(f"the link's host may have moved: {silence}"))
        self._means.refusals.taken(OutboxState.PRESIGNED)
        parts = tuple(replace(p, etag=etag) if p is part else p for p in self.item.parts)
        if not all(p.etag for p in parts):
            return replace(self.item, parts=parts)
        # Without an upload id there is nothing to complete.
        state = OutboxState.UPLOADED if self.item.upload_id else OutboxState.COMPLETED
        return replace(self.item, parts=parts, state=state, attempts=0)

    def _link_is_old(self) -> bool:
        """Whether the link is of an earlier process, or old enough that its host may be another by now."""
        issued = self.item.issued_at_utc
        return issued is None or issued < self._means.since_utc or self._now - issued > _OLD_LINK

    def _replace_link(self, expired: LinkExpired) -> OutboxItem:
        """Start anew, which is nobody's fault; but a bucket that refuses new links would refuse every record's."""
        issued = self.item.issued_at_utc
        following = self._wait(self._anew(str(expired)))
        if issued is not None and self._now - issued < _NEW_LINK:
            self._commit(following)
            raise expired
        return following

    def _uploaded(self) -> OutboxItem:
        if self.item.attempts and self._has_arrived():
            return self._confirmed(self.item.remote_data_id)
        try:
            self._complete()
        except Uncertain as doubt:
            return replace(self.item, state=OutboxState.UNCERTAIN, attempts=0, last_error=str(doubt))
        self._means.refusals.taken(OutboxState.UPLOADED)
        return replace(self.item, state=OutboxState.COMPLETED, attempts=0, last_error="")

    def _has_arrived(self) -> bool:
        """Look, after a 504 or an answer that nobody can read: behind it the parts may have been assembled."""
        with suppress(RecordRefused):
            return look_at(self._means, self.item) is Found.SAME
        return False

    def _complete(self) -> None:
        self._means.api.complete(self.item.upload_id, self.item.new_filename, [p.etag for p in self.item.parts])

    def _look(self) -> OutboxItem:
        """Believe the bytes, not the status: the entry is listed and its raw file is ours."""
        self._file = None  # what comes back is as large: not both at once
        found = look_at(self._means, self.item)
        if found is Found.SAME:
            return self._confirmed(self.item.remote_data_id)
        reason = "other bytes there" if found is Found.OTHER else "bytes not there yet"
        looked_enough = found is Found.OTHER or self.item.attempts + 1 >= self._means.pace.most_looks
        if looked_enough and self._may_upload_again():
            return self._wait(self._anew(reason))
        if found is Found.NOTHING and self.item.state is OutboxState.UNCERTAIN:
            return self._complete_again()
        return self._later(reason)

    def _complete_again(self) -> OutboxItem:
        try:
            self._complete()
        except (Uncertain, RecordRefused) as doubt:
            return self._later(str(doubt))
        return replace(self._later("completed again"), state=OutboxState.COMPLETED)

    def _may_upload_again(self) -> bool:
        return len(self.item.orphaned_ids) + 1 < self._means.pace.most_uploads

    def _confirmed(self, data_id: str) -> OutboxItem:
        return replace(
            self.item,
            state=OutboxState.CONFIRMED,
            remote_data_id=data_id,
            orphaned_ids=tuple(i for i in self.item.orphaned_ids if i != data_id),
            attempts=0,
            next_attempt_at_utc=self._now + timedelta(seconds=self._means.pace.poll_s),
            last_error="",
        )

    def _poll(self) -> OutboxItem:
        if self.item.batch_no:
            return self._settle()
        polls = self.item.attempts + 1
        if not self._means.pace.results:
            return replace(self.item, state=OutboxState.PROCESSED, last_error="")
        if polls > self._means.pace.most_polls:
            return replace(self.item, state=OutboxState.PROCESSED, last_error="no remote result after many looks")
        document = self._means.api.get_oes(self.item.remote_data_id)
        if document is not None:
            keep_remote(self._means.store, self.item.data_id, document, self._now)
            return replace(self.item, state=OutboxState.PROCESSED, last_error="")
        if polls % 5 == 0 and pipeline_failed(self._means, self.item):
            return replace(self.item, state=OutboxState.PROCESSED, last_error="the remote pipeline failed")
        return self._later("not processed yet")

    def _settle(self) -> OutboxItem:
        """Let the records of a batch go on by themselves, once the server has made an entry of each, or does not."""
        found, records = remote_ids(self._means, self.item)
        if len(found) < records and self.item.attempts + 1 < self._means.pace.most_polls:
            return self._later(f"{len(found)} of {records} records are entries so far")
        reason = "" if len(found) == records else "it arrived in a batch that the server did not take apart"
        settled = replace(self.item, state=OutboxState.PROCESSED, last_error=reason)
        pace = self._means.pace
        poll_at = self._now + timedelta(seconds=pace.poll_s) if pace.results else None
        self._means.outbox.settle(settled, found, poll_at).result()
        self.item = settled
        return settled

    def _rendered(self) -> RenderedFile:
        """Render the file, once a journey: the same bytes from pin to the last part."""
        if self._file is None:
            self._file = rendered(self._means, self.item)
        return self._file

    def _anew(self, reason: str) -> OutboxItem:
        orphans = self.item.orphaned_ids
        if self.item.remote_data_id not in orphans:
            orphans = (*orphans, self.item.remote_data_id)
        return replace(
            self.item,
            state=OutboxState.STORED,
            sha256="",
            remote_data_id="",
            upload_id="",
            new_filename="",
            parts=(),
            issued_at_utc=None,
            orphaned_ids=orphans,
            last_error=reason,
        )

    def _later(self, reason: str, retry_after_s: float | None = None) -> OutboxItem:
        return self._wait(replace(self.item, last_error=reason), retry_after_s)

    def _wait(self, item: OutboxItem, retry_after_s: float | None = None) -> OutboxItem:
        attempts = item.attempts + 1
        wait = timedelta(seconds=next_delay(attempts, retry_after_s, self._means.rng))
        return replace(item, attempts=attempts, next_attempt_at_utc=self._now + wait)

    def _refused(self, refusal: RecordRefused) -> UploadError:
        """Set aside what is refused while its bytes are not up; afterwards the record is no longer the matter."""
        state = self.item.state
        if state is OutboxState.UPLOADED and refusal.status == _PARTS_WRONG and self._may_upload_again():
            self._commit(self._wait(self._anew(str(refusal))))
        elif state not in _UNSENT:
            self._commit(self._later(str(refusal)))
        elif refusal.status and not self._means.refusals.is_its_own(state, self.item.record_id):
            self._commit(self._later(str(refusal)))
            return RefusesAll(f"one record after another is refused, the others wait: {refusal}")
        else:
            self._commit(replace(self.item, state=OutboxState.QUARANTINED, last_error=str(refusal)))
        return refusal

    def _commit(self, item: OutboxItem) -> None:
        if item is not self.item:
            self._means.outbox.update(item).result()
            self.item = item


def _asked(failure: UploadError) -> float | None:
    return failure.retry_after_s if isinstance(failure, RetryLater) else None
