from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.daemon.store.making import NOW, analysis, capture, device, entry, loss, spectrum_file
from tests.support.stores import ON_POSTGRES, open_store

from oesd.model import Entry, Kind, new_id
from oesd.store import OutboxState, Store

SMALL = device(pixels=16)

COUNTED = {
    "stored": "SELECT count(*) FROM captures WHERE kind = 'sample'",
    "darks": "SELECT count(*) FROM captures WHERE kind = 'dark'",
    "references": "SELECT count(*) FROM captures WHERE kind = 'reference'",
    "files": "SELECT count(*) FROM files",
    "processed": "SELECT count(DISTINCT entry_no) FROM results",
    "failed": "SELECT count(*) FROM processing WHERE state = 'failed'",
    "waiting": "SELECT count(*) FROM processing WHERE state = 'waiting'",
    "uploaded": "SELECT count(*) FROM outbox WHERE state IN ('completed', 'uncertain', 'confirmed', 'processed')",
    "confirmed": "SELECT count(*) FROM outbox WHERE state IN ('confirmed', 'processed')",
    "quarantined": "SELECT count(*) FROM outbox WHERE state = 'quarantined'",
    "pending": "SELECT count(*) FROM outbox WHERE state IN ('stored', 'presigned', 'uploaded')",
    "captured": "SELECT (SELECT count(*) FROM captures WHERE kind = 'sample') "
    "+ (SELECT coalesce(sum(slots), 0) FROM losses WHERE kind = 'sample')",
}


class Bookkeeping(RuleBasedStateMachine):
    """Whatever happens in whatever order, the sums are those of the rows, and they add up."""

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.directory.name) / "data")
        self.entries: list[Entry] = []

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    @rule(kind=st.sampled_from(Kind))
    def capture_without_entry(self, kind: Kind) -> None:
        self.store.save_capture(capture(kind, of=SMALL), None, upload=False).result(10)

    @rule(upload=st.booleans(), twice=st.booleans())
    def sample(self, upload: bool, twice: bool) -> None:
        made = capture(of=SMALL)
        of = entry(made)
        for _ in range(1 + twice):
            self.store.save_capture(made, of, upload=upload).result(10)
        self.entries.append(of)

    @rule()
    def file(self) -> None:
        self.store.save_file(new_id(), spectrum_file(pixels=8), b"x", "x").result(10)

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), fail=st.booleans())
    def process(self, data: st.DataObject, fail: bool) -> None:
        data_id = data.draw(st.sampled_from(self.entries)).data_id
        if fail:
            self.store.fail_result(data_id, "no light").result(10)
        else:
            self.store.save_result(data_id, analysis(self.store.measurement(data_id)), {}).result(10)

    @rule(data=st.data(), state=st.sampled_from(OutboxState))
    def upload(self, data: st.DataObject, state: OutboxState) -> None:
        due = self.store.outbox.due(NOW, 100)
        if due:
            self.store.outbox.update(replace(data.draw(st.sampled_from(due)), state=state)).result(10)

    @rule(reason=st.sampled_from(["overrun", "device gone"]), slots=st.integers(1, 9), kind=st.sampled_from(Kind))
    def lose(self, reason: str, slots: int, kind: Kind) -> None:
        self.store.record_loss(loss(reason, slots, kind)).result(10)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(Path(self.directory.name) / "data")

    @invariant()
    def adds_up(self) -> None:
        tally = self.store.tally()
        counted = {
            name: self.store.read(lambda db, q=query: db.execute(q).fetchone()[0]) for name, query in COUNTED.items()
        }
        assert {name: getattr(tally, name) for name in COUNTED} == counted
        assert tally.captured == tally.stored + sum(tally.lost.values())
        assert tally.processed + tally.failed + tally.waiting == len(self.entries) + tally.files
        assert tally.uploaded + tally.pending + tally.quarantined == sum(self.store.outbox.counts().values())


Bookkeeping.TestCase.settings = settings(max_examples=3 if ON_POSTGRES else 12, stateful_step_count=20)
TestBookkeeping = Bookkeeping.TestCase


def test_losses_are_listed_with_their_reasons(store: Store) -> None:
    made = [loss("overrun", 2), loss("device gone", 5), loss("usb error", 1, Kind.DARK)]
    for each in made:
        store.record_loss(each).result(10)
    assert store.losses() == made[::-1]
    assert store.losses(1) == made[2:]
    tally = store.tally()
    assert (tally.lost, tally.captured) == ({"overrun": 2, "device gone": 5}, 7)
    assert tally.lost_calibration == {"usb error": 1}
