"""The trigger input, mode by mode."""

import time

import pytest

from oesd_drivers.virtual import Light, scene, spectrometer

EDGE = {"USB2000+": 3, "FLAME-S": 4, "HR4000": 3, "QE65000": 3, "STS": 1, "QE-PRO": 3, "HDX": 1, "ST": 3}
LEVEL = {"QE-PRO": 1, "HDX": 3, "Ventana": 1}
CLOCK = {"USB2000+": 2, "HR4000": 2, "Maya2000 Pro": 2, "QE-PRO": 2}
FREE = {"USB2000+": 1, "STS": 2, "SR4": 0}


def armed(model, mode):
    instrument = spectrometer(model, "T1", Light(scene("halogen"), time.monotonic), 1).instrument
    instrument.power_on(0.0)
    instrument.set_integration(10_000, 0.0)
    instrument.triggers.set_mode(mode)
    return instrument


@pytest.mark.parametrize(("model", "mode"), EDGE.items())
def test_an_edge_begins_one_frame(model, mode):
    instrument = armed(model, mode)
    assert instrument.fire(0.5) is None, "nobody had asked"
    assert instrument.request(1.0) is None
    frame = instrument.fire(1.7)
    assert (frame.asked_s, frame.began_s, frame.ready_s) == (1.0, 1.7, pytest.approx(1.71))
    assert instrument.fire(1.8) is None


@pytest.mark.parametrize(("model", "mode"), LEVEL.items())
def test_frames_run_while_the_level_is_high(model, mode):
    instrument = armed(model, mode)
    assert instrument.request(1.0) is None
    (frame,) = instrument.trigger_level(True, 1.7)
    assert (frame.asked_s, frame.began_s) == (1.0, 1.7)
    assert instrument.request(1.8) is not None
    assert instrument.trigger_level(False, 1.9) == []
    assert instrument.request(2.0) is None


@pytest.mark.parametrize(("model", "mode"), CLOCK.items())
def test_an_edge_ends_a_frame_and_begins_the_next(model, mode):
    instrument = armed(model, mode)
    assert instrument.request(1.0) is None
    assert instrument.fire(1.5) is None, "it begins here"
    frame = instrument.fire(1.53)
    assert (frame.began_s, frame.ready_s, frame.integration_s) == (1.5, 1.53, pytest.approx(0.03))
    assert instrument.request(1.54) is None
    assert instrument.fire(1.6).began_s == 1.53


@pytest.mark.parametrize(("model", "mode"), FREE.items())
def test_other_modes_wait_for_nothing(model, mode):
    assert armed(model, mode).request(1.0) is not None


def test_a_disabled_device_never_begins():
    instrument = armed("HDX", 255)
    assert instrument.request(1.0) is None
    assert instrument.fire(1.1) is None
    assert instrument.trigger_level(True, 1.2) == []


@pytest.mark.parametrize(("model", "message"), [("STS", 0x00110110), ("SR4", 0x00000D01)])
def test_a_triggered_obp_spectrum_comes_with_its_edge(world, model, message):
    feature = world.open(model).f.spectrometer
    feature.set_integration_time_micros(5000)
    feature.get_intensities()
    device = world.bus.device("OES00001")
    mode = EDGE.get(model, 0)
    feature.protocol.send(message, mode, request_ack=True)
    assert device.instrument.triggers.mode == mode
    if mode:
        asked = world.control.frames("OES00001")
        feature.protocol.transport._device.pyusb_device.default_timeout = 50
        with pytest.raises(OSError):
            feature.get_intensities()
        world.control.trigger_line("OES00001", True)
        world.control.trigger_line("OES00001", False)
        (frame,) = world.control.frames_made("OES00001", asked)
        assert frame.began_ns > frame.asked_ns


def test_a_reset_forgets_the_frame_that_waits(world):
    device = world.open("USB2000+")
    feature = device.f.spectrometer
    feature.set_trigger_mode(3)
    feature.protocol.send(0x09)
    made = world.control.frames("OES00001")
    device.close()
    world.control.trigger("OES00001")
    assert world.control.frames("OES00001") == made
