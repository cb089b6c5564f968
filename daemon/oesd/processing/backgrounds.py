"""Which dark and which reference apply to a sample, and whether one is due: answered from memory.

::

    accept(sample)  --> entry_for ---.                       .--> due (acquisition)
    accept(dark)    --> coming        >---- shelves ---------<
    judging (processing thread) --> judged, learned         '--> state (a person)

The acquisition threads ask here, and never wait for a judgement or a fit: those are made in the processing thread by
:mod:`~oesd.processing.judging`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from oesd.backgrounds.acceptance import proving_scans
from oesd.backgrounds.dark_model import DarkModel
from oesd.backgrounds.library import Choice, choose_dark, choose_reference
from oesd.backgrounds.refresh import due
from oesd.model import Capture, Conditions, Entry, Kind, ModelledDark, new_id
from oesd.processing.library_state import state_of
from oesd.processing.prediction import modelled_dark
from oesd.processing.rules import DARK_RULES, REFERENCE_RULES, BackgroundRules
from oesd.processing.shelf import EXPOSURES, OF_ONE_EXPOSURE, Moment, Shelf, conditions_of, shelved, tenth
from oesd.store import Store, StoreDamaged
from oesd.store.verdicts import LibraryKey, StoredVerdict, key_of

log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entry of a sample, and the modelled dark that it names, where that may not be stored yet."""

    entry: Entry
    modelled: ModelledDark | None = None


