"""A backlog is drained while live spectra go on arriving: neither starves the other, in either order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import Bench

from oesd.model import new_id
from oesd.store import OutboxItem
from oesd.store import OutboxState as S
from oesd.upload.means import Pace

DONE = (S.CONFIRMED, S.PROCESSED)


@pytest.mark.parametrize("batch", [1, 20])
@pytest.mark.parametrize("newest_first", [False, True])
def test_live_spectra_arrive_within_ten_seconds_and_the_backlog_gets_on(
    bench: Bench, server: FaultServer, newest_first: bool, batch: int
) -> None:
    run = new_id()
    backlog = [bench.record(run_id=run) for _ in range(120 * (1 if batch == 1 else 2))]
    bench.new_forwarder(Pace(chores=False, workers=2, newest_first=newest_first, batch=batch, batch_wait_s=4.0))
    live: list[tuple[OutboxItem, float]] = []
    oldest_left = []
    for second in range(20):
        live.append((bench.record(run_id=run), second))
        bench.step(seconds=1.0)
        for known, since in live:
            if second - since >= 10:
                assert bench.item(known).state in DONE, f"stored {second - since} s ago"
        oldest_left.append(sum(bench.item(k).state not in DONE for k in backlog[:20]))
    assert oldest_left[-1] < 20, "the far end of the backlog gets on too"
    for known in [*backlog, *(k for k, _ in live)]:
        bench.until(known, *DONE)
    assert bench.store.outbox.counts().keys() <= {"confirmed", "processed"}


def test_after_an_outage_the_queue_goes_on_from_the_table_alone(bench: Bench, server: FaultServer) -> None:
    """Offline with records at every stage, then a restart: nothing is kept anywhere but in the store."""
    known = [bench.record() for _ in range(30)]
    for _ in range(3):
        bench.step()
    server.key = "another-key"
    bench.step(seconds=60)
    bench.restart()
    known += [bench.record() for _ in range(10)]
    bench.step(seconds=timedelta(days=7).total_seconds())
    server.key = "canary-4711-fault-server"
    for k in known:
        bench.until(k, S.PROCESSED)
    assert all(len(server.uploaded(k.record_id)) == 1 for k in known)
