"""The journey of records through a good server and a bad one."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import START, Bench

from oesd.model import utc_text
from oesd.store import OutboxItem, StoreClosed, StoreDamaged
from oesd.store import OutboxState as S
from oesd.upload.client import PART_BYTES
from oesd.upload.delay import next_delay
from oesd.upload.forwarder import Forwarder
from oesd.upload.means import Pace, RenderedFile
from oesd.upload.samples import Filing


def test_a_record_goes_all_the_way(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    bench.step()
    assert bench.item(known).state is S.CONFIRMED
    bench.step(seconds=1.0)
    assert bench.item(known).state is S.PROCESSED
    assert [e.data for e in server.uploaded(known.record_id)] == [bench.render(known.data_id).data]
    assert [s.route for s in server.seen] == ["presign", "put", "complete", "entries", "download", "fetch", "oes"]
    state = bench.forwarder.state()
    assert (state["state"], state["counts"]) == ("ok", {"processed": 1})
    assert state["last_success_at"] == utc_text(bench.now)


def test_nothing_to_do_is_no_request(bench: Bench, server: FaultServer) -> None:
    assert bench.step() == 0
    assert server.seen == []


def test_parts_are_kept_one_by_one_and_only_the_lost_one_is_sent_again(bench: Bench, server: FaultServer) -> None:
    data = bytes(range(256)) * (PART_BYTES // 256) + b"end"
    known = bench.record(data)
    server.script("put", None, faults.reset)
    bench.step()
    item = bench.item(known)
    assert item.state is S.PRESIGNED
    assert [bool(p.etag) for p in item.parts] == [True, False]
    bench.restart()
    bench.until(known, S.CONFIRMED)
    assert [len(s.body) for s in server.seen if s.route == "put"] == [PART_BYTES, 3, 3]
    assert server.uploaded(known.record_id)[0].data == data
    assert server.count("presign") == 1


def test_a_lost_presign_reply_is_looked_up_and_its_entry_becomes_an_orphan(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("presign", faults.effect_then_reset)
    bench.step()
    lost = next(iter(server.entries))
    assert (bench.item(known).state, bench.item(known).attempts) == (S.STORED, 1)
    item = bench.until(known, S.CONFIRMED)
    assert item.orphaned_ids == (lost,)
    assert item.remote_data_id != lost
    assert len(server.entries) == 2
    assert all(known.record_id in e.name for e in server.entries.values())


def test_an_earlier_upload_with_the_same_bytes_is_not_sent_again(bench: Bench, server: FaultServer) -> None:
    """The server has it all, our own state went back to before the presign's reply (a restored backup)."""
    known = bench.record()
    pinned = bench.until(known, S.CONFIRMED)
    bench.store.outbox.update(_as_before_presign(pinned)).result()
    item = bench.until(known, S.PROCESSED)
    assert item.remote_data_id == pinned.remote_data_id
    assert item.orphaned_ids == ()
    assert server.count("presign") == 1


def test_without_keyword_search_a_lost_reply_costs_a_duplicate_of_the_same_name(
    bench: Bench, server: FaultServer
) -> None:
    known = bench.record()
    server.script("presign", faults.effect_then_reset)
    server.script("entries", faults.status(422))
    bench.until(known, S.PROCESSED)
    assert [known.record_id in e.name for e in server.entries.values()] == [True, True]


