"""The thread of the room: one judgement, one model or one analysis at a time, for as long as the daemon runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from oesd.processing.backlog import Backlog
from oesd.processing.judging import Judging
from oesd.processing.trouble import Trouble
from oesd.store import Store, StoreDamaged, StoreError, UnknownEntry

log = logging.getLogger(__name__)

_BEAT_S, _WAIT_S, _PAUSE_S, _LAST_TURN_S = 60.0, 0.25, 1.0, 30.0
DEFECT = "a defect in oesd stopped the analysis, see the log; oesd reprocess tries it again"
ENDED = "oesd ended twice before the analysis of this did; oesd reprocess tries it again"


class Turns:
    """Works off what waits.

    One spectrum must not end the daemon, which measures others meanwhile: one that meets a defect of ours is set aside
    by name. One that ends the process itself (its memory, a hang that a watchdog cuts short) is known by a note that is
    written before what an earlier process left behind is analysed: where two are there already, it is set aside.

    Parameters
    ----------
    process : callable
        Analyses an entry by its id.
    damaged : callable
        Told of an entry of which a part is damaged.
    first : callable
        Done before each turn: writes what could not be written before.
    beat : callable
        Called with the name and the seconds within which it will be called again.
    """

    def __init__(
        self,
        store: Store,
        backlog: Backlog,
        judging: Judging,
        trouble: Trouble,
        *,
        process: Callable[[str], object],
        damaged: Callable[[str], None],
        first: Callable[[], None],
        beat: Callable[[str, float], None],
        name: str,
    ) -> None:
        self._store, self._backlog, self._judging, self._trouble = store, backlog, judging, trouble
        self._process, self._damaged, self._first, self._beat = process, damaged, first, beat
        self._name = name
        self._at_hand = ""
        self._tried: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; entries that an earlier process left without a result come first."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is at hand and end the thread; what still waits is found again at the next start."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_LAST_TURN_S)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _main(self) -> None:
        while not self._stop.is_set():
            self._beat(self._name, _BEAT_S)
            self._at_hand = ""
            try:
                self._first()
                self._turn()
            except StoreError as error:
                self._wait_for_the_store(error)
            except Exception:
                # The top of the thread. What no spectrum is to blame for ends it: the supervisor sees that.
                log.exception("the %s thread: a defect in oesd, at entry %s", self._name, self._at_hand or "-")
                if not self._set_aside():
                    return

    def _turn(self) -> None:
        """Judge a dark or a reference, or learn a dark model, before the next analysis."""
        if self._judge() or self._stop.is_set():
            return
        data_id = self._backlog.take(_WAIT_S)
        if not data_id:
            return
        self._at_hand = data_id
        try:
            if self._may_begin(data_id):
                self._process(data_id)
            self._tried.discard(data_id)
        except StoreDamaged as error:
            log.error("entry %s: %s", data_id, error)
            self._store.fail_result(data_id, str(error)).result()
            with suppress(StoreError):  # the next sample that it spoils tries again
                self._damaged(data_id)
        except UnknownEntry:
            log.info("entry %s was deleted before it was analysed", data_id)

    def _judge(self) -> bool:
        """A judgement that cannot be stored keeps no analysis waiting."""
        try:
            return self._judging.turn()
        except StoreError as error:
            self._wait_for_the_store(error)
            return False

    def _wait_for_the_store(self, error: StoreError) -> None:
        """A full disk, most likely: what was at hand stays as it is and is found again."""
        self._trouble.is_now(str(error))
        self._backlog.look_again()
        self._stop.wait(_PAUSE_S)

    def _may_begin(self, data_id: str) -> bool:
        if not self._backlog.was_left(data_id) or data_id in self._tried:
            return True
        if not self._store.attempt(data_id).result():
            log.error("entry %s is set aside: %s", data_id, ENDED)
            self._store.fail_result(data_id, ENDED).result()
            return False
        self._tried.add(data_id)
        return True

    def _set_aside(self) -> bool:
        """Have what met a defect met no more, now and by the next start; False when nothing was at hand."""
        try:
            if not self._at_hand:
                return self._judging.set_aside()
            self._store.fail_result(self._at_hand, DEFECT).result()
        except StoreError as error:
            self._wait_for_the_store(error)
        return True
