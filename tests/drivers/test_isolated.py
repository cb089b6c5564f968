from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from oesd_drivers import wire
from oesd_drivers.errors import Busy, Denied, GiveUp, Gone, Lost, Refused, Reopen
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spectrometer import Address, Exposure
from oesd_drivers.virtual.models import MODELS as VIRTUAL

from .conftest import MODELS, one


def wait_until(condition, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("model", list(MODELS))
def test_every_family_works_in_a_child(isolated, model):
    spectrometer = isolated(MODELS[model])
    assert spectrometer.pid is None
    told = spectrometer.open()
    assert (told.serial, told.simulated) == (MODELS[model], True)
    assert spectrometer.pid not in (None, os.getpid())
    spectrometer.set_exposure(Exposure(10_000, 2))
    frame = one(spectrometer)
    assert frame.counts_sum.shape == frame.saturated.shape == (VIRTUAL[model].detector.pixels,)
    assert frame.exposure == Exposure(10_000, 2)
    child = spectrometer.pid
    spectrometer.close()
    assert spectrometer.pid is None
    assert not alive(child)


def test_cooling_crosses_to_the_child(isolated):
    cooled, plain = isolated("OBP-2"), isolated("OOI-1")
    cooled.open()
    plain.open()
    cooled.set_cooling(-20)
    cooled.set_cooling(None)
    with pytest.raises(Refused, match="no cooler"):
        plain.set_cooling(-20.0)
    with pytest.raises(Refused, match="no temperature"):
        cooled.set_cooling(float("nan"))


def test_killed_is_lost_and_opening_recovers_beside_another_that_goes_on(isolated):
    victim, other = isolated("OOI-1"), isolated("OBP-3")
    for spectrometer in (victim, other):
        spectrometer.open()
        spectrometer.set_exposure(Exposure(10_000))
    first = victim.pid
    os.kill(first, signal.SIGKILL)
    with pytest.raises(Lost, match="SIGKILL"):
        one(victim)
    assert victim.pid is None
    assert one(other).counts_sum.any()
    with pytest.raises(Reopen, match="not open"):
        one(victim)
    began = time.monotonic()
    victim.open()
    assert time.monotonic() - began < 5
    assert victim.pid not in (None, first)
    victim.set_exposure(Exposure(10_000))
    assert one(victim).counts_sum.any()


def test_killed_in_the_middle_of_a_read(isolated):
    spectrometer = isolated("OBP-1")
    spectrometer.open()
    spectrometer.set_exposure(Exposure(400_000))
    killer = threading.Timer(0.1, os.kill, (spectrometer.pid, signal.SIGKILL))
    killer.start()
    began = time.monotonic()
    with pytest.raises(Lost, match="SIGKILL"):
        one(spectrometer)
    assert time.monotonic() - began < 0.4
    killer.join()


@pytest.mark.parametrize("call", ["read", "set_exposure", "open"])
def test_a_child_that_hangs_is_killed_at_the_deadline(isolated, host, call):
    spectrometer = isolated("OOI-3", margin_s=0.3, open_deadline_s=10.0)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    child = spectrometer.pid
    if call == "open":
        host.control.fault("OOI-3", "wedge")
        spectrometer = isolated("OOI-3", open_deadline_s=4.0)
        os.kill(child, signal.SIGKILL)
    else:
        os.kill(child, signal.SIGSTOP)
    steps = {"read": lambda: one(spectrometer), "set_exposure": lambda: spectrometer.set_exposure(Exposure(10_000))}
    began = time.monotonic()
    with pytest.raises(Lost, match="killed"):
        steps.get(call, spectrometer.open)()
    assert time.monotonic() - began < 6.0
    assert spectrometer.pid is None
    assert not alive(child)
    assert spectrometer.open().serial == "OOI-3"


def test_a_wedged_transfer_is_cured_by_a_new_child(isolated, host):
    spectrometer = isolated("OBP-2", margin_s=0.3)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    host.control.fault("OBP-2", "wedge")
    with pytest.raises(Lost, match="'take' within"):
        one(spectrometer)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    assert one(spectrometer).counts_sum.any()


def test_a_child_that_was_stopped_together_with_us_is_not_killed_for_it(isolated):
    """The host was frozen: a virtual machine that was saved, a control group."""
    spectrometer = isolated(MODELS["USB2000+"])
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    child, stops = spectrometer.pid, [True]

    def stopped():
        if stops.pop() if stops else False:
            os.kill(child, signal.SIGSTOP)
            time.sleep(2.7)
            os.kill(child, signal.SIGCONT)
        return False

    assert len(list(spectrometer.take(cancelled=stopped))) == 1
    assert spectrometer.pid == child


def test_a_silent_device_is_reported_by_the_child_before_it_is_killed(isolated, host):
    spectrometer = isolated("OBP-1")
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    host.control.fault("OBP-1", "silent")
    with pytest.raises(Reopen, match="in time") as told:
        one(spectrometer)
    assert not isinstance(told.value, Lost)
    assert "oesd_drivers" in told.value.__notes__[0]
    spectrometer.open()


def test_a_refused_exposure_leaves_the_one_before(isolated):
    """Also for the deadline: the scans of the earlier exposure take longer than the margin."""
    spectrometer = isolated("OBP-3", margin_s=0.2)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(20_000, 40))
    with pytest.raises(Refused):
        spectrometer.set_exposure(Exposure(1, 1))
    assert one(spectrometer).exposure == Exposure(20_000, 40)


