"""Orders from outside, kept over a restart of the daemon: a growth that is measured goes on under its own labels."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from oesd.acquisition.clock import Clock
from oesd.config import checked_labels
from oesd.model import RunOrder, RunRecord, utc_from_text, utc_text
from oesd.store.directory import replace_durably

log = logging.getLogger(__name__)

_NS_PER_US = 1_000
_EVERYBODY = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order with the moments on the monotonic clock when it was given and by which it is over; None for never."""

    order: RunOrder
    given_ns: int
    until_ns: int | None

    @classmethod
    def now(cls, order: RunOrder, now_ns: int) -> Ordered:
        """An order that is given at this moment."""
        return cls(order, now_ns, now_ns + order.duration_us * _NS_PER_US if order.duration_us else None)

    def rest(self, now_ns: int) -> RunOrder | None:
        """What is left of the order; None when it is over."""
        if self.until_ns is None:
            return self.order
        rest_us = (self.until_ns - now_ns) // _NS_PER_US
        return replace(self.order, duration_us=rest_us) if rest_us > 0 else None

    def fulfilled_by(self, run: RunRecord, now_ns: int) -> bool:
        """Whether a run that ended was all that the order wanted, not one that was cut short or came before."""
        if run.monotonic_ns < self.given_ns or not run.slots:
            return False
        if self.order.burst:
            return not run.paced and run.slots >= self.order.burst
        # Its last slot is served a period before the time is over.
        return self.until_ns is not None and self.until_ns - now_ns <= run.period_us * _NS_PER_US


class OrderBook:
    """The orders that stand, by the name of the spectrometer.

    Parameters
    ----------
    file : Path
        Where they are kept; one that cannot be read is passed over, one that cannot be written is said in the log.
    clock : Clock
        Tells when an order is over; UTC counts only over a restart.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        # None under a name: this one follows the standing order, whatever everybody else does.
        self._orders: dict[str, Ordered | None] = self._read()

    def give(self, names: list[str], order: RunOrder, *, everybody: bool) -> None:
        """Note an order; ``everybody`` includes those that appear later, who take no part in a burst."""
        ordered = Ordered.now(order, self._clock.monotonic_ns())
        if everybody:
            self._orders = {}
        if everybody and not order.burst:
            self._orders[_EVERYBODY] = ordered
        else:
            self._orders |= dict.fromkeys(names, ordered)
        self._write()

    def drop(self, names: list[str], *, everybody: bool) -> None:
        """Note that an order stands no more."""
        if everybody:
            self._orders = {}
        else:
            self._orders |= dict.fromkeys(names, None)
        self._write()

    def label(self, name: str, labels: Mapping[str, str]) -> None:
        """Note other labels for what is left of the order for a spectrometer."""
        ordered = self._of(name)
        if ordered is not None:
            self._orders[name] = replace(ordered, order=replace(ordered.order, labels=dict(labels)))
            self._write()

    def order_of(self, name: str) -> RunOrder | None:
        """What is left of the order for a spectrometer; None when the standing order counts."""
        ordered = self._of(name)
        return None if ordered is None else ordered.rest(self._clock.monotonic_ns())

    def fulfilled(self, run: RunRecord) -> bool:
        """Whether the run that ended was what its spectrometer was ordered to do."""
        ordered = self._of(run.device_name)
        return ordered is not None and ordered.fulfilled_by(run, self._clock.monotonic_ns())

    def _of(self, name: str) -> Ordered | None:
        return self._orders.get(name, self._orders.get(_EVERYBODY))

    # -- the file ----------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        document = {name: self._kept(ordered) for name, ordered in self._orders.items()}
        try:
            replace_durably(self._file, json.dumps(document))
        except OSError as error:
            log.error("%s: cannot be written (%s): the order is lost when the daemon ends", self._file, error.strerror)

    def _kept(self, ordered: Ordered | None) -> dict[str, Any] | None:
        if ordered is None or ordered.order.burst:
            return None
        order, until = ordered.order, None
        if ordered.until_ns is not None:
            rest_us = (ordered.until_ns - self._clock.monotonic_ns()) // _NS_PER_US
            until = utc_text(self._clock.utc() + timedelta(microseconds=rest_us))
        return {
            "labels": dict(order.labels),
            "duration_us": order.duration_us,
            "until_utc": until,
            "every_us": order.every_us,
            "lock_exposure": order.lock_exposure,
        }

    def _read(self) -> dict[str, Ordered | None]:
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
            return {str(name): self._ordered(kept) for name, kept in document.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            log.warning("%s: cannot be read, the standing order counts: %s", self._file, error)
            return {}

    def _ordered(self, kept: Mapping[str, Any] | None) -> Ordered | None:
        if kept is None:
            return None
        every_us = None if kept["every_us"] is None else int(kept["every_us"])
        now_ns = self._clock.monotonic_ns()
        labels, lock = checked_labels(kept["labels"]), bool(kept["lock_exposure"])
        order = RunOrder("order", labels, int(kept["duration_us"]), every_us=every_us, lock_exposure=lock)
        if kept["until_utc"] is None:
            return Ordered(order, now_ns, None)
        rest = utc_from_text(kept["until_utc"]) - self._clock.utc()
        # A clock that was set back meanwhile must not make the order longer than it was.
        rest_us = min(order.duration_us, int(rest / timedelta(microseconds=1)))
        return Ordered(order, now_ns, now_ns + rest_us * _NS_PER_US)
