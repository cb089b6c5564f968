"""Physical samples and projects from the labels of a run."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import pytest
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import Bench

from oesd.store import OutboxState as S
from oesd.upload.errors import RetryLater
from oesd.upload.means import RenderedFile
from oesd.upload.samples import Filing


@pytest.fixture
def filing(bench: Bench) -> Filing:
    return Filing(bench.api, "sample", "project")


def labelled(bench: Bench, labels: Mapping[str, str]):  # type: ignore[no-untyped-def]
    def render(data_id: str) -> RenderedFile:
        made = bench.render(data_id)
        return RenderedFile(made.name, made.data, made.sha256, None, labels)

    return render


def test_records_are_filed_under_their_sample_and_its_project(
    bench: Bench, server: FaultServer, filing: Filing
) -> None:
    project_id = str(uuid4())
    server.projects[project_id] = "Nitrides"
    labels = {"sample": " Wafer 7", "project": "nitrides"}
    bench.new_forwarder(None, labelled(bench, labels), filing=filing)
    known = [bench.record() for _ in range(3)]
    done = [bench.until(k, S.CONFIRMED) for k in known]
    ((sample_id, name),) = server.samples.items()
    assert name == "Wafer 7"
    assert {server.entries[i.remote_data_id].sample for i in done} == {sample_id}
    assert server.tracked == [(project_id, sample_id)]
    assert (server.count("samples"), server.count("make_sample"), server.count("projects")) == (1, 1, 1)


def test_a_sample_that_is_there_is_used(server: FaultServer, filing: Filing) -> None:
    sample_id = str(uuid4())
    server.samples[sample_id] = "wafer 7 "
    for name in ("Wafer 7", sample_id):
        found = filing.place({"sample": name})
        assert found is not None
        assert found.id == sample_id
    assert server.count("make_sample") == 0


def test_a_name_that_another_took_meanwhile_is_found_in_the_conflict(server: FaultServer, filing: Filing) -> None:
    sample_id = str(uuid4())
    server.samples[sample_id] = "Wafer 7"
    server.script("samples", faults.answer([]))
    found = filing.place({"sample": "Wafer 7"})
    assert found is not None
    assert found.id == sample_id


def test_without_a_label_nothing_is_asked(server: FaultServer, filing: Filing, bench: Bench) -> None:
    assert filing.place({}) is None
    assert filing.place({"sample": "  "}) is None
    assert Filing(bench.api, "", "").place({"": "x", "sample": "Wafer 7"}) is None
    assert server.seen == []


def test_an_unknown_project_is_said_once_and_costs_nothing(
    server: FaultServer, filing: Filing, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert filing.place({"sample": "Wafer 7", "project": "Nowhere"}) is not None
    assert len([r for r in caplog.records if "no project 'Nowhere'" in r.message]) == 1
    assert server.tracked == []


@pytest.mark.parametrize("code", [404, 422])
def test_an_api_without_samples_gets_its_spectra_unfiled(
    bench: Bench, server: FaultServer, filing: Filing, code: int
) -> None:
    server.script("samples", *[faults.status(code)] * 3)
    bench.new_forwarder(None, labelled(bench, {"sample": "Wafer 7"}), filing=filing)
    item = bench.until(bench.record(), S.CONFIRMED)
    assert server.entries[item.remote_data_id].sample is None


def test_a_failure_that_may_pass_is_waited_for(bench: Bench, server: FaultServer, filing: Filing) -> None:
    server.script("samples", faults.status(503))
    with pytest.raises(RetryLater):
        filing.place({"sample": "Wafer 7"})
    assert filing.place({"sample": "Wafer 7"}) is not None


@pytest.mark.parametrize("code", [404, 422])
def test_a_sample_that_was_taken_away_there_is_made_again(
    bench: Bench, server: FaultServer, filing: Filing, code: int
) -> None:
    bench.new_forwarder(None, labelled(bench, {"sample": "Wafer 7"}), filing=filing)
    for _ in range(2):
        bench.until(bench.record(), S.CONFIRMED)
        server.samples.clear()
        server.script("presign", faults.status(code, "no such physical sample"))
        item = bench.until(bench.record(), S.CONFIRMED, S.QUARANTINED)
        assert item.state is S.CONFIRMED
        (sample_id,) = server.samples
        assert server.entries[item.remote_data_id].sample == sample_id


def test_a_refused_record_is_asked_for_once_more_and_set_aside(
    bench: Bench, server: FaultServer, filing: Filing
) -> None:
    bench.new_forwarder(None, labelled(bench, {"sample": "Wafer 7"}), filing=filing)
    server.script("presign", *[faults.status(422)] * 3)
    for asked in (2, 3):  # the sample is doubted once
        assert bench.until(bench.record(), S.CONFIRMED, S.QUARANTINED).state is S.QUARANTINED
        assert server.count("presign") == asked


def test_samples_that_make_no_sense_hold_no_record_up_for_ever(
    bench: Bench, server: FaultServer, filing: Filing, caplog: pytest.LogCaptureFixture
) -> None:
    bench.new_forwarder(None, labelled(bench, {"sample": "Wafer 7"}), filing=filing)
    server.script("samples", *[faults.answer([{"id": 17, "name": "Wafer 7"}])] * 50)
    item = bench.until(bench.record(), S.CONFIRMED, rounds=20)
    assert server.entries[item.remote_data_id].sample is None
    assert [r for r in caplog.records if "'Wafer 7' are not filed" in r.message]
