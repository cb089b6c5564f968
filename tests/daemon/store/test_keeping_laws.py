"""Whatever happens in whatever order: what goes was allowed to go, the newest stays, and every sum adds up."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.daemon.store.making import NOW, device, loss
from tests.daemon.store.test_inspection import inspected
from tests.daemon.store.test_keeping import DAY_US, GB, Desk, adds_up
from tests.support.stores import open_store

from oesd.model import Entry
from oesd.store import OutboxState, StoreFull
from oesd.store.keeping import KeepingRules

NAMES = ("chamber-a", "chamber-b")
SEGMENT_BYTES = 300
"""Four spectra of these: files come and go with the records in them."""


class Retention(RuleBasedStateMachine):
    """A store whose disk fills and empties, whose clock jumps, whose uploads come and go."""

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.now = NOW
        self.rules = KeepingRules(segment_bytes=SEGMENT_BYTES)
        self.slots = dict.fromkeys(NAMES, 0)
        self.made: dict[str, tuple[Entry, str, float]] = {}
        self.uploads: dict[str, OutboxState | None] = {}
        self.gone: set[str] = set()
        self.lived_s = 0.0
        self._open()

    def _open(self) -> None:
        self.store = open_store(Path(self.directory.name) / "data", clock=lambda: self.now)
        self.desk = Desk(self.store, self.rules)

    def teardown(self) -> None:
        self.store.close()
        assert inspected(Path(self.directory.name) / "data") == []
        self.directory.cleanup()

    @rule(name=st.sampled_from(NAMES), upload=st.booleans(), done=st.booleans(), skip=st.integers(0, 2))
    def spectrum(self, name: str, upload: bool, done: bool, skip: int) -> None:
        slot = self.slots[name] + skip
        try:
            made = self.desk.spectrum(slot, upload=upload, done=done, of=device(name, pixels=16))
        except StoreFull:
            self.store.record_loss(loss("disk full")).result(10)
            return
        self.slots[name] = slot + 1
        self.made[made.data_id] = made, name, self.lived_s
        self.uploads[made.data_id] = OutboxState.STORED if upload else None

    @precondition(lambda self: self.there())
    @rule(place=st.integers(0, 1000), state=st.sampled_from(OutboxState))
    def upload(self, place: int, state: OutboxState) -> None:
        there = self.there()
        data_id = there[place % len(there)]
        if self.uploads[data_id] is not None:
            self.desk.upload(self.made[data_id][0], state)
            self.uploads[data_id] = state

    @precondition(lambda self: self.there())
    @rule(place=st.integers(0, 1000))
    def read(self, place: int) -> None:
        there = self.there()
        assert self.store.measurement(there[place % len(there)]) is not None

    @rule(days=st.floats(-4000, 4000, allow_nan=False))
    def step_of_the_clock(self, days: float) -> None:
        self.now += timedelta(days=days)

    @rule(hours=st.integers(1, 40))
    def life(self, hours: int) -> None:
        self.desk.pass_time(hours / 24)
        self.lived_s += hours * 3600

    @rule(free=st.sampled_from([0, GB // 2, 100 * GB]))
    def disk(self, free: int) -> None:
        self.desk.free = free

    @rule(
        on_full=st.sampled_from(["stop", "drop_confirmed", "drop_oldest_unconfirmed"]),
        keep=st.sampled_from([0, DAY_US]),
        full_rate=st.sampled_from([0, DAY_US]),
        segment=st.sampled_from([0, SEGMENT_BYTES]),
    )
    def order(self, on_full, keep: int, full_rate: int, segment: int) -> None:
        self.rules = KeepingRules(on_full, keep_confirmed_us=keep, full_rate_us=full_rate, segment_bytes=segment)
        self.desk.keeping.use(self.rules)

    @rule()
    def reopen(self) -> None:
        free = self.desk.free
        self.store.close()
        self._open()
        self.desk.free = free

    @rule()
    def work(self) -> None:
        self.desk.work()
        left = set(self.desk.there())
        for data_id in self.made.keys() - self.gone - left:
            self.may_go(data_id)
        assert left == self.made.keys() - self.gone

    def may_go(self, data_id: str) -> None:
        self.gone.add(data_id)
        stone, state = self.store.tombstone(data_id), self.uploads[data_id]
        made, name, stored_s = self.made[data_id]
        confirmed = state in (OutboxState.CONFIRMED, OutboxState.PROCESSED)
        assert stone is not None
        assert stone.record_id == made.sample_id
        kept_us = 1e6 * (self.lived_s - stored_s)
        if stone.reason == "thinned":
            assert confirmed or state is None
            assert kept_us >= max(self.rules.full_rate_us, self.rules.keep_confirmed_us) > 0
        elif stone.reason == "confirmed":
            assert confirmed
            assert self.rules.on_full != "stop"
            assert kept_us >= self.rules.keep_confirmed_us
            assert self.desk.free < GB
        else:
            assert stone.reason == "unconfirmed"
            assert state in (None, OutboxState.STORED)
            assert self.rules.on_full == "drop_oldest_unconfirmed"
            assert self.desk.free < GB
        assert [k for k, (_, of, _) in self.made.items() if of == name][-1] != data_id, "the newest stays"

    def there(self) -> list[str]:
        return sorted(self.made.keys() - self.gone)

    @invariant()
    def sums(self) -> None:
        adds_up(self.store)


Retention.TestCase.settings = settings(max_examples=10, stateful_step_count=25)
TestRetention = Retention.TestCase


def walked(seed: int, steps: int, told_every: int = 100) -> int:
    """Go as many steps at random, without hypothesis, which does not go so far; the sums are looked at now and then.

    Returns
    -------
    int
        How many spectra were let go on the way.
    """
    chance, machine = Random(seed), Retention()
    machine.open()
    moves = [
        *6 * [lambda: machine.spectrum(chance.choice(NAMES), chance.random() < 0.7, chance.random() < 0.9,
                                       chance.choice([0, 0, 0, 1, 2]))],
        *4 * [lambda: machine.there() and machine.upload(chance.randrange(1000), chance.choice(list(OutboxState)))],
        lambda: machine.there() and machine.read(chance.randrange(1000)),
        lambda: machine.step_of_the_clock(chance.uniform(-400, 400)),
        *2 * [lambda: machine.life(chance.randint(1, 40))],
        lambda: machine.disk(chance.choice([0, GB // 2, 100 * GB, 100 * GB])),
        lambda: machine.order(
            chance.choice(["stop", "drop_confirmed", "drop_oldest_unconfirmed"]),
            chance.choice([0, DAY_US]), chance.choice([0, DAY_US]), chance.choice([0, SEGMENT_BYTES, SEGMENT_BYTES]),
        ),
        *2 * [machine.work],
    ]  # fmt: skip
    try:
        for step in range(steps):
            chance.choice(moves)()
            if step % told_every == 0:
                machine.sums()
                machine.reopen()
    finally:
        machine.teardown()
    return len(machine.gone)


def test_a_long_walk_breaks_no_law() -> None:
    assert walked(2, 120) > 5
