"""The room itself: takes captures over, analyses entries, renders files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from oesd.model import Capture, Conditions, Entry, Kind, Loss, Recipe, Result, RunRecord
from oesd.processing.backgrounds import Backgrounds
from oesd.processing.backlog import Backlog
from oesd.processing.judging import Judging
from oesd.processing.losses import Losses, loss_of, reason_of
from oesd.processing.made import Made, Measure, no_readings
from oesd.processing.rules import DARK_RULES, REFERENCE_RULES, BackgroundRules
from oesd.processing.runs import Runs
from oesd.processing.trouble import Trouble
from oesd.processing.turns import Turns
from oesd.store import HostTime, Store, StoreError

if TYPE_CHECKING:
    from oesd.processing.analysing import Analysing
    from oesd.processing.rendering import Rendered

log = logging.getLogger(__name__)


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
    dark, reference : BackgroundRules
        What is wanted of darks and references.
    monotonic_ns : callable
        The clock by which darks and references age.
    clock_offset : callable
        Reference clock minus the host's and its bound, ms; stands beside the host's time of each capture.
    made : callable
        Told of each result that the engine made here, once it is stored, in the thread that made it: it must not wait.
    readings : callable
        Measures the named traces of a spectrum; they are stored with its result.
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
        dark: BackgroundRules = DARK_RULES,
        reference: BackgroundRules = REFERENCE_RULES,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        clock_offset: Callable[[], tuple[float | None, float | None]] = lambda: (None, None),
        made: Callable[[Made], None] = lambda _: None,
        readings: Measure = no_readings,
    ) -> None:
        self._store = store
        self._recipe = recipe
        self._upload = upload
        self._clock_offset = clock_offset
        self._done = done
        self._backlog = Backlog(store)
        self._made, self._readings = made, readings
        self._trouble = Trouble()
        self._runs = Runs(store, self._trouble)
        self._losses = Losses(store, self._trouble, self._runs)
        self._backgrounds = Backgrounds(store, dark, reference, monotonic_ns=monotonic_ns)
        self._judging = Judging(store, self._backgrounds)
        self._turns = Turns(
            store, self._backlog, self._judging, self._trouble, process=self.process,
            damaged=self._backgrounds.drop_damaged, first=self._write_rest, beat=beat, name=name,
        )  # fmt: skip

    def start(self) -> None:
        """Start the thread; entries that an earlier process left without a result come first."""
        self._turns.start()

    def stop(self) -> None:
        """Finish the analysis at hand and end the thread; what still waits is found again at the next start."""
        self._turns.stop()
        self._close_books()
        for reason, slots in self.unrecorded().items():
            log.error("%d lost slots (%s) could not be written to the ledger", slots, reason)

    def _close_books(self) -> None:
        """Write losses and ends of runs, and the losses that show when the last captures reach the disk or do not."""
        try:
            self._store.write(lambda _: None).result()
        except StoreError as error:
            self._trouble.is_now(str(error))
        self._losses.flush_soon()
        self._write_rest()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._turns.alive

    def idle(self) -> bool:
        """Whether every stored entry has its result or its reason, and every dark and reference its verdict."""
        return self._judging.idle and self._backlog.empty()

    # -- from the acquisition threads --------------------------------------------------------------------------------

    def accept(self, capture: Capture, short: Capture | None = None) -> str:
        """Queue a capture for storing; returns "" or the reason why it cannot be taken over.

        ``short`` is the shorter exposure of a bracketed sample: stored with it or not at all, and no entry of its own.
        """
        offset_ms, bound_ms = self._clock_offset()
        if offset_ms is not None:
            capture = replace(capture, clock_offset_ms=offset_ms, clock_bound_ms=bound_ms)
        try:
            entry, modelled = self._backgrounds.take_in(capture, short)
            run = self._runs.unwritten(capture.device.name, capture.run_id)
            saved = self._store.save_capture(
                capture, entry, upload=self._upload, run=run, short=short, modelled_dark=modelled
            )
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

    def label_run(self, run: RunRecord) -> None:
        """Keep the labels that a run has from now on; StoreError when they cannot be."""
        self._store.label_run(run).result()

    def settle(self, started: HostTime) -> None:
        """Account for the slots that were due while no daemon ran, because the last one was killed."""
        self._backgrounds.booted(started.boot_id)
        self._runs.settle(started)

    def due(self, kind: Kind, conditions: Conditions) -> str | None:
        """Say why a dark or a reference is due under these conditions, None when none is; answers at once."""
        try:
            return self._backgrounds.due(kind, conditions)
        except StoreError as error:
            self._trouble.is_now(str(error))
            return None

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
            self._backgrounds.not_stored(capture)
            return
        self._trouble.is_over()
        self._runs.known(capture.device.name, capture.run_id)
        self._losses.flush_soon()
        self._backgrounds.stored(entry)
        if entry is None:
            self._judging.stored(capture)
            self._backlog.wake()
        else:
            self._backlog.put(entry.data_id)

    # -- results -----------------------------------------------------------------------------------------------------

    def _write_rest(self) -> None:
        """Write losses and ends of runs that could not be written before."""
        self._losses.flush()
        self._runs.flush()

    def process(self, data_id: str) -> Result | None:
        """Analyse an entry with today's engine and recipe and store the result as its next revision; overrides stay.

        None when the engine refuses the spectrum.

        Raises
        ------
        StoreError
            When the entry is unknown or the result cannot be stored.
        """
        result = self._analysing.result(data_id, self._recipe)
        self._done()
        return result

    @cached_property
    def _analysing(self) -> Analysing:
        from oesd.processing.analysing import Analysing  # storing needs no engine: it comes with the first spectrum

        return Analysing(self._store, self.metadata, self._made, self._readings)

    def use(
        self, recipe: Recipe, dark: BackgroundRules = DARK_RULES, reference: BackgroundRules = REFERENCE_RULES
    ) -> None:
        """Analyse with another recipe, and choose by other rules, from now on."""
        self._recipe = recipe
        self._backgrounds.use(dark, reference)

    def keep(self, message: bytes) -> dict[str, str]:
        """Store what workers made of entries; see :func:`~oesd.processing.keeping.keep_answers`."""
        from oesd.processing.keeping import keep_answers, unpack_answers

        kept = keep_answers(self._store, unpack_answers(message), self.metadata, self._readings)
        self._done()
        return kept

    @property
    def recipe(self) -> Recipe:
        """The recipe of every analysis from now on."""
        return self._recipe

    def ingested(self, data_id: str) -> None:
        """A file has become an entry of the hub: analyse it next."""
        self._backlog.put(data_id)

    # -- what others are told of an entry ----------------------------------------------------------------------------

    def metadata(self, data_id: str) -> dict[str, Any]:
        """Build the ``spectral_metadata`` of an entry: of its capture, or what its file's header says."""
        from oesd.processing.rendering import entry_metadata

        return entry_metadata(self._store, data_id)

    def proving_scans(self, conditions: Conditions) -> int:
        """Scans that a dark under these conditions takes to prove itself: with fewer it is perhaps dark, or refused."""
        return self._backgrounds.proving_scans(conditions)

    def library_state(self) -> dict[str, dict[str, Any]]:
        """By spectrometer: darks and references with the last verdicts, the dark model, what is due; JSON-ready."""
        return self._backgrounds.state()

    def render(self, data_id: str, form: Literal["columns", "json"]) -> Rendered:
        """Build the file that an entry is forwarded as, from its latest result; the same state gives the same bytes."""
        from oesd.processing.rendering import rendered

        return rendered(self._store, data_id, form)