def test_an_expired_link_is_replaced_and_never_held_against_the_record(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("put", *[faults.status(403)] * 6)
    item = bench.until(known, S.CONFIRMED)
    assert len(item.orphaned_ids) == 6
    assert server.count("presign") == 7
    assert bench.forwarder.state()["state"] == "ok"


def test_a_bucket_that_refuses_new_links_pauses_the_queue(bench: Bench, server: FaultServer) -> None:
    for _ in range(10):
        bench.record()
    server.script("put", *[faults.status(403)] * 100)
    bench.step()
    assert server.count("presign") == 3
    assert bench.forwarder.state()["state"] == "failing"


def test_a_link_that_grew_old_is_replaced_without_a_word(
    bench: Bench, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    known = bench.record()
    server.script("put", faults.status(503), faults.status(403))
    bench.step()
    caplog.clear()
    bench.now += timedelta(hours=2)
    bench.until(known, S.CONFIRMED)
    assert "upload failing" not in caplog.text


def test_a_bucket_that_moved_while_we_were_down_gets_a_new_link(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("put", faults.status(503))
    bench.step()
    item = bench.item(known)
    assert item.state is S.PRESIGNED
    moved = tuple(replace(part, url="http://127.0.0.1:9/put/x?signature=s") for part in item.parts)
    bench.store.outbox.update(replace(item, parts=moved)).result()
    bench.now += timedelta(seconds=30)
    bench.restart()
    item = bench.until(known, S.CONFIRMED)
    assert item.orphaned_ids == (bench.item(known).orphaned_ids[0],)
    assert server.count("presign") == 2


def test_a_bucket_that_is_down_costs_no_new_link(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("put", faults.status(503))
    bench.step()
    moved = tuple(replace(part, url="http://127.0.0.1:9/put/x?signature=s") for part in bench.item(known).parts)
    bench.store.outbox.update(replace(bench.item(known), parts=moved)).result()
    for _ in range(5):
        bench.step(30)
    assert server.count("presign") == 1
    assert bench.item(known).state is S.PRESIGNED


@pytest.mark.parametrize("code", [404, 409])
def test_complete_that_says_no_is_not_believed_when_the_bytes_are_there(
    bench: Bench, server: FaultServer, code: int
) -> None:
    known = bench.record()
    server.script("complete", faults.effect_then(faults.status(code)))
    bench.step()
    assert bench.item(known).state is S.CONFIRMED
    assert server.count("complete") == 1


@pytest.mark.parametrize("code", [404, 409])
def test_complete_that_says_no_is_not_taken_for_success_when_they_are_not(
    bench: Bench, server: FaultServer, code: int
) -> None:
    known = bench.record()
    server.script("complete", *[faults.status(code)] * 20)
    bench.step()
    assert bench.item(known).state is S.UNCERTAIN
    item = bench.until(known, S.STORED)
    assert len(item.orphaned_ids) == 1
    bench.until(known, S.CONFIRMED)


def test_a_lost_complete_reply_is_settled_by_looking(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("complete", faults.effect_then_reset)
    bench.step()
    assert bench.item(known).state is S.CONFIRMED
    assert server.count("complete") == 1


def test_a_complete_request_that_never_arrived_is_sent_again(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("complete", faults.reset)
    bench.until(known, S.CONFIRMED)
    assert (server.count("complete"), server.count("presign")) == (2, 1)


def test_a_server_that_lies_about_complete_keeps_the_record_waiting(bench: Bench, server: FaultServer) -> None:
    """200 on complete, and the bytes never appear: uploaded anew a few times, then only looked for, never confirmed."""
    known = bench.record()
    server.script("complete", *[faults.answer({"status": "ok"})] * 100)
    for _ in range(100):
        bench.step(seconds=1000)
    item = bench.item(known)
    assert item.state is S.COMPLETED
    assert item.last_error == "bytes not there yet"
    assert server.count("presign") == Pace().most_uploads
    before = len(server.seen)
    bench.step(seconds=1000)
    assert len(server.seen) > before  # it goes on looking


def test_other_bytes_on_the_server_are_never_confirmed(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("fetch", faults.raw(b"something else", "text/plain"), faults.raw(b"x" * 10_000, "text/plain"))
    bench.step()
    assert bench.item(known).state is S.STORED
    item = bench.until(known, S.CONFIRMED)
    assert len(item.orphaned_ids) == 2
    assert len({e.name for e in server.uploaded(known.record_id)}) == 1


def test_an_entry_that_is_not_listed_is_not_confirmed(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("entries", faults.answer([]))
    bench.step()
    assert bench.item(known).state is S.COMPLETED
    bench.until(known, S.CONFIRMED)


def test_single_put_mode_has_nothing_to_complete(bench: Bench, server: FaultServer) -> None:
    known = bench.record()

    def without_upload_id(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [row | {"upload_id": None} for row in rows]

    server.script("presign", faults.edited(without_upload_id))
    bench.step()
    assert bench.item(known).state is S.COMPLETED
    assert server.count("complete") == 0


@pytest.mark.parametrize(("route", "code"), [("presign", 400), ("presign", 422), ("put", 413), ("complete", 422)])
def test_a_refused_record_is_set_aside_and_the_others_go_on(
    bench: Bench, server: FaultServer, caplog: pytest.LogCaptureFixture, route: str, code: int
) -> None:
    poison, good = bench.record(), bench.record()
    server.script(route, faults.status(code, "bad\nrecord"))
    bench.step()
    item = bench.item(poison)
    assert item.state is S.QUARANTINED
    assert str(code) in item.last_error
    assert "\n" not in item.last_error
    assert bench.item(good).state is S.CONFIRMED
    assert [r.message for r in caplog.records if poison.record_id in r.message] == [
        f"record {poison.record_id} refused, others go on: {item.last_error}"
    ]


def test_a_part_that_the_server_lost_is_sent_once_more(bench: Bench, server: FaultServer) -> None:
    """What a hub and S3 say to a completion when a part is missing or damaged there."""
    known = bench.record()
    server.script("complete", faults.status(400, "part 1 is missing on the disk; send it again"))
    item = bench.until(known, S.PROCESSED, S.QUARANTINED)
    assert (item.state, len(item.orphaned_ids)) == (S.PROCESSED, 1)
    assert server.count("put") == 2


def test_a_record_whose_parts_are_never_right_is_set_aside_at_last(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("complete", *[faults.status(400)] * 10)
    assert bench.until(known, S.PROCESSED, S.QUARANTINED).state is S.QUARANTINED
    assert server.count("put") == bench.pace.most_uploads


@pytest.mark.parametrize(
    "replies",
    [
        [faults.effect_then(faults.raw(b""))] * 60,
        [faults.effect_then(faults.status(504)), *[faults.status(500)] * 60],
        [faults.effect_then(faults.html), *[faults.status(422)] * 60],
    ],
    ids=["empty", "gateway gave up", "portal"],
)
def test_a_completion_that_no_answer_tells_of_is_found_by_looking(
    bench: Bench, server: FaultServer, replies: list[faults.Fault]
) -> None:
    known = bench.record()
    server.script("complete", *replies)
    bench.until(known, S.PROCESSED, rounds=20)
    assert server.count("put") == 1


def test_a_completion_that_fails_for_hours_costs_no_second_upload(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("complete", *[faults.status(500)] * 20)
    bench.until(known, S.PROCESSED)
    assert server.count("put") == 1


def test_a_lost_reply_after_many_failures_costs_no_second_upload(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("complete", *[faults.status(500)] * 6, faults.reset)
    bench.until(known, S.PROCESSED)
    assert server.count("put") == 1


def test_a_link_that_may_be_followed_no_longer_is_replaced(bench: Bench, server: FaultServer) -> None:
    """The endpoint or the allowed hosts were changed between two starts."""
    known = bench.record()
    server.script("put", faults.status(503))
    bench.step()
    item = bench.item(known)
    elsewhere = tuple(replace(part, url="http://10.0.0.7/put") for part in item.parts)
    bench.store.outbox.update(replace(item, parts=elsewhere)).result()
    bench.now += timedelta(minutes=5)
    bench.restart()
    bench.until(known, S.PROCESSED, rounds=10)


@pytest.mark.parametrize(("route", "code"), [("presign", 400), ("put", 413), ("complete", 422)])
def test_a_server_that_refuses_everything_does_not_empty_the_queue_into_quarantine(
    bench: Bench, server: FaultServer, route: str, code: int
) -> None:
    known = [bench.record() for _ in range(20)]
    server.script(route, *[faults.status(code)] * 1000)
    for _ in range(120):
        bench.step(seconds=30)
    assert bench.store.outbox.counts()["quarantined"] == 3
    assert server.count(route) <= 30  # an hour
    state = bench.forwarder.state()
    assert state["state"] == "failing"
    assert "one record after another is refused" in state["last_error"]
    server.next_faults_are_over()
    for _ in range(80):
        bench.step(seconds=30)
    assert bench.store.outbox.counts() == {"quarantined": 3, "processed": len(known) - 3}


@pytest.mark.parametrize("problem", [StoreDamaged("checksum"), ValueError("no"), KeyError("gone")])
def test_a_record_that_cannot_be_rendered_is_set_aside(bench: Bench, server: FaultServer, problem: Exception) -> None:
    poison = bench.record()

    def render(data_id: str) -> RenderedFile:
        if data_id == poison.data_id:
            raise problem
        return bench.render(data_id)

    bench.new_forwarder(render=render)
    good = bench.record()
    bench.step()
    assert bench.item(poison).state is S.QUARANTINED
    assert "cannot be rendered" in bench.item(poison).last_error
    assert bench.item(good).state is S.CONFIRMED


@pytest.mark.parametrize("file", [RenderedFile("a.txt", b"", "", None), RenderedFile("a.txt", b"data", "0" * 64, None)])
def test_an_empty_or_altered_file_is_not_sent(bench: Bench, server: FaultServer, file: RenderedFile) -> None:
    known = bench.record()
    bench.new_forwarder(render=lambda _: file)
    bench.step()
    assert bench.item(known).state is S.QUARANTINED
    assert server.seen == []


def test_an_unforeseen_failure_of_one_record_does_not_hold_up_the_others(bench: Bench) -> None:
    poison = bench.record()

    def render(data_id: str) -> RenderedFile:
        if data_id == poison.data_id:
            raise ZeroDivisionError
        return bench.render(data_id)

    bench.new_forwarder(render=render)
    good = bench.record()
    bench.step()
    assert bench.item(good).state is S.CONFIRMED
    assert bench.item(poison).last_error == "unforeseen ZeroDivisionError"
    assert bench.item(poison).next_attempt_at_utc > bench.now


def test_damage_that_one_record_meets_on_its_way_does_not_hold_up_the_others(bench: Bench, server: FaultServer) -> None:
    class Odd(Filing):
        def place(self, labels: Mapping[str, str]) -> None:
            raise StoreDamaged("a row of it")

    bench.new_forwarder(filing=Odd(bench.api, "", ""))
    known = bench.record()
    bench.step()
    assert bench.item(known).last_error == "unforeseen StoreDamaged"
    assert bench.item(known).next_attempt_at_utc > bench.now


@pytest.mark.parametrize("change", ["state = 'firm'", "parts = '['", "parts = '[{\"part\":1}]'", "orphaned_ids = '7'"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_damaged_place_in_the_queue_holds_nothing_up_and_begins_anew(
    bench: Bench, server: FaultServer, change: str, begun: bool
) -> None:
    """One such row, and nothing of the whole queue was sent any more."""
    known = bench.record()
    if begun:
        bench.step()
        assert bench.item(known).state is S.CONFIRMED
    others = [bench.record() for _ in range(3)]
    rows = "entry_no = (SELECT entry_no FROM entries WHERE data_id = ?)"
    bench.store.write(lambda db: db.execute(f"UPDATE outbox SET {change} WHERE {rows}", (known.data_id,))).result()
    assert "damaged" in bench.item(known).last_error
    for one in (known, *others):
        bench.until(one, S.PROCESSED)
    assert len(server.uploaded(known.record_id)) == 1  # what the server has is found there


def test_what_was_set_aside_is_offered_again_with_the_next_start(bench: Bench, server: FaultServer) -> None:
    """By presign, with all of it in the bucket, and because it could not be rendered."""
    known = [bench.record() for _ in range(3)]
    unreadable = known[2].data_id

    def render(data_id: str) -> RenderedFile:
        if data_id == unreadable:
            raise StoreDamaged("checksum")
        return bench.render(data_id)

    bench.new_forwarder(render=render)
    server.script("presign", faults.status(422))
    server.script("complete", faults.status(422))
    bench.step()
    assert bench.store.outbox.counts() == {"quarantined": 3}
    unreadable = ""
    (left_behind,) = server.entries
    bench.restart()
    _run_until(bench, lambda: bench.store.outbox.counts() == {"processed": 3})
    assert left_behind in [orphan for k in known for orphan in bench.item(k).orphaned_ids]
    assert all(len(server.uploaded(k.record_id)) == 1 for k in known)


def test_poison_that_is_offered_again_is_set_aside_again(bench: Bench, server: FaultServer) -> None:
    poison = bench.record()
    server.script("presign", *[faults.status(422)] * 2)
    bench.step()
    good = bench.record()
    bench.restart()
    _run_until(bench, lambda: bench.item(good).state is S.PROCESSED and bench.item(poison).state is S.QUARANTINED)
    assert server.count("presign") == 3


def _run_until(bench: Bench, holds: Callable[[], bool]) -> None:
    """Run the forwarder's thread, by the host's clock."""
    forwarder = Forwarder(bench.store, bench.api, bench.render, pace=replace(bench.pace, poll_s=0.0), rng=Random(7))
    stop = threading.Event()
    thread = threading.Thread(target=forwarder.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stop.set()
    forwarder.wake()
    thread.join()


def test_a_file_that_changed_since_the_presign_is_presigned_anew(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("put", faults.reset)
    bench.step()
    first = bench.item(known).remote_data_id
    bench.put_file(known.data_id, f"{known.record_id}.txt", b"reprocessed meanwhile")
    item = bench.until(known, S.CONFIRMED)
    assert item.orphaned_ids == (first,)
    assert [e.data for e in server.uploaded(known.record_id)] == [b"reprocessed meanwhile"]


@pytest.mark.parametrize("route", ["presign", "complete", "entries", "download", "oes"])
@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_blocks_the_queue_and_discards_nothing(
    bench: Bench, server: FaultServer, route: str, code: int
) -> None:
    known = [bench.record() for _ in range(5)]
    server.script(route, *[faults.status(code, "expired")] * 13)
    bench.step()
    bench.step(seconds=1)  # results are polled a second later
    blocked_at, waiting = bench.now, server.count(route)
    state = bench.forwarder.state()
    assert state["state"] == "credential blocked"
    assert state["blocked"].startswith("credential blocked: ")
    assert str(code) in state["blocked"]
    while bench.now < blocked_at + timedelta(hours=1):
        bench.step(seconds=10)
    assert server.count(route) - waiting <= 13  # one in five minutes
    assert all(bench.item(k).state not in (S.QUARANTINED,) for k in known)
    assert all(bench.item(k).attempts == 0 for k in known)
    for k in known:
        bench.until(k, S.PROCESSED)
    assert bench.forwarder.state()["state"] == "ok"


def test_while_the_key_is_refused_there_is_one_request_in_five_minutes_and_a_new_key_drains(
    bench: Bench, server: FaultServer
) -> None:
    known = [bench.record() for _ in range(5)]
    server.key = "another-key"
    asked_at = []
    while bench.now < START + timedelta(hours=1):
        before = len(server.seen)
        bench.step(seconds=10)
        asked_at += [bench.now] * (len(server.seen) - before)
    assert len(asked_at) == 12
    assert min(b - a for a, b in itertools.pairwise(asked_at)) >= timedelta(minutes=5)
    server.key = faults.KEY
    for k in known:
        bench.until(k, S.PROCESSED)


def test_retry_after_is_honoured_by_the_whole_queue(bench: Bench, server: FaultServer) -> None:
    for _ in range(3):
        bench.record()
    server.script("presign", faults.status(429, Retry_After="120"))
    bench.step()
    told, asked = bench.now, len(server.seen)
    while bench.now < told + timedelta(seconds=119):
        bench.step(seconds=7)
    assert len(server.seen) == asked
    bench.step(seconds=65)
    assert len(server.seen) > asked


def test_one_poisonous_record_in_a_hundred_and_a_damaged_one_cost_the_others_nothing(
    bench: Bench, server: FaultServer
) -> None:
    known = [bench.record() for _ in range(100)]
    refused, damaged = known[17], known[63]

    def refuse(handler: faults.Handler, effect: Callable[[], faults.Reply]) -> None:
        handler.reply(faults._json(422, {"detail": "no"}) if refused.record_id in handler.path else effect())

    def render(data_id: str) -> RenderedFile:
        if data_id == damaged.data_id:
            raise StoreDamaged("checksum")
        return bench.render(data_id)

    server.script("presign", *[refuse] * 100)
    bench.new_forwarder(Pace(chores=False, workers=4), render)
    rounds = 0
    while bench.store.outbox.counts().get("stored"):
        bench.step()
        rounds += 1
        assert rounds < 20
    in_quarantine = [k for k in known if bench.item(k).state is S.QUARANTINED]
    assert in_quarantine == [refused, damaged]
    for k in known:
        if k not in in_quarantine:
            bench.until(k, S.PROCESSED)
    assert bench.forwarder.state()["state"] == "ok"


def test_fifty_daemons_that_were_told_the_same_come_apart() -> None:
    """Nobody before the time that the server names; nowhere more of them together than chance brings."""
    waits = sorted(next_delay(1, 60.0, Random(seed)) for seed in range(50))
    assert waits[0] >= 60.0
    assert waits[-1] <= 60.0 + 30.0
    together = [sum(w <= other < w + 0.1 for other in waits) for w in waits]
    assert max(together) <= 3


def test_an_outage_is_probed_by_one_record_at_growing_intervals_and_logged_once(
    bench: Bench, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="oesd.upload")
    known = [bench.record() for _ in range(20)]
    server.script("presign", *[faults.status(503)] * 30)
    while server.count("presign") < 30:
        bench.step(seconds=5)
    hours = (bench.now - START) / timedelta(hours=1)
    assert hours > 1.5  # 30 probes: 4 s doubling up to 15 min, jittered
    for k in known:
        bench.until(k, S.PROCESSED)
    assert [r.message for r in caplog.records] == ["upload failing: presign: 503 (scripted)", "upload works again"]


def test_one_record_that_breaks_the_server_does_not_pause_the_others(bench: Bench, server: FaultServer) -> None:
    poison = bench.record()
    server.script("presign", faults.status(500))
    good = [bench.record() for _ in range(5)]
    bench.step()
    assert bench.item(poison).attempts == 1
    assert all(bench.item(g).state is S.CONFIRMED for g in good)


def test_many_broken_answers_pause_the_queue(bench: Bench, server: FaultServer) -> None:
    for _ in range(10):
        bench.record()
    server.script("presign", *[faults.html] * 10)
    bench.step()
    assert server.count("presign") == 3
    assert bench.step() == 0


@pytest.mark.parametrize("fault", [faults.html, faults.truncated, faults.cut_short, faults.status(500), faults.reset])
@pytest.mark.parametrize("route", ["presign", "put", "complete", "entries", "download", "fetch", "oes"])
def test_each_fault_on_each_route_is_survived(
    bench: Bench, server: FaultServer, route: str, fault: faults.Fault
) -> None:
    known = bench.record()
    server.script(route, fault)
    item = bench.until(known, S.PROCESSED)
    same_name = [e for e in server.entries.values() if known.record_id in e.name]
    assert server.uploaded(known.record_id)[0].data == bench.render(known.data_id).data
    assert {e.data_id for e in same_name} == {item.remote_data_id, *item.orphaned_ids}


def test_results_are_waited_for_and_a_failed_pipeline_ends_the_wait(bench: Bench, server: FaultServer) -> None:
    server.process = False
    known = bench.record()
    bench.until(known, S.CONFIRMED)
    for _ in range(4):
        bench.step(seconds=900)
    assert bench.item(known).state is S.CONFIRMED
    entry = server.uploaded(known.record_id)[0]
    server.script("entries", faults.edited(lambda rows: [row | {"pipeline_status": "error"} for row in rows]))
    bench.step(seconds=900)
    assert bench.item(known).state is S.PROCESSED
    assert bench.item(known).last_error == "the remote pipeline failed"
    assert entry.data is not None


def test_a_result_that_never_comes_is_given_up_at_last(bench: Bench, server: FaultServer) -> None:
    server.process = False
    known = bench.record()
    bench.new_forwarder(Pace(chores=False, workers=1, most_polls=8))
    item = bench.until(known, S.PROCESSED)
    assert item.last_error == "no remote result after many looks"
    assert server.count("oes") == 8


def test_a_refusal_after_confirmation_is_no_quarantine(bench: Bench, server: FaultServer) -> None:
    known = bench.record()
    server.script("oes", faults.status(422))
    bench.step()
    bench.step(seconds=1)
    assert bench.item(known).state is S.CONFIRMED
    bench.until(known, S.PROCESSED)


def test_numbers_beyond_any_float_are_an_answer_of_another_shape(bench: Bench, server: FaultServer) -> None:
    known = bench.until(bench.record(), S.CONFIRMED)
    huge = b"1" + b"0" * 400
    server.script("oes", faults.raw(b'{"detected_peaks": [{"peak_id": "p1", "wavelength_nm": %s}]}' % huge))
    bench.step(seconds=30)
    assert bench.item(known).last_error == "result: no number where one is due"


def test_several_workers_carry_each_record_once(bench: Bench, server: FaultServer) -> None:
    known = [bench.record() for _ in range(40)]
    bench.new_forwarder(Pace(chores=False, workers=6))
    while bench.step():
        pass
    assert all(len(server.uploaded(k.record_id)) == 1 for k in known)
    assert server.count("presign") == 40


def test_a_store_that_fails_ends_the_round_and_names_itself(bench: Bench) -> None:
    for _ in range(10):
        bench.record()
    bench.new_forwarder(Pace(chores=False, workers=3))
    due = bench.store.outbox.due(bench.now, limit=10)
    bench.store.close()
    with pytest.raises(StoreClosed):
        bench.forwarder._carry(deque(due), 3, bench.now)
    bench.reopen()


def test_the_thread_wakes_works_sleeps_and_stops(bench: Bench, server: FaultServer) -> None:
    stop = threading.Event()
    bench.new_forwarder(Pace(chores=False, workers=2, poll_s=0.0))
    thread = threading.Thread(target=bench.forwarder.run, args=(stop,))
    thread.start()
    try:
        known = bench.record()
        bench.forwarder.wake()
        deadline = time.monotonic() + 10
        while bench.item(known).state is not S.PROCESSED and time.monotonic() < deadline:
            time.sleep(0.01)
        assert bench.item(known).state is S.PROCESSED
    finally:
        stop.set()
        bench.forwarder.wake()
        thread.join(5)
    assert not thread.is_alive()


def test_a_failing_store_is_said_once_and_does_not_end_the_thread(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.store.close()
    stop = threading.Event()
    thread = threading.Thread(target=bench.forwarder.run, args=(stop,))
    thread.start()
    for _ in range(3):
        time.sleep(0.05)
        bench.forwarder.wake()
    assert thread.is_alive()
    stop.set()
    bench.forwarder.wake()
    thread.join(5)
    assert not thread.is_alive()
    (said,) = [r for r in caplog.records if r.name == "oesd.upload.forwarder"]
    assert said.message.startswith("forwarding waits, trying every 30 s: ")
    assert said.exc_info is None
    bench.reopen()


def test_a_time_written_by_a_wrong_clock_does_not_stall_the_queue(bench: Bench) -> None:
    far, farther = bench.record(), bench.record()
    for known, ahead in ((far, timedelta(hours=10)), (farther, timedelta(days=3650))):
        item = bench.item(known)
        bench.store.outbox.update(_put_off(item, START + ahead)).result()
    stop = threading.Event()
    thread = threading.Thread(target=bench.forwarder.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 10
    while bench.store.outbox.counts().get("stored") and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    bench.forwarder.wake()
    thread.join(5)
    assert not bench.store.outbox.counts().get("stored")


def _as_before_presign(item: OutboxItem) -> OutboxItem:
    return replace(item, state=S.STORED, remote_data_id="", upload_id="", new_filename="", parts=())


def _put_off(item: OutboxItem, until: datetime) -> OutboxItem:
    return replace(item, next_attempt_at_utc=until)
