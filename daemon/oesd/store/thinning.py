"""Which of the old spectra may go when full rate is no longer wanted: all but one per minute, and every event.

An event is a spectrum that says more than its neighbours: taken by hand; chosen by a person; not analysed; the first
and the last of a run; before or after a slot that was lost; before and after a change of the elements. Darks,
references and what is golden never go. What is still to be uploaded never goes, nor what stands behind it: the cursor
waits there. What is in quarantine is passed over, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oesd.store.database import Connection
from oesd.store.headings import HEADER, head_or_none
from oesd.store.held import NOTHING, Held

WINDOW = 400
"""Spectra that are decided on at once."""
_CONFIRMED = ("confirmed", "processed")
_SELECT = f"""
SELECT e.entry_no, e.data_id, e.device_name, {HEADER}, r.elements, p.state, o.state,
       EXISTS (SELECT 1 FROM overrides v WHERE v.entry_no = e.entry_no)
FROM entries e JOIN captures c ON c.capture_no = e.sample_no JOIN processing p ON p.entry_no = e.entry_no
LEFT JOIN results r ON r.entry_no = e.entry_no AND r.revision = p.revision LEFT JOIN outbox o ON o.entry_no = e.entry_no
"""  # noqa: S608  (fixed texts)


@dataclass(frozen=True, slots=True)
class _Spectrum:
    """What the choice goes by."""

    number: int
    device_name: str
    run: tuple[str, str]
    slot: int
    minute: int
    elements: str
    settled: bool
    kept: bool


def window(
    connection: Connection, after: int, until: int, minute_us: int, held: Held = NOTHING
) -> tuple[list[int], int]:
    """Decide on the next spectra.

    Parameters
    ----------
    after, until : int
        Entries behind the first up to and with the second are old enough.
    minute_us : int
        One spectrum is kept in each stretch of this length.
    held : Held
        Kept whole.

    Returns
    -------
    numbers, cursor
        Entries that may go, and the entry up to which all are decided now; the same as ``after`` when none can be.
    """
    rows = connection.execute(
        f"{_SELECT} WHERE e.entry_no > ? AND e.entry_no <= ? ORDER BY e.entry_no LIMIT ?",
        (after, until, 2 * WINDOW),
    ).fetchall()
    spectra = [_spectrum(row, minute_us, held) for row in rows]
    blocked = next((k for k, spectrum in enumerate(spectra) if not spectrum.settled), len(spectra))
    decided = min(blocked, WINDOW)
    if decided == len(spectra) < 2 * WINDOW:
        cursor = until
    else:
        cursor = spectra[decided - 1].number if decided else after
    return list(_going(connection, spectra, decided, minute_us)), cursor


def _going(connection: Connection, spectra: Sequence[_Spectrum], decided: int, minute_us: int) -> Iterator[int]:
    following: dict[int, _Spectrum] = {}
    latest: dict[str, int] = {}
    for k, spectrum in enumerate(spectra):
        if spectrum.device_name in latest:
            following[latest[spectrum.device_name]] = spectrum
        latest[spectrum.device_name] = k
    before: dict[str, _Spectrum] = {}
    minutes: dict[str, tuple[tuple[str, str], int] | None] = {}
    for k, spectrum in enumerate(spectra[:decided]):
        name = spectrum.device_name
        if name not in before:
            standing = _standing_before(connection, spectrum, minute_us)
            minutes[name] = _minute(standing)
            # Those between the two have gone, and differed in nothing but their slots.
            before[name] = replace(standing or spectrum, slot=spectrum.slot - 1)
        event = _event(before[name], spectrum, following.get(k))
        if event or minutes[name] != _minute(spectrum):
            minutes[name] = _minute(spectrum)
        else:
            yield spectrum.number
        before[name] = spectrum


def _event(before: _Spectrum, this: _Spectrum, after: _Spectrum | None) -> bool:
    if this.kept or after is None:
        return True
    pairs = ((before, this), (this, after))
    return any(
        one.run != other.run or one.elements != other.elements or one.slot != other.slot - 1 for one, other in pairs
    )


def _minute(spectrum: _Spectrum | None) -> tuple[tuple[str, str], int] | None:
    return None if spectrum is None else (spectrum.run, spectrum.minute)


def _standing_before(connection: Connection, spectrum: _Spectrum, minute_us: int) -> _Spectrum | None:
    """The spectrum of the same spectrometer before this one that is still there."""
    row = connection.execute(
        f"{_SELECT} WHERE e.device_name = ? AND e.entry_no < ? ORDER BY e.entry_no DESC LIMIT 1",
        (spectrum.device_name, spectrum.number),
    ).fetchone()
    return None if row is None else _spectrum(row, minute_us)


def _spectrum(row: Sequence[Any], minute_us: int, held: Held = NOTHING) -> _Spectrum:
    number, data_id, device_name, header, heading, elements, state, upload, chosen = row
    values = head_or_none(header, heading)  # a damaged one is kept, as it says nothing
    slot = values.get("slot", -1)
    monotonic_ns = values.get("monotonic_ns")
    whole = isinstance(slot, int) and isinstance(monotonic_ns, int)
    chosen = chosen or held.has(data_id, device_name, str(values.get("run_id", "")))
    return _Spectrum(
        number=number,
        device_name=device_name,
        run=(str(values.get("run_id")), str(values.get("boot_id"))),
        slot=slot if whole else -1,
        # On the monotonic clock: no step of the host's date puts two minutes into one.
        minute=monotonic_ns // (1000 * minute_us) if whole and isinstance(monotonic_ns, int) else -1,
        elements=elements or "",
        settled=state != "waiting" and (upload is None or upload in (*_CONFIRMED, "quarantined")),
        kept=bool(chosen) or state != "processed" or upload == "quarantined" or not whole or slot < 0,
    )
