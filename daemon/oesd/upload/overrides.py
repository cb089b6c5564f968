"""A person's local assignments, sent to the API: the peak found by its wavelength, the candidate named by its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from oesd.store.outbox import OverridePatch
from oesd.upload.answers import RemotePeak, peaks
from oesd.upload.delay import next_delay
from oesd.upload.errors import Conflict, CredentialBlocked, NotFound, RecordRefused, RetryLater, UploadError
from oesd.upload.means import Means

_SIGMAS = 3.0
_LEAST_WINDOW_NM = 0.3  # two analyses of one spectrum may place a weak peak that far apart


def send_override(means: Means, patch: OverridePatch, now: datetime) -> None:
    """Send one override and commit what became of it: sent, refused (never tried again), or later.

    Raises
    ------
    UploadError
        After a failure that may pass has been noted with the override (a refused key is not).
    """
    try:
        outcome = _send(means, patch)
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


def nearest(shown: Sequence[RemotePeak], wavelength_nm: float, sigma_nm: float) -> RemotePeak | None:
    """Peak that an override anchored at a wavelength means: the nearest within 3 sigma or 0.3 nm; None without one."""
    window_nm = max(_SIGMAS * sigma_nm, _LEAST_WINDOW_NM)
    near = [peak for peak in shown if abs(peak.wavelength_nm - wavelength_nm) <= window_nm]
    return min(near, key=lambda peak: abs(peak.wavelength_nm - wavelength_nm), default=None)


def _send(means: Means, patch: OverridePatch) -> OverridePatch:
    document = means.api.get_oes(patch.remote_data_id)
    if document is None:
        if patch.attempts + 1 >= means.pace.most_polls:
            raise RecordRefused("there is no remote result to assign in")
        return replace(patch, last_error="no remote result yet")
    peak = nearest(peaks(document), patch.wavelength_nm, patch.wavelength_sigma_nm)
    if peak is None:
        raise RecordRefused(f"the remote result has no peak at {patch.wavelength_nm:.2f} nm")
    means.api.patch_peak(patch.remote_data_id, peak.peak_id, patch.candidate_key)
    return replace(patch, state="sent", last_error="")


def _later(means: Means, patch: OverridePatch, now: datetime, reason: str, asked_s: float | None) -> OverridePatch:
    attempts = patch.attempts + 1
    wait = timedelta(seconds=next_delay(attempts, asked_s, means.rng))
    return replace(patch, attempts=attempts, next_attempt_at_utc=now + wait, last_error=reason)
