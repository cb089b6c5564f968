"""The room itself: takes captures over, analyses entries, renders files."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from oesd.engine.analyze import analyze_measurement
from oesd.engine.errors import SpectrumError
from oesd.formats import upload_name, write_columns, write_document
from oesd.model import Capture, Entry, Kind, Loss, Recipe, Result, RunRecord
from oesd.processing.backgrounds import Backgrounds
from oesd.processing.losses import Losses, loss_of, reason_of
from oesd.processing.metadata import capture_metadata, choice_metadata, file_metadata
from oesd.processing.runs import Runs
from oesd.processing.trouble import Trouble
from oesd.store import HostTime, Store, StoreDamaged, StoreError, UnknownEntry
from oesd.version import __version__

log = logging.getLogger(__name__)

_WAITING = 1_000
"""Entries kept in memory for analysis; beyond that they wait in the store alone."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The one self-describing file that an entry is forwarded as."""

    name: str
    data: bytes
    sha256: str
    revision: int | None


class Processing:
    """Everything between a capture and its stored result.

    Parameters
    ----------
    store : Store
        Where all of it is kept.
    recipe : Recipe
        The recipe of every analysis.
    upload : bool
        Whether entries are to be forwarded.
    beat : callable
        Called with a name and the seconds within which it will be called again.
    done : callable
        Called after each stored result (wakes the forwarder).
    name : str
        Name of the thread and of its beats.
    """

    def __init__(
        self,
        store: Store,
        recipe: Recipe,
        *,
        upload: bool,
        beat: Callable[[str, float], None],
        done: Callable[[], None] = lambda: None,
        name: str = "processing",
    ) -> None:
        self._store = store
        self._recipe = recipe
        self._upload = upload
        self._beat = beat
        self._done = done
        self._waiting: queue.Queue[str] = queue.Queue(_WAITING)
        self._queued: set[str] = set()
        self._at_hand = ""
        self._backlog = threading.Event()
        self._backlog.set()
        self._stop = threading.Event()
        self._trouble = Trouble()
        self._runs = Runs(store, self._trouble)
        self._losses = Losses(store, self._trouble, self._runs)
        self._backgrounds = Backgrounds(store)
        self._name = name
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; entries that an earlier process left without a result come first."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the analysis at hand and end the thread; what still waits is found again at the next start."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(30)
        self._close_books()
        for reason, slots in self.unrecorded().items():
            log.error("%d lost slots (%s) could not be written to the ledger", slots, reason)

    def _close_books(self) -> None:
        """Write losses and ends of runs, and the losses that show when the last captures reach the disk or do not."""
        try:
            self._store.write(lambda _: None).result()
        except StoreError as error:
            self._trouble.is_now(str(error))
        self._losses.flush()
        self._runs.flush()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def idle(self) -> bool:
        """Whether every stored entry has its result or its reason."""
        return self._waiting.empty() and not self._store.unprocessed(1)

    # -- from the acquisition threads --------------------------------------------------------------------------------

    def accept(self, capture: Capture) -> str:
        """Queue a capture for storing; returns "" or the reason why it cannot be taken over."""
        entry = self._backgrounds.entry_for(capture) if capture.kind is Kind.SAMPLE else None
        try:
            run = self._runs.unwritten(capture.device.name, capture.run_id)
            saved = self._store.save_capture(capture, entry, upload=self._upload, run=run)
        except StoreError as error:
            self._trouble.is_now(str(error))
            return reason_of(error)
        saved.add_done_callback(lambda future: self._stored(capture, entry, future))
        return ""

    def lose(self, loss: Loss) -> None:
        """Queue a loss for the ledger."""
        self._losses.add(loss)

    def begin_run(self, run: RunRecord) -> None:
        """Queue the beginning of a run for the ledger."""
        self._runs.begin(run)

    def end_run(self, run: RunRecord) -> None:
        """Queue the end of a run for the ledger."""
        self._runs.end(run)

    def settle(self, started: HostTime) -> None:
        """Account for the slots that were due while no daemon ran, because the last one was killed."""
        self._runs.settle(started)

    @property
    def trouble(self) -> str:
        """What is wrong with the store, "" when spectra can be stored."""
        return self._trouble.now

    def unrecorded(self) -> dict[str, int]:
        """Lost sample slots by reason that the ledger could not take yet (disk full)."""
        return self._losses.pending()

    def _stored(self, capture: Capture, entry: Entry | None, future: Future[None]) -> None:
        """Runs in the store's writer thread, after the commit or its failure."""
        error = future.exception()
        if error is not None:
            self._trouble.is_now(str(error))
            self._losses.add(loss_of(capture, error))
            return
        self._trouble.is_over()
        self._runs.known(capture.device.name, capture.run_id)
        self._losses.flush_soon()
        if entry is None:
            self._backgrounds.stored(capture)
        else:
            self._enqueue(entry.data_id)

    def _enqueue(self, data_id: str) -> None:
        if data_id in self._queued:
            return
        self._queued.add(data_id)
        try:
            self._waiting.put_nowait(data_id)
        except queue.Full:
            self._queued.discard(data_id)
            self._backlog.set()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._stop.is_set():
                self._beat(self._name, 60.0)
                self._losses.flush()
                self._runs.flush()
                self._turn()
        except Exception:
            # The top of the thread: the supervisor sees that it ended, and the next start must not meet the same.
            log.exception("the %s thread failed at entry %s", self._name, self._at_hand)
            if self._at_hand:
                self._store.fail_result(self._at_hand, "defect in oesd: the analysis failed")

    def _turn(self) -> None:
        if self._backlog.is_set() and self._waiting.empty():
            self._take_up_backlog()
        try:
            data_id = self._waiting.get(timeout=0.25)
        except queue.Empty:
            return
        self._queued.discard(data_id)
        self._at_hand = data_id
        try:
            self.process(data_id)
        except StoreDamaged as error:
            log.error("entry %s: %s", data_id, error)
            self._store.fail_result(data_id, str(error))
        except StoreError as error:
            # A full disk, most likely: the entry stays without a result and is found again.
            self._trouble.is_now(str(error))
            self._backlog.set()
            self._stop.wait(1.0)
        self._at_hand = ""

    def _take_up_backlog(self) -> None:
        behind = self._store.unprocessed(_WAITING // 2)
        if not behind:
            self._backlog.clear()
        for data_id in behind:
            self._enqueue(data_id)

    def process(self, data_id: str, recipe: Recipe | None = None) -> Result | None:
        """Analyse an entry and store the result as its next revision; None when the engine refuses the spectrum.

        Raises
        ------
        StoreError
            When the entry is unknown or the result cannot be stored.
        """
        measurement = self._store.measurement(data_id)
        if measurement is None:
            raise UnknownEntry(data_id)
        try:
            analysis = analyze_measurement(measurement, recipe or self._recipe)
        except SpectrumError as error:
            self._store.fail_result(data_id, str(error)).result()
            self._done()
            return None
        result = self._store.save_result(data_id, analysis, self.metadata(data_id)).result()
        self._done()
        return result

    def use(self, recipe: Recipe) -> None:
        """Analyse with another recipe from now on."""
        self._recipe = recipe

    def reprocess(self, data_id: str) -> Result | None:
        """Analyse again with today's engine and recipe; overrides stay."""
        return self.process(data_id)

    def ingested(self, data_id: str) -> None:
        """A file has become an entry of the hub: analyse it next."""
        self._enqueue(data_id)

    # -- what others are told of an entry ----------------------------------------------------------------------------

    def metadata(self, data_id: str) -> dict[str, Any]:
        """Build the ``spectral_metadata`` of an entry: of its capture, or what its file's header says."""
        entry = self._store.entry(data_id)
        sample = self._store.capture(entry.sample_id) if entry else None
        if entry is None or sample is None:
            spectrum = self._store.spectrum_file(data_id)
            return {} if spectrum is None else file_metadata(spectrum)
        return {**capture_metadata(sample), **choice_metadata(entry), "oesd_version": __version__}

    def render(self, data_id: str, form: Literal["columns", "json"]) -> Rendered:
        """Build the file that an entry is forwarded as, from its latest result; the same state gives the same bytes."""
        entry = self._store.entry(data_id)
        sample = self._store.capture(entry.sample_id) if entry else None
        if entry is None or sample is None:
            raise UnknownEntry(data_id)
        dark, reference = (self._store.capture(r) if r else None for r in (entry.dark_id, entry.reference_id))
        result = self._store.result(data_id)
        write = write_columns if form == "columns" else write_document
        data = write(entry, sample, dark, reference, result)
        revision = result.revision if result else None
        return Rendered(upload_name(sample, form), data, hashlib.sha256(data).hexdigest(), revision)
