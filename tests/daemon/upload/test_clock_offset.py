"""The API's clock against the host's: noted, never applied."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import START, Bench

from oesd.store import OutboxState as S
from oesd.upload.answers import GatewayTime
from oesd.upload.clock_offset import ClockOffset
from oesd.upload.means import Pace

DECADE_MS = 10 * 366 * 86_400_000.0


def test_the_exchange_with_the_least_delay_is_believed() -> None:
    clock = ClockOffset()
    assert clock.best is None
    for offset_ms, bound_ms in ((100.0, 50.0), (120.0, 2.0), (90.0, 30.0)):
        clock.asked(START, GatewayTime(offset_ms, bound_ms))
    assert clock.best == GatewayTime(120.0, 2.0)


def test_old_exchanges_are_forgotten() -> None:
    clock = ClockOffset()
    clock.asked(START, GatewayTime(100.0, 0.1))
    for _ in range(8):
        clock.asked(START, GatewayTime(110.0, 5.0))
    assert clock.best == GatewayTime(110.0, 5.0)


def test_after_the_host_was_set_only_new_exchanges_count() -> None:
    clock = ClockOffset()
    clock.asked(START, GatewayTime(3_600_000.0, 0.1))
    clock.asked(START, GatewayTime(5.0, 20.0))
    assert clock.best == GatewayTime(5.0, 20.0)


def test_it_is_asked_a_few_times_then_every_five_minutes() -> None:
    clock, now, asked = ClockOffset(), START, 0
    while now < START + timedelta(minutes=16):
        if clock.is_due(now):
            clock.asked(now, None)
            asked += 1
        now += timedelta(seconds=1)
    assert asked == 4 + 3


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_server_that_lies_by_ten_years_moves_nothing(bench: Bench, server: FaultServer, sign: int) -> None:
    lie = 1.8e12 + sign * DECADE_MS
    server.script("clock", *[faults.answer({"receivedAtUnixMs": lie, "transmittedAtUnixMs": lie})] * 9)
    bench.new_forwarder(Pace(workers=1))
    known = bench.record()
    item = bench.until(known, S.PROCESSED)
    assert abs(item.next_attempt_at_utc - START) < timedelta(hours=1)
    state = bench.forwarder.state()["clock"]
    assert abs(state["offset_ms"]) > 9 * 365 * 86_400_000
    assert state["note"] == "the API's clock and the host's are more than a day apart"


def test_an_api_without_a_clock_is_no_failure(bench: Bench, server: FaultServer) -> None:
    server.script("clock", *[faults.status(404), faults.html, faults.reset] * 3)
    bench.new_forwarder(Pace(workers=1))
    known = bench.record()
    bench.until(known, S.PROCESSED)
    assert bench.forwarder.state()["state"] == "ok"
    assert bench.forwarder.clock_offset is None
