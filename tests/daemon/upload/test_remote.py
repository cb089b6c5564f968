"""The API's result beside ours: differences, words of persons there, contradictions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import QUICK, START, Bench, analysis

from oesd.store import OutboxItem
from oesd.store import OutboxState as S
from oesd.store.remote import RemoteResult
from oesd.upload.client import OesApi
from oesd.upload.key import ApiKey
from oesd.upload.means import Pace

CHANGES = Pace(workers=1, changes_s=60.0)


@pytest.fixture
def known(bench: Bench) -> OutboxItem:
    """A record with two peaks here: one that both see, one that only we see."""
    record = bench.record()
    local = analysis((417.22, ("Ga_417.2", "Mn_417.3")), (409.0, ("Ar_409.0",)))
    bench.store.save_result(record.data_id, local, {}).result()
    return record


def remote(bench: Bench, known: OutboxItem) -> RemoteResult:
    found = bench.store.remote.load(known.data_id)
    assert found is not None
    return found


def element_here(bench: Bench, known: OutboxItem) -> str | None:
    result = bench.store.result(known.data_id)
    assert result is not None
    return result.analysis.detected_peaks[0].element


def named_there(server: FaultServer, known: OutboxItem, element: str, updated: str = "") -> None:
    peak = server.results[known.remote_data_id]["detected_peaks"][1]
    peak.update(manual=True, element=element)
    if updated:
        server.entries[known.remote_data_id].updated = updated


def test_a_remote_result_is_kept_with_what_differs(bench: Bench, server: FaultServer, known: OutboxItem) -> None:
    item = bench.until(known, S.PROCESSED)
    kept = remote(bench, known)
    texts = [d["text"] for d in kept.differences]
    assert texts == ["peak at 409.00 nm found only here: no name", "peak at 403.31 nm found only there: no name"]
    assert kept.conflicts == []
    assert kept.revision == 1
    assert kept.document["data_id"] == item.remote_data_id
    assert not {"wavelengths", "sample"} & set(kept.document)
    assert bench.forwarder.state()["remote"] == {"differing": 1, "conflicting": 0}


def test_the_same_result_is_noted_and_takes_no_room(bench: Bench, server: FaultServer) -> None:
    record = bench.record()
    bench.store.save_result(record.data_id, analysis((403.31, ("Ga_403.3",)), (417.2, ("Ga_417.2",))), {}).result()
    bench.until(record, S.PROCESSED)
    assert (remote(bench, record).differences, remote(bench, record).document) == ([], {})


def test_other_numbers_in_the_spectrum_are_told(bench: Bench, server: FaultServer, known: OutboxItem) -> None:
    bench.until(known, S.CONFIRMED)
    data_id = bench.item(known).remote_data_id
    server.results[data_id]["scope_corrected"] = [float(n + (900 if n == 7 else 0)) for n in range(32)]
    bench.until(known, S.PROCESSED)
    assert "the corrected spectra differ by up to 900 counts" in [d["text"] for d in remote(bench, known).differences]


def test_a_name_given_there_is_taken_over_and_not_sent_back(
    bench: Bench, server: FaultServer, known: OutboxItem
) -> None:
    item = bench.until(known, S.CONFIRMED)
    named_there(server, item, "Mn")
    bench.until(known, S.PROCESSED)
    assert element_here(bench, known) == "Mn"
    result = bench.store.result(known.data_id)
    assert result is not None
    assert result.analysis.detected_peaks[0].manual
    bench.step(seconds=100)
    assert server.patches == []
    assert remote(bench, known).conflicts == []


def test_a_name_that_is_no_candidate_here_is_shown(bench: Bench, server: FaultServer, known: OutboxItem) -> None:
    item = bench.until(known, S.CONFIRMED)
    named_there(server, item, "Xe")
    bench.until(known, S.PROCESSED)
    assert "peak at 417.22 nm named by hand there; no candidate here: no name against Xe" in [
        d["text"] for d in remote(bench, known).differences
    ]
    assert element_here(bench, known) is None


def test_a_name_changed_there_later_is_found_and_taken_over(
    bench: Bench, server: FaultServer, known: OutboxItem
) -> None:
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    bench.step(seconds=61)
    asked = server.count("oes")
    bench.step(seconds=61)
    assert server.count("oes") == asked  # nothing changed: nothing is fetched
    named_there(server, item, "Mn", (bench.now + timedelta(seconds=10)).isoformat())
    bench.step(seconds=61)
    assert element_here(bench, known) == "Mn"


@pytest.mark.parametrize("heedless", [False, True])
def test_a_change_among_thousands_is_found(
    bench: Bench, server: FaultServer, known: OutboxItem, heedless: bool
) -> None:
    """An answer has a page of the newest; ours is older than all that others have changed."""
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    bench.step(seconds=61)
    named_there(server, item, "Mn", (bench.now + timedelta(seconds=10)).isoformat())
    for k in range(730):
        later = (bench.now + timedelta(seconds=2 + k % 50)).isoformat()
        other = f"ffffffff-0000-7000-8000-{k:012d}"
        server.entries[other] = faults.Entry(other, f"{other}.txt", "", updated=later)
    server.page, server.heedless = 100, heedless
    asked = server.count("entries")
    bench.step(seconds=61)
    assert (element_here(bench, known) == "Mn") is not heedless
    assert server.count("entries") - asked <= 60


def test_two_persons_who_contradict_each_other_are_shown_and_neither_overruled(
    bench: Bench, server: FaultServer, known: OutboxItem
) -> None:
    item = bench.until(known, S.PROCESSED)
    named_there(server, item, "Mn")
    bench.store.assign(known.data_id, "p2", "Ga_417.2", now=bench.now)
    bench.step()
    assert server.patches == []
    (conflict,) = remote(bench, known).conflicts
    assert conflict["text"] == "peak at 417.22 nm named by hand here and there: Ga against Mn"
    assert element_here(bench, known) == "Ga"
    assert bench.forwarder.state()["remote"]["conflicting"] == 1
    # Who has seen it and assigns again has decided.
    bench.now += timedelta(seconds=60)
    bench.store.assign(known.data_id, "p2", "Ga_417.2", now=bench.now)
    bench.step()
    assert server.patches == [(item.remote_data_id, "p2", "Ga_417.2")]
    assert remote(bench, known).conflicts == []


def test_our_own_earlier_word_is_no_contradiction(bench: Bench, server: FaultServer, known: OutboxItem) -> None:
    item = bench.until(known, S.PROCESSED)
    server.results[item.remote_data_id]["detected_peaks"][1]["candidates"].append({"candidate_key": "Mn_417.3"})
    for key in ("Ga_417.2", "Mn_417.3", "Ga_417.2"):
        bench.now += timedelta(seconds=10)
        bench.store.assign(known.data_id, "p2", key, now=bench.now)
        bench.step()
    assert [key for _, _, key in server.patches] == ["Ga_417.2", "Mn_417.3", "Ga_417.2"]


@pytest.mark.parametrize(
    "document",
    [{"detected_peaks": 17}, {"detected_peaks": [{"peak_id": "x"}]}, {"detected_peaks": [None]}],
)
def test_a_result_of_another_shape_is_asked_for_again_and_harms_nothing(
    bench: Bench, server: FaultServer, known: OutboxItem, document: dict[str, Any]
) -> None:
    item = bench.until(known, S.CONFIRMED)
    good = server.results[item.remote_data_id]
    server.results[item.remote_data_id] = {"data_id": item.remote_data_id} | document
    for _ in range(4):
        bench.step(seconds=60)
    assert bench.item(known).state is S.CONFIRMED
    server.results[item.remote_data_id] = good
    bench.until(known, S.PROCESSED)


def test_without_results_nothing_is_fetched(bench: Bench, server: FaultServer, known: OutboxItem) -> None:
    bench.new_forwarder(Pace(chores=False, workers=1, results=False))
    bench.until(known, S.PROCESSED)
    assert server.count("oes") == 0
    assert bench.store.remote.load(known.data_id) is None


def test_changes_are_asked_for_again_after_a_failure(bench: Bench, server: FaultServer, known: OutboxItem) -> None:
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    bench.step(seconds=61)
    named_there(server, item, "Mn", (bench.now + timedelta(seconds=10)).isoformat())
    server.script("entries", faults.html)
    bench.step(seconds=61)
    assert element_here(bench, known) is None
    bench.step(seconds=61)
    assert element_here(bench, known) == "Mn"
    assert bench.now - START < timedelta(hours=1)


def test_what_was_changed_there_during_an_outage_is_found_after_it(
    bench: Bench, server: FaultServer, known: OutboxItem
) -> None:
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    bench.step(seconds=61)
    named_there(server, item, "Mn", (bench.now + timedelta(seconds=30)).isoformat())
    server.script("entries", *[faults.status(500)] * 6)
    for _ in range(6):
        bench.step(seconds=600)
    assert element_here(bench, known) is None
    bench.step(seconds=600)
    assert element_here(bench, known) == "Mn"


def test_what_was_changed_there_while_the_daemon_was_off_for_a_week_is_found(
    bench: Bench, server: FaultServer, known: OutboxItem
) -> None:
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    named_there(server, item, "Mn", (bench.now + timedelta(hours=1)).isoformat())
    bench.now += timedelta(days=7)
    bench.restart()
    bench.step()
    assert element_here(bench, known) == "Mn"


@pytest.mark.parametrize("has_clock", [True, False])
def test_a_host_clock_that_is_ahead_of_theirs_hides_no_change(
    bench: Bench, server: FaultServer, known: OutboxItem, has_clock: bool
) -> None:
    ahead = timedelta(minutes=20)

    def theirs() -> float:
        return (bench.now - ahead).timestamp() * 1e3

    api = OesApi(server.url, ApiKey(faults.KEY), deadlines=QUICK, clock=lambda: bench.now.timestamp())
    bench.api.close()
    bench.api = api

    def tell(_: Any) -> Any:
        return {"receivedAtUnixMs": theirs(), "transmittedAtUnixMs": theirs()}

    server.script("clock", *[faults.edited(tell) if has_clock else faults.status(404)] * 50)
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    server.entries[item.remote_data_id].updated = (bench.now - ahead).isoformat()
    bench.step(seconds=61)
    for _ in range(3):
        bench.step(seconds=61)
    named_there(server, item, "Mn", (bench.now - ahead + timedelta(seconds=5)).isoformat())
    bench.step(seconds=61)
    assert element_here(bench, known) == "Mn"


def test_a_result_that_cannot_be_fetched_now_is_fetched_with_the_next_look(
    bench: Bench, server: FaultServer, known: OutboxItem
) -> None:
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    bench.step(seconds=61)
    named_there(server, item, "Mn", (bench.now + timedelta(seconds=10)).isoformat())
    server.script("oes", faults.html)
    bench.step(seconds=61)
    assert element_here(bench, known) is None
    bench.step(seconds=600)
    assert element_here(bench, known) == "Mn"


def test_a_clock_beyond_any_number_and_a_damaged_row_do_not_slow_the_queue(
    bench: Bench, server: FaultServer, known: OutboxItem
) -> None:
    """A chore that raised would end each round: the thread then waits half a minute."""
    bench.new_forwarder(CHANGES)
    item = bench.until(known, S.PROCESSED)
    bench.step(seconds=61)
    bench.store.write(lambda db: db.execute("UPDATE remote_results SET sha256 = x'00'")).result()
    named_there(server, item, "Mn", (bench.now + timedelta(seconds=10)).isoformat())
    huge = b"1" + b"0" * 400
    server.script("clock", *[faults.raw(b'{"receivedAtUnixMs": %s, "transmittedAtUnixMs": 1}' % huge)] * 3)
    server.entries["x"] = faults.Entry(
        "ffffffff-0000-7000-8000-000000000000", "a.txt", "", updated="0001-01-01T00:00:00+23:59"
    )
    server.heedless = True
    for _ in range(3):
        bench.step(seconds=400)
    assert element_here(bench, known) == "Mn"


def test_an_entry_that_was_let_go_meanwhile_is_passed_over(bench: Bench, known: OutboxItem) -> None:
    chores = bench.new_forwarder(CHANGES)._chores  # the hour between look and fetch is a moment's race
    item = bench.until(known, S.PROCESSED)
    chores._to_fetch = [(item.remote_data_id, "00000000-0000-7000-8000-000000000000")]
    bench.step(seconds=61)
    assert chores._to_fetch == []
