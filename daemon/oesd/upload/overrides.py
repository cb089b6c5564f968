"""A person's local assignments, sent to the API: the peak found by its wavelength, the candidate named by its key."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from oesd.store import StoreDamaged
from oesd.store.patches import OverridePatch
from oesd.store.remote import RemoteResult
from oesd.upload.answers import RemotePeak, peaks
from oesd.upload.delay import next_delay
from oesd.upload.errors import Conflict, CredentialBlocked, NotFound, RecordRefused, RetryLater, UploadError
from oesd.upload.means import Means
from oesd.upload.remote import keep_remote, nearest


def send_override(means: Means, patch: OverridePatch, now: datetime) -> None:
    """Send one override and commit what became of it: sent, refused (never tried again), or later.

    Raises
    ------
    UploadError
        After a failure that may pass has been noted with the override (a refused key is not).
    """
    try:
        outcome = _send(means, patch, now)
    except CredentialBlocked:
        raise
    except (RecordRefused, NotFound, Conflict) as refusal:
        outcome = replace(patch, state="refused", attempts=patch.attempts + 1, last_error=str(refusal))
    except UploadError as failure:
        asked_s = failure.retry_after_s if isinstance(failure, RetryLater) else None
        means.outbox.update_patch(_later(means, patch, now, str(failure), asked_s)).result()
        raise
    if outcome.state == "pending":
        outcome = _later(means, patch, now, outcome.last_error, None)
    means.outbox.update_patch(outcome).result()


def _send(means: Means, patch: OverridePatch, now: datetime) -> OverridePatch:
    document = means.api.get_oes(patch.remote_data_id)
    if document is None:
        if patch.attempts + 1 >= means.pace.most_polls:
            raise RecordRefused("there is no remote result to assign in")
        return replace(patch, last_error="no remote result yet")
    peak = nearest(peaks(document), patch.wavelength_nm, patch.wavelength_sigma_nm)
    if peak is None:
        raise RecordRefused(f"the remote result has no peak at {patch.wavelength_nm:.2f} nm")
    if _contradicts(means, patch, peak):
        keep_remote(means.store, patch.data_id, document, now)
        raise RecordRefused(
            f"there a person named the peak at {patch.wavelength_nm:.2f} nm {peak.element}: assign it again to overrule"
        )
    changed = means.api.patch_peak(patch.remote_data_id, peak.peak_id, patch.candidate_key)
    keep_remote(means.store, patch.data_id, changed, now)
    return replace(patch, state="sent", last_error="")


def _contradicts(means: Means, patch: OverridePatch, peak: RemotePeak) -> bool:
    """Whether a person there named the peak otherwise, and whoever assigned here could not know."""
    if not peak.manual or peak.element in ("", patch.candidate_key.split("_")[0]):
        return False
    own = [o for o in means.store.override_history(patch.data_id) if _near(o.wavelength_nm, patch)]
    if any(o.element == peak.element for o in own):
        return False  # it is our own earlier word
    known = _known(means, patch.data_id)
    if known is None or patch.made_at_utc is None or patch.made_at_utc <= known.fetched_at_utc:
        return True
    by_hand = known.diff.get("by_hand", ())
    return not any(h["element"] == peak.element and _near(h["wavelength_nm"], patch) for h in by_hand)


def _known(means: Means, data_id: str) -> RemoteResult | None:
    with suppress(StoreDamaged):  # it is fetched anew with this very answer
        return means.store.remote.load(data_id)
    return None


def _near(wavelength_nm: float, patch: OverridePatch) -> bool:
    there = RemotePeak("", wavelength_nm)
    return nearest([there], patch.wavelength_nm, patch.wavelength_sigma_nm) is not None


def _later(means: Means, patch: OverridePatch, now: datetime, reason: str, asked_s: float | None) -> OverridePatch:
    attempts = patch.attempts + 1
    wait = timedelta(seconds=next_delay(attempts, asked_s, means.rng))
    return replace(patch, attempts=attempts, next_attempt_at_utc=now + wait, last_error=reason)