def test_a_longer_old_exposure_is_waited_for(isolated):
    """The frame to discard is still of the old exposure, longer than the new one and the margin together."""
    spectrometer = isolated("OBP-1", margin_s=0.3)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(1_300_000))
    spectrometer.set_exposure(Exposure(10_000))
    first, second = (one(spectrometer).counts_sum.mean() for _ in range(2))
    assert abs(first - second) < 0.02 * second


def test_errors_of_the_device_keep_their_class(isolated, host):
    spectrometer = isolated("OBP-3")
    told = spectrometer.open()
    with pytest.raises(Refused, match="out of range"):
        spectrometer.set_exposure(Exposure(told.integration_max_us + 1))
    with pytest.raises(Refused, match="no exposure"):
        one(spectrometer)
    with pytest.raises(Busy):
        isolated("OBP-3").open()
    spectrometer.close()
    host.control.deny("OBP-3", True)
    refused = isolated("OBP-3")
    with pytest.raises(Denied):
        refused.open()
    assert refused.pid is None
    host.control.deny("OBP-3", False)
    assert refused.open().serial == "OBP-3"


def test_unplugged_is_gone_and_replugged_opens_at_the_new_address(isolated, host):
    spectrometer = isolated("OOI-2")
    spectrometer.open()
    spectrometer.set_exposure(Exposure(300_000))
    timer = threading.Timer(0.1, host.control.unplug, ("OOI-2",))
    timer.start()
    with pytest.raises(Gone):
        one(spectrometer)
    timer.join()
    with pytest.raises(Gone):
        spectrometer.open()
    host.control.plug("OOI-2")
    assert isolated("OOI-2").open().serial == "OOI-2"


def test_group_signals_are_the_parents_business(isolated):
    spectrometer = isolated("OBP-1")
    spectrometer.open()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(spectrometer.pid, number)
    spectrometer.set_exposure(Exposure(10_000))
    assert one(spectrometer).counts_sum.any()
    assert os.getpgid(spectrometer.pid) != os.getpgid(0)


def test_the_child_inherits_nothing_but_its_socket(isolated):
    secret = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(secret, True)
    spectrometer = isolated("OBP-1")
    spectrometer.open()
    links = [os.readlink(entry) for entry in Path(f"/proc/{spectrometer.pid}/fd").iterdir() if int(entry.name) > 2]
    os.close(secret)
    assert links
    assert all(link.startswith("socket:") for link in links)


def test_a_child_stays_small(isolated):
    spectrometer = isolated("OOI-3")
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000, 5))
    for _ in range(20):
        one(spectrometer)
    status = Path(f"/proc/{spectrometer.pid}/status").read_text()
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak_kb < 60_000