class Backgrounds:
    """The libraries of all spectrometers in memory, each read from the store at its first use.

    Parameters
    ----------
    store : Store
    rules : mapping of Kind to BackgroundRules
    monotonic_ns, utc : callable
        The host's clocks.
    """

    def __init__(
        self,
        store: Store,
        dark: BackgroundRules = DARK_RULES,
        reference: BackgroundRules = REFERENCE_RULES,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        utc: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._store = store
        self.rules: Mapping[Kind, BackgroundRules] = {Kind.DARK: dark, Kind.REFERENCE: reference}
        self._monotonic_ns = monotonic_ns
        self._utc = utc
        self._boot_id = ""
        self._shelves: dict[str, Shelf] = {}
        self._lock = threading.Lock()

    def use(self, dark: BackgroundRules, reference: BackgroundRules) -> None:
        """Go by other rules from now on."""
        self.rules = {Kind.DARK: dark, Kind.REFERENCE: reference}

    def booted(self, boot_id: str) -> None:
        """Say to which boot the monotonic clock belongs."""
        self._boot_id = boot_id

    def now(self) -> Moment:
        """The host's clocks at this moment."""
        return Moment(self._monotonic_ns(), self._boot_id, self._utc())

    # -- the acquisition threads -------------------------------------------------------------------------------------

    def entry_for(self, sample: Capture) -> Chosen:
        """Make the entry of a sample with the dark and the reference that fit it best, and why."""
        conditions, at = conditions_of(sample), Moment(sample.monotonic_ns, sample.boot_id, sample.taken_at_utc)
        with self._lock:
            self._boot_id = sample.boot_id
            shelf = self._shelf(sample.device.name, key_of(sample.device))
            dark, modelled = self._dark(shelf, conditions, at)
            reference = self._reference(shelf, conditions, at)
            entry = Entry(
                data_id=new_id(),
                sample_id=sample.record_id,
                dark_id=modelled.record_id if modelled else dark.record_id,
                reference_id=reference.record_id,
                dark_reason=dark.reason,
                reference_reason=reference.reason,
                created_at_utc=self._utc(),
            )
            shelf.last_light = entry.data_id
            unstored = modelled is not None and modelled.record_id in shelf.unstored
        return Chosen(entry, modelled if unstored else None)

    def take_in(self, capture: Capture, short: Capture | None = None) -> tuple[Entry | None, ModelledDark | None]:
        """The entry of a sample and the modelled dark to be stored with it; a dark or a reference has neither.

        Raises
        ------
        StoreError
            When the library of a spectrometer that is new here cannot be read.
        """
        if capture.kind is not Kind.SAMPLE:
            self.coming(capture)
            return None, None
        chosen = self.entry_for(capture)
        return replace(chosen.entry, short_id=short.record_id if short else None), chosen.modelled

    def coming(self, capture: Capture) -> None:
        """A dark or a reference is on its way to the store: until it is judged, none is due."""
        with self._lock:
            self._boot_id = capture.boot_id
            sort = self._shelf(capture.device.name, key_of(capture.device)).sorts[capture.kind]
            sort.pending[capture.record_id] = (capture.integration_us, self._monotonic_ns())

    def not_stored(self, capture: Capture) -> None:
        """It could not be stored."""
        with self._lock:
            shelf = self._shelves.get(capture.device.name)
            if shelf is not None and capture.kind in shelf.sorts:
                shelf.sorts[capture.kind].pending.pop(capture.record_id, None)

    def stored(self, entry: Entry | None) -> None:
        """An entry is in the store, and so is the modelled dark that it names: that need not be given again."""
        if entry is None or entry.dark_id is None:
            return
        with self._lock:
            for shelf in self._shelves.values():
                shelf.unstored.discard(entry.dark_id)

    def due(self, kind: Kind, conditions: Conditions) -> str | None:
        """Say why a dark or a reference is due, None when none is, or when the last one was refused just now."""
        policy = self.rules[kind].policy(kind)
        if policy is None:
            return None
        rounded = replace(conditions, detector_temperature_c=tenth(conditions.detector_temperature_c))
        with self._lock:
            shelf, now = self._named(conditions.device, conditions.pixels), self.now()
            sort = shelf.sorts[kind]
            last = sort.serving(conditions.integration_us)
            serving = None if last is None else shelf.background(last, conditions.device, now)
            reason = due(policy, serving, rounded, shelf.model)
            sort.due = reason or ""
            if reason is None or sort.waits(conditions.integration_us, now.monotonic_ns):
                return None
        if sort.refused_in_a_row and sort.last_refused:
            return f"{reason}; the last one was refused, {sort.last_refused.reason}"
        return reason

    def proving_scans(self, conditions: Conditions) -> int:
        """Scans that a dark under these conditions takes to prove itself."""
        with self._lock:
            model = self._named(conditions.device, conditions.pixels).model
        celsius = tenth(conditions.detector_temperature_c)
        return proving_scans(model, conditions.integration_us, celsius, conditions.pixels)

    def _dark(self, shelf: Shelf, sample: Conditions, at: Moment) -> tuple[Choice, ModelledDark | None]:
        """Choose a proven dark, else the model's, else one that is perhaps dark, else the last resort."""
        limits, every = self.rules[Kind.DARK].limits(), []
        proven = []
        for one, is_proven in shelf.candidates(Kind.DARK, sample.device, sample.integration_us, at):
            every.append(one)
            if is_proven:
                proven.append(one)
        choice = choose_dark(sample, proven, limits, shelf.model)
        if choice.modelled:
            return choice, self._predicted(shelf, sample)
        if choice.record_id is None or not choice.within_limits:
            choice = choose_dark(sample, every, limits)
        if choice.record_id is not None and all(one.record_id != choice.record_id for one in proven):
            choice = replace(choice, reason=f"{choice.reason}; not proven dark")
        return choice, None

    def _predicted(self, shelf: Shelf, sample: Conditions) -> ModelledDark | None:
        key = (sample.integration_us, sample.detector_temperature_c)
        found = shelf.predictions.get(key)
        again = 0
        while found is None and shelf.model is not None and shelf.key is not None:
            made = modelled_dark(shelf.model, shelf.key, shelf.last_dark_id, *key, self._utc(), again)
            if made.record_id not in shelf.spoiled:
                shelf.remember(found := made)
            again += 1
        return found

    def _reference(self, shelf: Shelf, sample: Conditions, at: Moment) -> Choice:
        candidates = shelf.candidates(Kind.REFERENCE, sample.device, sample.integration_us, at)
        return choose_reference(sample, [one for one, _ in candidates], self.rules[Kind.REFERENCE].limits())

    # -- the processing thread ---------------------------------------------------------------------------------------

    def shelf_of(self, capture: Capture) -> Shelf:
        """The library of the spectrometer that a capture is of."""
        with self._lock:
            return self._shelf(capture.device.name, key_of(capture.device))

    def dark_for(self, reference: Capture) -> str | ModelledDark | None:
        """The dark of a reference: its record id, or the model's."""
        at = Moment(reference.monotonic_ns, reference.boot_id, reference.taken_at_utc)
        with self._lock:
            shelf = self._shelf(reference.device.name, key_of(reference.device))
            choice, modelled = self._dark(shelf, conditions_of(reference), at)
        return modelled or choice.record_id

    def judged(self, capture: Capture, verdict: StoredVerdict) -> StoredVerdict | None:
        """A verdict is in the store: an accepted one serves from now on. Returns the verdict before it, of its kind."""
        with self._lock:
            shelf = self._shelf(capture.device.name, key_of(capture.device))
            if verdict.begins:
                shelf.begin_anew()
            sort = shelf.sorts[capture.kind]
            before = sort.last_refused if sort.refused_in_a_row else sort.last_accepted
            sort.judged(verdict, self._monotonic_ns())
            if verdict.accepted:
                sort.keep(shelved(capture, verdict.proven))
        return before

    def learned(self, shelf: Shelf, model: DarkModel | str, last_dark_id: str) -> None:
        """A model was learned, or it is known what is missing for one."""
        with self._lock:
            if isinstance(model, str):
                shelf.missing = model
            else:
                shelf.use(model, last_dark_id)

    def drop_damaged(self, data_id: str) -> None:
        """Choose an entry's dark or reference no more that the disk has damaged: all samples to come would fail."""
        entry = self._store.entry(data_id)
        named = (entry.dark_id, entry.reference_id) if entry else ()
        damaged = {one for one in named if one and self._is_damaged(one)}
        for record_id in damaged:
            log.error("dark or reference %s is damaged and serves no further sample; another is chosen", record_id)
        with self._lock:
            for shelf in self._shelves.values():
                shelf.drop(damaged)

    def _is_damaged(self, record_id: str) -> bool:
        try:
            self._store.library.dark(record_id)  # of any kind, modelled ones too
        except StoreDamaged:
            return True
        return False

    def wanting_model(self) -> Shelf | None:
        """A library that wants its model learned."""
        with self._lock:
            found = next((shelf for shelf in self._shelves.values() if shelf.wants_model), None)
            if found is not None:
                found.wants_model = False
        return found

    # -- shelves -----------------------------------------------------------------------------------------------------

    def _shelf(self, name: str, key: LibraryKey) -> Shelf:
        shelf = self._shelves.get(name)
        if shelf is None or shelf.key != key:
            shelf = self._shelves[name] = self._loaded(key)
        return shelf

    def _named(self, name: str, pixels: int) -> Shelf:
        shelf = self._shelves.get(name)
        if shelf is None:
            key = self._store.library.key_named(name, pixels)
            shelf = self._shelves[name] = Shelf(None) if key is None else self._loaded(key)
        return shelf

    def _loaded(self, key: LibraryKey) -> Shelf:
        shelf, library = Shelf(key), self._store.library
        for kind, sort in shelf.sorts.items():
            sort.fill(library.shelved(key, kind, OF_ONE_EXPOSURE * EXPOSURES))
            sort.accepted, sort.last_accepted = library.tally(key, kind, True)
            sort.refused, sort.last_refused = library.tally(key, kind, False)
        shelf.wants_model = shelf.sorts[Kind.DARK].accepted > 0
        return shelf

    # -- what others are told ----------------------------------------------------------------------------------------

    def state(self) -> dict[str, dict[str, Any]]:
        """By spectrometer, JSON-ready: numbers, the last accepted and refused ones with the reason, model, due."""
        now_ns = self._monotonic_ns()
        with self._lock:
            return {name: state_of(shelf, now_ns) for name, shelf in sorted(self._shelves.items())}
