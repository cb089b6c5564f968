"""Several records as one upload: the same promises as for one."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import Bench

from oesd.formats import read_bundle
from oesd.model import new_id
from oesd.store import OutboxItem, StoreDamaged
from oesd.store import OutboxState as S
from oesd.upload.fill import ENOUGH_BYTES, Fill
from oesd.upload.means import Pace, RenderedFile

RUN = new_id()
PACE = Pace(chores=False, workers=1, batch=10)


@pytest.fixture
def many(bench: Bench) -> list[OutboxItem]:
    bench.new_forwarder(PACE)
    return [bench.record(run_id=RUN) for _ in range(7)]


def all_through(bench: Bench, many: list[OutboxItem]) -> list[OutboxItem]:
    return [bench.until(known, S.PROCESSED) for known in many]


def by_itself(server: FaultServer, known: OutboxItem) -> list[bytes]:
    return [e.data or b"" for e in server.uploaded(known.record_id)]


def test_many_records_go_as_one_file_and_become_entries_of_their_own(
    bench: Bench, server: FaultServer, many: list[OutboxItem]
) -> None:
    done = all_through(bench, many)
    assert server.count("presign") == 1
    (archive,) = [e for e in server.entries.values() if e.name.endswith(".zip")]
    assert archive.data is not None
    assert read_bundle(archive.data) == [(f"{known.record_id}.txt", bench.render(known.data_id).data) for known in many]
    for known, item in zip(many, done, strict=True):
        assert by_itself(server, known) == [bench.render(known.data_id).data]
        assert server.entries[item.remote_data_id].name == f"{known.record_id}.txt"
        assert bench.store.remote.load(known.data_id) is not None
    assert bench.store.outbox.counts() == {"processed": 7}


@pytest.mark.parametrize(
    "fault", [faults.reset, faults.effect_then_reset, faults.status(500), faults.html, faults.truncated]
)
@pytest.mark.parametrize("route", ["presign", "put", "complete", "entries", "download", "fetch"])
def test_each_fault_on_each_route_is_survived(
    bench: Bench, server: FaultServer, many: list[OutboxItem], route: str, fault: faults.Fault
) -> None:
    server.script(route, fault)
    bench.step()
    bench.restart()
    bench.new_forwarder(PACE)
    all_through(bench, many)
    for known in many:
        assert set(by_itself(server, known)) == {bench.render(known.data_id).data}
    assert bench.store.outbox.counts() == {"processed": 7}


def test_a_refused_batch_is_tried_record_by_record_and_only_the_poison_stays(
    bench: Bench, server: FaultServer, many: list[OutboxItem]
) -> None:
    poison = many[3]
    server.script("presign", faults.status(422))

    def refuse_poison(handler: faults.Handler, effect):  # type: ignore[no-untyped-def]
        handler.reply(faults._json(422, {"detail": "no"}) if poison.record_id in handler.path else effect())

    server.script("presign", *[refuse_poison] * 7)
    for known in many:
        bench.until(known, S.PROCESSED, S.QUARANTINED)
    assert [bench.item(known).state for known in many].count(S.QUARANTINED) == 1
    assert bench.item(poison).state is S.QUARANTINED
    assert bench.store.outbox.counts() == {"processed": 6, "quarantined": 1}


def test_a_record_that_cannot_be_rendered_does_not_hold_up_its_batch(
    bench: Bench, server: FaultServer, many: list[OutboxItem]
) -> None:
    def render(data_id: str) -> RenderedFile:
        if data_id == many[0].data_id:
            raise StoreDamaged("checksum")
        return bench.render(data_id)

    bench.new_forwarder(PACE, render)
    for known in many[1:]:
        bench.until(known, S.PROCESSED)
    assert bench.item(many[0]).state is S.QUARANTINED
    assert "cannot be rendered" in bench.item(many[0]).last_error


def test_a_server_that_does_not_take_it_apart_has_it_all_the_same(
    bench: Bench, server: FaultServer, many: list[OutboxItem]
) -> None:
    server.takes_apart = False
    bench.new_forwarder(Pace(chores=False, workers=1, batch=10, most_polls=3))
    done = all_through(bench, many)
    assert {item.last_error for item in done} == {"it arrived in a batch that the server did not take apart"}


def test_a_refused_key_blocks_a_batch_and_discards_nothing(
    bench: Bench, server: FaultServer, many: list[OutboxItem]
) -> None:
    server.script("presign", faults.status(401))
    bench.step()
    assert bench.forwarder.state()["state"] == "credential blocked"
    assert bench.store.outbox.counts() == {"stored": 7}
    all_through(bench, many)


def test_large_records_go_in_smaller_batches(bench: Bench, server: FaultServer) -> None:
    """A batch is in memory as a whole, once for each worker: 500 spectra of 3,648 pixels would be 35 MB packed."""
    known = [bench.record(Random(n).randbytes(ENOUGH_BYTES // 8), run_id=RUN) for n in range(60)]
    bench.new_forwarder(Pace(chores=False, workers=1, batch=500))
    all_through(bench, known)
    weights = [len(e.data or b"") for e in server.entries.values() if e.name.endswith(".zip")]
    assert len(weights) > 3
    assert sorted(weights)[-2] < 1.2 * ENOUGH_BYTES  # the first is a guess


@given(st.lists(st.tuples(st.integers(1, 1 << 24), st.integers(1, 500))), st.integers(1, 500))
def test_a_batch_has_at_least_one_record_and_never_more_than_asked(weights: list[tuple[int, int]], asked: int) -> None:
    fill = Fill()
    for packed_bytes, records in weights:
        fill.learn(packed_bytes, records)
    most = fill.most(asked)
    assert 1 <= most <= asked
    if weights:
        packed_bytes, records = weights[-1]
        assert most == 1 or most * packed_bytes / records <= ENOUGH_BYTES


def test_records_wait_for_company_but_not_long(bench: Bench, server: FaultServer) -> None:
    bench.new_forwarder(PACE)
    bench.record(run_id=RUN)
    bench.step()  # the first round does not wait
    known = [bench.record(run_id=RUN) for _ in range(3)]
    bench.step(seconds=1.0)
    assert [bench.item(k).state for k in known] == [S.STORED] * 3
    bench.step(seconds=5.0)
    assert all(bench.item(k).state is S.CONFIRMED for k in known)


def test_a_batch_is_filed_where_its_labels_say(bench: Bench, server: FaultServer) -> None:
    from oesd.upload.samples import Filing

    def render(data_id: str) -> RenderedFile:
        made = bench.render(data_id)
        return RenderedFile(made.name, made.data, made.sha256, None, {"sample": "Wafer 7"})

    bench.new_forwarder(PACE, render, filing=Filing(bench.api, "sample", ""))
    known = [bench.record(run_id=RUN) for _ in range(3)]
    done = all_through(bench, known)
    assert {server.samples[server.entries[i.remote_data_id].sample or ""] for i in done} == {"Wafer 7"}
