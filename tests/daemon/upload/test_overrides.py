"""Local overrides reach the API, or are shown as refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import Bench, analysis

from oesd.store import OutboxItem
from oesd.store import OutboxState as S
from oesd.upload.answers import RemotePeak
from oesd.upload.means import Pace
from oesd.upload.overrides import nearest


@pytest.fixture
def assigned(bench: Bench) -> OutboxItem:
    """A record that was uploaded and processed, with one override: its peak p1 near 417.25 nm is Ga_417.2."""
    known = bench.record()
    local = analysis((417.25, ("Ga_417.2", "Xx_417.3")))
    bench.store.save_result(known.data_id, local, {}).result()
    bench.until(known, S.PROCESSED)
    bench.store.assign(known.data_id, "p1", "Ga_417.2", now=bench.now)
    return bench.item(known)


def test_an_override_is_sent_to_the_peak_at_its_wavelength(
    bench: Bench, server: FaultServer, assigned: OutboxItem
) -> None:
    assert bench.step() == 1
    assert server.patches == [(assigned.remote_data_id, "p2", "Ga_417.2")]
    assert bench.step() == 0
    assert server.count("patch") == 1


@pytest.mark.parametrize("code", [400, 404, 409, 413, 422])
def test_a_refused_override_blocks_nothing(bench: Bench, server: FaultServer, assigned: OutboxItem, code: int) -> None:
    server.script("patch", faults.status(code))
    bench.step()
    known = bench.record()
    bench.until(known, S.PROCESSED)
    assert server.count("patch") == 1
    assert bench.forwarder.state()["state"] == "ok"
    assert _states(bench) == [("refused", 1)]


def test_a_peak_that_is_not_there_is_a_refusal(bench: Bench, server: FaultServer, assigned: OutboxItem) -> None:
    server.results[assigned.remote_data_id]["detected_peaks"] = []
    bench.step()
    assert _states(bench) == [("refused", 1)]
    assert server.count("patch") == 0


@pytest.mark.parametrize("fault", [faults.status(500), faults.status(503), faults.reset, faults.effect_then_reset])
def test_an_override_waits_and_comes_again(
    bench: Bench, server: FaultServer, assigned: OutboxItem, fault: faults.Fault
) -> None:
    server.script("patch", fault)
    bench.step()
    assert _states(bench) == [("pending", 1)]
    bench.step(seconds=3)
    assert _states(bench) == [("sent", 1)]
    assert bench.forwarder.state()["state"] == "ok"


def test_a_refused_key_does_not_count_against_an_override(
    bench: Bench, server: FaultServer, assigned: OutboxItem
) -> None:
    server.key = "another"
    bench.step()
    assert bench.forwarder.state()["state"] == "credential blocked"
    assert _states(bench) == [("pending", 0)]
    server.key = faults.KEY
    bench.step(seconds=301)
    assert _states(bench) == [("sent", 0)]


def test_an_entry_without_a_result_is_waited_for_and_given_up(
    bench: Bench, server: FaultServer, assigned: OutboxItem
) -> None:
    del server.results[assigned.remote_data_id]
    bench.new_forwarder(Pace(chores=False, workers=1, most_polls=3))
    for _ in range(5):
        bench.step(seconds=1000)
    assert _states(bench) == [("refused", 3)]


@given(st.lists(st.floats(200, 1000), max_size=8), st.floats(200, 1000), st.floats(0, 1))
def test_the_peak_meant_is_the_nearest_within_reach(shown: list[float], wavelength: float, sigma: float) -> None:
    remote = [RemotePeak(f"p{n}", w, None) for n, w in enumerate(shown)]
    found = nearest(remote, wavelength, sigma)
    reach = max(3 * sigma, 0.3)
    distances = [abs(w - wavelength) for w in shown]
    if found is None:
        assert all(d > reach for d in distances)
    else:
        assert abs(found.wavelength_nm - wavelength) == min(distances) <= reach


def _states(bench: Bench) -> list[tuple[str, int]]:
    query = "SELECT state, attempts FROM patches ORDER BY override_no"
    return bench.store.read(lambda db: db.execute(query).fetchall())
