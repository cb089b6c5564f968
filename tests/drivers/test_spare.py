"""Workers that wait, and what is not asked of a bus that shows nothing: coming back takes no new process."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from oesd_drivers import virtual
from oesd_drivers.errors import Busy, Denied, Gone, Reopen
from oesd_drivers.launch import launch
from oesd_drivers.spare import Spare
from oesd_drivers.spectrometer import Address, Exposure

from .conftest import Host, one

NOWHERE = Address(0, 0, 0, 0)


@pytest.fixture
def spare(host: Host) -> Iterator[Spare]:
    environment = {virtual.ENVIRONMENT: str(host.process.path)}
    made = Spare(environment, first=launch(environment))
    yield made
    made.close()


@pytest.fixture
def seen(host: Host) -> Iterator[None]:
    """The bus of the host process, seen from this one too, as the daemon sees it."""
    remote = virtual.connect(host.process.path)
    virtual.install(remote)
    yield
    del sys.modules["usb.backend.virtual"]
    remote.disconnect()


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def measured(spectrometer):
    spectrometer.set_exposure(Exposure(10_000))
    return one(spectrometer).counts_sum.any()


def test_the_worker_of_an_unplugged_device_opens_the_next_one(isolated, host, spare):
    spectrometer = isolated("OOI-2", spare=spare)
    spectrometer.open()
    worker = spectrometer.pid
    assert measured(spectrometer)
    host.control.unplug("OOI-2")
    with pytest.raises(Gone):
        one(spectrometer)
    with pytest.raises(Gone):
        spectrometer.open()
    assert spectrometer.pid is None
    host.control.plug("OOI-2")
    again = isolated("OOI-2", spare=spare)
    assert again.open().serial == "OOI-2"
    assert again.pid == worker
    assert measured(again)


def test_one_that_waits_serves_another_model_and_only_one_is_kept(isolated, spare):
    waiting = spare.take(NOWHERE)
    spare.give(waiting)
    first, second = isolated("OBP-1", spare=spare), isolated("OOI-1", spare=spare)
    assert (first.open().serial, second.open().serial) == ("OBP-1", "OOI-1")
    kept, other = first.pid, second.pid
    assert kept == waiting.pid
    first.close()
    second.close()
    assert (ended(kept), ended(other)) == (False, True)
    third = isolated("OBP-3", spare=spare)
    assert third.open().serial == "OBP-3"
    assert third.pid == kept
    assert measured(third)
    third.close()
    spare.close()
    assert ended(kept)


def test_a_worker_in_doubt_is_ended_and_one_that_was_refused_is_kept(isolated, host, spare):
    doubtful = isolated("OBP-2", spare=spare)
    doubtful.open()
    pid = doubtful.pid
    assert measured(doubtful)
    host.control.fault("OBP-2", "stall")
    with pytest.raises(Reopen):
        one(doubtful)
    doubtful.close()
    assert ended(pid)
    host.control.deny("OBP-2", True)
    for _ in range(2):
        with pytest.raises(Denied):
            doubtful.open()
    host.control.deny("OBP-2", False)
    waiting = spare.take(NOWHERE)
    assert waiting.running
    spare.give(waiting)
    assert doubtful.open().serial == "OBP-2"
    assert doubtful.pid == waiting.pid


def test_one_that_died_while_it_waited_is_replaced(isolated, spare):
    waiting = spare.take(NOWHERE)
    spare.give(waiting)
    os.kill(waiting.pid, signal.SIGKILL)
    while waiting.running:
        time.sleep(0.005)
    spectrometer = isolated("OBP-1", spare=spare)
    assert spectrometer.open().serial == "OBP-1"
    assert spectrometer.pid != waiting.pid


@pytest.mark.usefixtures("seen")
def test_no_process_is_started_for_an_address_that_the_bus_does_not_show(isolated, host):
    spectrometer = isolated("OOI-2")
    host.control.unplug("OOI-2")
    children_s = os.times().children_user
    for _ in range(20):
        with pytest.raises(Gone):
            spectrometer.open()
    assert os.times().children_user == children_s
    assert spectrometer.pid is None
    host.control.plug("OOI-2")


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("plugged", [True, False])
def test_a_worker_that_is_lost_with_its_cable_is_told_as_gone(isolated, host, plugged, known):
    spectrometer = isolated("OOI-2")
    spectrometer.open()
    assert measured(spectrometer)
    if not plugged:
        os.kill(spectrometer.pid, signal.SIGSTOP)
        host.control.unplug("OOI-2")
    os.kill(spectrometer.pid, signal.SIGKILL)
    if known:  # it is dead before anything is asked of it
        os.waitid(os.P_PID, spectrometer.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(Reopen) as lost:
        one(spectrometer)
    assert isinstance(lost.value, Gone) != plugged
    if not plugged:
        host.control.plug("OOI-2")


def begun(isolated, spare, address):
    """A worker that was asked to open what nobody has come for, and has its answer."""
    before = isolated("OBP-3", spare=spare)
    before.open()
    before.close()
    worker = spare.take(NOWHERE)
    spare.give(worker)
    spare.open_ahead(address, "virtual")
    assert select.select([worker._channel], [], [], 20)[0]
    return worker


def test_what_is_opened_ahead_is_there_when_it_is_asked_for(isolated, host, spare):
    worker = begun(isolated, spare, host.address("OOI-2"))
    with pytest.raises(Busy):
        isolated("OOI-2").open()  # to anybody else
    spectrometer = isolated("OOI-2", spare=spare)
    assert spectrometer.open().serial == "OOI-2"
    assert spectrometer.pid == worker.pid
    assert measured(spectrometer)


def test_another_one_that_is_asked_for_first_leaves_it_alone(isolated, host, spare):
    spare.open_ahead(host.address("OOI-2"), "virtual")
    first, second = isolated("OBP-1", spare=spare), isolated("OOI-2", spare=spare)
    assert (first.open().serial, second.open().serial) == ("OBP-1", "OOI-2")
    assert first.pid != second.pid
    assert measured(first)
    assert measured(second)


def test_one_that_could_not_be_opened_ahead_is_tried_again(isolated, host, spare):
    host.control.deny("OBP-2", True)
    worker = begun(isolated, spare, host.address("OBP-2"))
    host.control.deny("OBP-2", False)
    spectrometer = isolated("OBP-2", spare=spare)
    assert spectrometer.open().serial == "OBP-2"
    assert spectrometer.pid == worker.pid


def test_one_that_nobody_came_for_opens_another(isolated, host, spare, monkeypatch):
    worker = begun(isolated, spare, host.address("OOI-2"))
    monkeypatch.setattr("oesd_drivers.child._FORGOTTEN_S", 0.0)
    spectrometer = isolated("OBP-1", spare=spare)
    assert spectrometer.open().serial == "OBP-1"
    assert spectrometer.pid == worker.pid
    assert measured(spectrometer)
    alone = isolated("OOI-2")
    assert alone.open().serial == "OOI-2"  # and let go of the first