PARENT = """
import sys, time
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spectrometer import Address, Exposure
spectrometer = IsolatedSpectrometer(Address(*map(int, sys.argv[1:5])), "virtual")
spectrometer.open()
print(spectrometer.pid, flush=True)
if sys.argv[5] == "busy":
    spectrometer.set_exposure(Exposure(60_000_000))
    list(spectrometer.take())
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_the_child_ends_with_its_parent(host, isolated, state):
    """``kill -9`` of the parent: nobody closes anything but the kernel. The device is free at once."""
    where = host.address("OOI-1")
    numbers = map(str, (where.bus, where.address, where.vendor_id, where.product_id))
    environment = {**os.environ, "OESD_VIRTUAL_BUS": str(host.process.path)}
    frames = host.control.frames("OOI-1")
    command = [sys.executable, "-c", PARENT, *numbers, state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        try:
            child = int(parent.stdout.readline())
            # One request is of the drain; the next meets the minute, or the last short frame before it.
            wait_until(lambda: state == "idle" or host.control.frames("OOI-1") >= frames + 2)
        finally:
            parent.kill()
    wait_until(lambda: not alive(child))
    assert isolated("OOI-1").open().serial == "OOI-1"
    host.control.unplug("OOI-1")  # its exposure of a minute ends with its power
    host.control.plug("OOI-1")


def test_a_worker_serves_any_parent_that_speaks_its_protocol(host):
    """Requests that make no sense are refused in words, and the worker stays."""
    ours, theirs = socket.socketpair()
    where = host.address("OBP-1")
    numbers = [where.bus, where.address, where.vendor_id, where.product_id]
    command = [sys.executable, "-m", "oesd_drivers.worker", str(theirs.fileno())]
    environment = {**os.environ, "OESD_VIRTUAL_BUS": str(host.process.path)}
    with subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment) as child, ours:
        theirs.close()
        assert wire.receive(ours, time.monotonic() + 10)[0]["ready"] is True
        for request in (
            {"call": "reboot"},
            {"call": "open"},
            {"call": "open", "backend": "virtual", "address": [1, 2, 3]},
            {"call": "set_exposure", "integration_us": 5_000, "scans": 1, "trigger": "by hand"},
            {},
        ):
            wire.send(ours, request)
            header, _ = wire.receive(ours, time.monotonic() + 10)
            assert type(wire.unpack_error(header)) is Refused
        wire.send(ours, {"call": "cancel"})  # of a series that is over
        wire.send(ours, {"call": "take", "number": 7, "count": "all"})
        header, _ = wire.receive(ours, time.monotonic() + 10)
        assert (header["number"], header["end"]) == (7, True)
        assert type(wire.unpack_error(header)) is Refused
        wire.send(ours, {"call": "set_lamp", "on": True})
        assert type(wire.unpack_error(wire.receive(ours, time.monotonic() + 10)[0])) is Reopen  # nothing is open
        wire.send(ours, {"call": "open", "backend": "virtual", "address": numbers})
        assert wire.unpack_description(*wire.receive(ours, time.monotonic() + 10)).serial == "OBP-1"
        ours.close()
        child.wait(10)


def test_a_child_that_cannot_start_says_how_it_ended(host):
    spectrometer = IsolatedSpectrometer(host.address("OBP-1"), "virtual", env={"PYTHONHOME": "/nonexistent"})
    with pytest.raises(Lost, match="exit status"):
        spectrometer.open()


def test_without_a_bus_the_reason_comes_through():
    nowhere = Address(250, 1, 0x2457, 0x4000)
    spectrometer = IsolatedSpectrometer(nowhere, "virtual", env={"OESD_VIRTUAL_BUS": "/nonexistent/bus"})
    with pytest.raises(GiveUp, match="virtual bus cannot be reached"):
        spectrometer.open()
    assert spectrometer.pid is None
    spectrometer.close()


def test_many_reads_leak_no_descriptors(isolated):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        spectrometer = isolated("OBP-1")
        spectrometer.open()
        spectrometer.set_exposure(Exposure(10_000))
        counts = [one(spectrometer).counts_sum for _ in range(3)]
        assert np.ptp([c.mean() for c in counts]) < 50
        spectrometer.close()
    assert len(os.listdir("/proc/self/fd")) == before
