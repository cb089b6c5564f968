"""When the queue pauses, and what is said about it."""

from __future__ import annotations

import logging
from datetime import timedelta
from random import Random

import pytest
from tests.support.upload_bench import START

from oesd.upload.errors import CredentialBlocked, ProtocolBroken, RetryLater, Unreachable
from oesd.upload.gate import Gate

STORED, PRESIGNED, CONFIRMED, PROCESSED = 0, 1, 4, 5


@pytest.fixture
def gate() -> Gate:
    return Gate(Random(3), probe_s=300.0)


def test_a_pause_is_never_shortened(gate: Gate) -> None:
    gate.failed(RetryLater("429", 429, 600.0), STORED, "a", START)
    until = gate.opens_at
    gate.failed(Unreachable("gone"), STORED, "b", START)
    gate.passed(STORED, CONFIRMED, START)
    assert gate.opens_at == until
    assert until is not None
    assert until >= START + timedelta(seconds=600)
    assert gate.width(until - timedelta(seconds=1), 4) == 0
    assert gate.width(until, 4) == 4


def test_one_goes_first_after_a_failure(gate: Gate) -> None:
    later = START + timedelta(hours=1)
    gate.failed(Unreachable("gone"), STORED, "a", START)
    assert (gate.width(later, 4), gate.careful) == (1, True)
    gate.passed(STORED, CONFIRMED, later)
    assert (gate.width(later, 4), gate.careful) == (4, False)


def test_polls_that_go_through_say_nothing_of_the_bucket(gate: Gate) -> None:
    gate.failed(Unreachable("bucket gone"), PRESIGNED, "a", START)
    gate.passed(CONFIRMED, PROCESSED, START)
    gate.passed(CONFIRMED, CONFIRMED, START)
    assert gate.state()["state"] == "failing"
    gate.passed(STORED, CONFIRMED, START)
    assert gate.state()["state"] == "ok"


def test_one_records_own_trouble_does_not_pause_and_many_do(gate: Gate) -> None:
    for _ in range(10):
        gate.failed(ProtocolBroken("odd"), STORED, "a", START)
    assert gate.width(START, 4) == 4
    gate.failed(ProtocolBroken("odd"), STORED, "b", START)
    gate.failed(ProtocolBroken("odd"), STORED, "c", START)
    assert gate.width(START, 4) == 0


def test_a_refused_key_is_probed_at_its_pace_whatever_else_fails(gate: Gate) -> None:
    gate.failed(CredentialBlocked("presign: 401"), STORED, "a", START)
    later = START + timedelta(seconds=300)
    assert gate.width(later - timedelta(seconds=1), 4) == 0
    assert gate.width(later, 4) == 1
    gate.failed(Unreachable("gone"), STORED, "b", later)
    assert gate.width(later + timedelta(seconds=299), 4) == 0
    assert gate.state()["blocked"] == "credential blocked: presign: 401"
    gate.passed(CONFIRMED, CONFIRMED, later)
    assert gate.state()["blocked"] == ""


def test_it_logs_changes_only(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for n in range(5):
        gate.failed(Unreachable(f"gone {n}"), STORED, "a", START)
    gate.failed(RetryLater("presign: 503", 503), STORED, "a", START)
    gate.failed(RetryLater("presign: 502", 502), STORED, "a", START)
    gate.passed(STORED, CONFIRMED, START)
    gate.passed(STORED, CONFIRMED, START)
    assert [r.message for r in caplog.records] == [
        "upload failing: gone 0",
        "upload failing: presign: 503",
        "upload works again",
    ]
    assert gate.state()["last_error"] == "presign: 502"
