"""Steps of the host's clock (T7): nothing is let go by them, nothing stalls, and the order of storing stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.daemon.store.test_keeping import adds_up
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import Bench

from oesd.store import OutboxState as S
from oesd.store.keeping import Keeping, KeepingRules
from oesd.upload.steady_clock import SteadyClock

LONGEST_RETRY = timedelta(minutes=15)
DAY_US = 86_400_000_000
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
STEPS = {
    "an hour ahead": (NOON, NOON + timedelta(hours=1)),
    "an hour back": (NOON, NOON - timedelta(hours=1)),
    "ten years ahead": (NOON, NOON + timedelta(days=3652)),
    "out of 1970": (datetime(1970, 1, 1, 0, 3, tzinfo=UTC), NOON),
    "summer time begins": (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, 1, tzinfo=UTC)),
    "summer time ends": (datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC), datetime(2026, 10, 25, 1, 0, 1, tzinfo=UTC)),
    "a leap day": (datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2028, 2, 29, 0, 0, 1, tzinfo=UTC)),
    "eight hours asleep": (NOON, NOON + timedelta(hours=8)),
}


class Host:
    """A host's two clocks: that of the wall, which is set, and the one that only runs."""

    def __init__(self, utc: datetime) -> None:
        self.utc, self.monotonic_s = utc, 0.0

    def run(self, seconds: float) -> None:
        self.utc += timedelta(seconds=seconds)
        self.monotonic_s += seconds


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_clock_purges_and_stalls_nothing(tmp_path: Path, server: FaultServer, step: str) -> None:
    before, after = STEPS[step]
    host, bench = Host(before), Bench(tmp_path / "data", server)
    clock = SteadyClock(lambda: host.utc, lambda: host.monotonic_s)
    rules = KeepingRules("drop_confirmed", keep_confirmed_us=DAY_US, full_rate_us=DAY_US)
    keeping = Keeping(bench.store, rules, monotonic_s=lambda: host.monotonic_s, free=lambda _: 1 << 40)

    def look(seconds: float = 30.0) -> None:
        host.run(seconds)
        bench.now = clock.now()
        bench.forwarder.step(bench.now)
        keeping.look()

    try:
        bench.now = clock.now()
        done = bench.until(bench.record(), S.PROCESSED)
        host.utc = max(host.utc, bench.now)
        server.script("presign", *[faults.status(503)] * 3)
        known = [bench.record() for _ in range(3)]
        look()
        host.utc = after + (host.utc - before)
        known.append(bench.record())
        began_s = host.monotonic_s
        while any(bench.item(one).state is not S.PROCESSED for one in known):
            look()
            assert host.monotonic_s - began_s < 2 * LONGEST_RETRY.total_seconds(), "a record is stalled"
        stored = [entry.data_id for entry in bench.store.entries()][::-1]
        assert stored == [done.data_id, *(one.data_id for one in known)], "the order of storing, and all of it"
        assert sum(bench.store.tally().tombstoned.values()) == 0
        adds_up(bench.store)
    finally:
        bench.close()
