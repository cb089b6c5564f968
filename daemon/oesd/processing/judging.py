"""Judges darks and references after they were stored, and learns from them: the work of the processing thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import datetime

from oesd.backgrounds.acceptance import (
    Judgement,
    Known,
    begins_anew,
    judge_dark,
    judge_reference,
    scan_noise,
    unchecked,
    visible_light,
)
from oesd.backgrounds.cells import MEMORY, Cell, Changed, Dark, DarkStatistics
from oesd.backgrounds.dark_model import LEAST_DARKS, learn
from oesd.model import Capture, FloatArray, Kind, Loss
from oesd.processing.backgrounds import Backgrounds
from oesd.processing.shelf import OF_ONE_EXPOSURE, Shelf
from oesd.store import Store, StoreDamaged
from oesd.store.dark_cells import StoredCell
from oesd.store.verdicts import LibraryKey, StoredVerdict, key_of

log = logging.getLogger(__name__)

_LEFT_BEHIND = 300
"""Darks and references that an earlier process, or version, left unjudged: the newest are judged."""
_GROWTH = 1.1
"""A model is learned again when a tenth more darks are there: 20 times for the first forty, then at each hundred."""
_DARKER_IN_A_ROW = 3
_DEFECT = "a defect in oesd stopped the judgement, see the log"


class Judging:
    """What waits for a judgement, and the judge.

    Parameters
    ----------
    store : Store
    backgrounds : Backgrounds
        Told of each verdict and each model.
    """

    def __init__(self, store: Store, backgrounds: Backgrounds) -> None:
        self._store = store
        self._backgrounds = backgrounds
        self._waiting: deque[str] = deque()
        self._begun = False
        self._at_hand: Capture | Shelf | None = None
        self._lock = threading.Lock()

    def stored(self, capture: Capture) -> None:
        """A dark or a reference was committed: judge it soon."""
        with self._lock:
            self._waiting.append(capture.record_id)

    @property
    def idle(self) -> bool:
        """Whether all were judged, those that an earlier process left among them."""
        return self._begun and not self._waiting

    def turn(self) -> bool:
        """Judge one, or learn one model; False when there was nothing to do.

        Raises
        ------
        StoreError
            When the store cannot be read or written; what was at hand is tried again the next time.
        """
        if not self._begun:
            self._take_up()
        if self._waiting:
            self._judge_next()
            return True
        shelf = self._at_hand = self._backgrounds.wanting_model()
        if shelf is not None and shelf.key is not None:
            self._learn(shelf, shelf.key)
        self._at_hand = None
        return shelf is not None

    def set_aside(self) -> bool:
        """Refuse the capture, or do without the model, at which a defect of ours ended :meth:`turn`; False for neither.

        Raises
        ------
        StoreError
            As :meth:`turn`.
        """
        failed, self._at_hand = self._at_hand, None
        if isinstance(failed, Shelf):
            self._backgrounds.learned(failed, _DEFECT, "")
        elif failed is not None:
            self._save(failed, Judgement(False, False, _DEFECT), Changed(()))
            with self._lock:
                self._waiting.popleft()
        return failed is not None

    def _take_up(self) -> None:
        left = self._store.library.unjudged(_LEFT_BEHIND)
        with self._lock:
            known = set(self._waiting)
            self._waiting.extendleft(reversed([record_id for record_id in left if record_id not in known]))
        self._begun = True

    def _judge_next(self) -> None:
        record_id = self._waiting[0]
        try:
            capture = self._at_hand = self._store.capture(record_id)
            if capture is not None:
                self._judge(capture)
        except StoreDamaged as error:
            log.error("%s; it does not serve", error)
        self._at_hand = None
        with self._lock:
            self._waiting.popleft()

    # -- one capture -------------------------------------------------------------------------------------------------

    def _judge(self, capture: Capture) -> None:
        if self._store.library.verdict(capture.record_id) is not None:
            return
        shelf = self._backgrounds.shelf_of(capture)
        if capture.kind is Kind.REFERENCE:
            self._save(capture, self._reference(capture), Changed(()))
            return
        statistics = self._statistics(key_of(capture.device))
        judgement, begins = self._dark(capture, shelf, statistics)
        if begins:
            statistics = DarkStatistics(capture.device.pixels)
        changed = Changed(())
        if judgement.accepted and self._backgrounds.rules[Kind.DARK].check:
            changed = statistics.add(_dark_of(capture))
        self._save(capture, judgement, changed, begins)
        self._want_model(shelf, statistics, capture)

    def _dark(self, capture: Capture, shelf: Shelf, statistics: DarkStatistics) -> tuple[Judgement, bool]:
        """Judge a dark; also whether a new library begins with it."""
        if not self._backgrounds.rules[Kind.DARK].check:
            return unchecked("dark"), False
        known = Known(
            wavelengths_nm=capture.device.wavelengths_nm,
            statistics=statistics,
            black=capture.device.electric_dark_pixels,
            model=shelf.model,
            known_light=self._last_light(shelf, capture),
        )
        dark = _dark_of(capture)
        try:
            judgement = judge_dark(dark, known)
        except ValueError as error:  # no matrix of such numbers can be inverted
            return Judgement(False, False, f"cannot be judged, its numbers are too strange: {error}"), False
        shelf.darker_in_a_row = shelf.darker_in_a_row + 1 if judgement.darker else 0
        if shelf.darker_in_a_row < _DARKER_IN_A_ROW:
            return judgement, False
        anew = begins_anew(judgement, dark, known)
        return anew, anew is not judgement

    def _last_light(self, shelf: Shelf, capture: Capture) -> dict[str, FloatArray]:
        """The last sample without its dark, when it shows light to be known by."""
        try:
            last = self._store.measurement(shelf.last_light) if shelf.last_light else None
        except StoreDamaged:
            return {}
        if last is None or last.dark is None or last.sample.shape != capture.counts_sum.shape:
            return {}
        light = visible_light(last.sample - last.dark)
        return {} if light is None else {"the light of the last sample": light}

    def _reference(self, capture: Capture) -> Judgement:
        if not self._backgrounds.rules[Kind.REFERENCE].check:
            return unchecked("reference")
        found = self._backgrounds.dark_for(capture)
        dark = self._store.library.dark(found) if isinstance(found, str) else found
        if dark is None or dark.counts.shape != capture.counts_sum.shape:
            return judge_reference(capture.counts, capture.saturated, None)
        return judge_reference(capture.counts, capture.saturated, dark.counts, dark.saturated)

    # -- what follows from it ----------------------------------------------------------------------------------------

    def _save(self, capture: Capture, judgement: Judgement, changed: Changed, begins: bool = False) -> None:
        now = self._backgrounds.now().utc
        verdict = StoredVerdict(
            record_id=capture.record_id,
            kind=capture.kind,
            accepted=judgement.accepted,
            proven=judgement.proven,
            begins=begins,
            reason=judgement.reason,
            numbers=judgement.numbers,
            judged_at_utc=now,
            taken_at_utc=capture.taken_at_utc,
        )
        saved = self._store.library.save_verdict(
            capture,
            verdict,
            cells=[_stored(cell) for cell in changed.cells],
            gone=changed.gone,
            loss=None if judgement.accepted else _loss(capture, judgement, now),
        )
        if saved.result():
            before = self._backgrounds.judged(capture, verdict)
            _say(capture, verdict, before)

    def _want_model(self, shelf: Shelf, statistics: DarkStatistics, capture: Capture) -> None:
        shelf.learned = statistics.captures
        model = shelf.model
        if statistics.captures < LEAST_DARKS:
            shelf.missing = f"{statistics.captures} darks learned from, {LEAST_DARKS} are needed"
        elif model is None:
            shelf.wants_model = True
        elif not model.learned_at(capture.integration_us, capture.celsius):
            shelf.wants_model |= statistics.captures > model.captures
        else:
            shelf.wants_model |= statistics.captures >= min(_GROWTH * model.captures, model.captures + MEMORY)

    def _learn(self, shelf: Shelf, key: LibraryKey) -> None:
        """Learn the model of a spectrometer from its cells; some 0.1 s, and 10 MB for that time."""
        statistics = self._statistics(key)
        shelf.learned = statistics.captures
        capture = self._newest_dark(key)
        if capture is None:
            return
        device = capture.device
        try:
            model = learn(
                statistics, nonlinearity=device.nonlinearity, saturation_counts=float(device.saturation_counts)
            )
        except ValueError as missing:  # Undetermined, or numbers that no matrix of can be inverted
            self._backgrounds.learned(shelf, str(missing), "")
            return
        first = shelf.model is None
        self._backgrounds.learned(shelf, model, capture.record_id)
        if first:
            log.info("%s: dark model learned from %d darks", device.name, model.captures)

    def _newest_dark(self, key: LibraryKey) -> Capture | None:
        """The newest dark that serves and can be read."""
        for one in self._store.library.shelved(key, Kind.DARK, OF_ONE_EXPOSURE):
            try:
                return self._store.capture(one.record_id)
            except StoreDamaged as error:
                log.error("%s; the dark model is learned without it", error)
        return None

    def _statistics(self, key: LibraryKey) -> DarkStatistics:
        """The cells as they are stored: a dark comes rarely, and they would fill a megabyte of memory."""
        stored = self._store.library.cells(key)
        return DarkStatistics(
            key.pixels,
            cells=[Cell.from_stored(one.number, one.numbers, one.counts_sum.copy(), one.left_out) for one in stored],
        )


def _dark_of(capture: Capture) -> Dark:
    noise = None if capture.spread is None or capture.scans < 2 else scan_noise(capture.counts, capture.spread)
    return Dark(capture.counts, capture.integration_us, capture.scans, capture.celsius, capture.saturated, noise)


def _stored(cell: Cell) -> StoredCell:
    return StoredCell(cell.number, cell.numbers, cell.counts_sum, cell.left_out)


def _loss(capture: Capture, judgement: Judgement, now: datetime) -> Loss:
    return Loss(
        device_name=capture.device.name,
        run_id=capture.run_id,
        kind=capture.kind,
        first_slot=-1,
        slots=1,
        reason=f"{capture.kind} refused",
        detail=judgement.reason,
        at_utc=now,
    )


def _say(capture: Capture, verdict: StoredVerdict, before: StoredVerdict | None) -> None:
    """Tell what became of it: loudly when that is another thing than the last time."""
    alike = before is not None and (before.accepted, before.proven) == (verdict.accepted, verdict.proven)
    name, kind = capture.device.name, capture.kind
    if verdict.begins:
        log.warning("%s: %s", name, verdict.reason)
    elif verdict.accepted:
        log.log(logging.DEBUG if alike else logging.INFO, "%s: %s accepted, %s", name, kind, verdict.reason)
    else:
        level = logging.INFO if alike else logging.WARNING
        log.log(level, "%s: %s refused, %s; it is kept, but not used", name, kind, verdict.reason)
