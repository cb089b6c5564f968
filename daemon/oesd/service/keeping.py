"""The keeper at work: a thread that keeps the data within their rules."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from oesd.config import StoreSection
from oesd.store import Store, StoreError
from oesd.store.held import NOTHING, Held
from oesd.store.keeping import Keeping, KeepingRules

log = logging.getLogger(__name__)

_PERIOD_S = 10.0
_PAUSE_S = 0.05
"""Between two pieces of work, so that spectra and results come first."""
_NAME = "keeping"


class Keeper:
    """The thread of a store's :class:`~oesd.store.keeping.Keeping`.

    Parameters
    ----------
    store : Store
    rules : KeepingRules
    beat : callable
        Called with a name and the seconds within which it will be called again.
    held : callable
        What is kept whatever the rules say.
    """

    def __init__(
        self,
        store: Store,
        rules: KeepingRules,
        beat: Callable[[str, float], None],
        held: Callable[[], Held] = lambda: NOTHING,
    ) -> None:
        self._keeping = Keeping(store, rules, held=held)
        self._beat = beat
        self._rules = rules
        self._stop = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._main, name=_NAME, daemon=True)

    def start(self) -> None:
        """Look once, so that a full disk is known before the first spectrum, then start the thread."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """Finish the piece of work at hand and end the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(30)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def use(self, rules: KeepingRules) -> None:
        """Keep by other rules from now on."""
        self._rules = rules
        self._keeping.use(rules)

    def state(self) -> dict[str, Any]:
        """As :meth:`oesd.store.keeping.Keeping.state`; the line says what is wrong when the store refuses."""
        state = self._keeping.state()
        return {**state, "line": self._trouble} if self._trouble else state

    def room_bytes(self) -> float | None:
        """Bytes that are left for data; None before it was measured."""
        state = self._keeping.state()
        if "free_bytes" not in state:
            return None
        return float(state["free_bytes"] + state["reusable_bytes"] - self._rules.min_free_bytes)

    def _main(self) -> None:
        try:
            while not self._stop.is_set():
                self._beat(_NAME, 60.0)
                self._stop.wait(_PAUSE_S if self._look() else _PERIOD_S)
        except Exception:
            # The top of the thread: the supervisor sees that it ended.
            log.exception("the %s thread failed", _NAME)

    def _look(self) -> bool:
        try:
            more = self._keeping.look()
        except StoreError as error:
            if str(error) != self._trouble:
                log.error("the data cannot be kept in order: %s", error)
            self._trouble = str(error)
            return False
        self._trouble = ""
        return more


def keeping_rules(section: StoreSection) -> KeepingRules:
    """The section as the store takes it."""
    return KeepingRules(
        on_full=section.on_full,
        min_free_bytes=section.min_free_bytes,
        max_bytes=section.max_size_bytes,
        keep_confirmed_us=section.keep_confirmed_us,
        full_rate_us=section.full_rate_us,
        thin_to_us=section.thin_to_us,
        segment_bytes=section.segment_bytes,
    )
