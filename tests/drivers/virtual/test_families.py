"""Every family, through unmodified seabreeze and pyusb."""

import time

import numpy as np
import pytest
import usb.util
from seabreeze.pyseabreeze import SeaBreezeAPI
from seabreeze.pyseabreeze.exceptions import SeaBreezeError
from seabreeze.pyseabreeze.features.thermoelectric import ThermoElectricFeatureOBP, ThermoElectricFeatureOOI

from oesd_drivers.virtual import MODELS, Light, install, scene, spectrometer

#: pyseabreeze's names where they are not those on the cases.
NAMES = {
    "USB2000+": "USB2000PLUS", "FLAME-S": "FLAMES", "HR2000+": "HR2000PLUS", "QE-PRO": "QEPRO",
    "Maya2000 Pro": "MAYA2000PRO",
}  # fmt: skip
SHORTEST_US = 10_000


@pytest.mark.parametrize("model", MODELS)
def test_opens_and_measures_with_the_axis_of_its_memory(worlds, model):
    world = worlds("halogen")
    device = world.open(model)
    feature, detector, wire = device.f.spectrometer, MODELS[model].detector, MODELS[model].wire
    assert device.model == NAMES.get(model, model.upper())
    assert device.serial_number == "OES00001"

    feature.set_integration_time_micros(max(SHORTEST_US, feature.get_integration_time_micros_limits()[0]))
    feature.get_intensities()
    counts = np.asarray(feature.get_intensities())
    assert counts.shape == (detector.pixels + wire.padding_words,)
    lit = counts[: detector.pixels]
    assert lit.max() > lit.min() + detector.offset_counts / 20
    assert lit.min() > 0.9 * detector.offset_counts
    assert feature.get_maximum_intensity() == detector.adc_max

    optics = world.bus.device("OES00001").instrument.optics
    wavelengths_nm = feature.get_wavelengths()[: detector.pixels]
    np.testing.assert_allclose(wavelengths_nm, optics.wavelengths_nm, rtol=0, atol=1e-9)
    assert np.all(np.diff(wavelengths_nm) > 0.05)


@pytest.mark.parametrize("model", ["USB4000", "QE-PRO", "SR4"])
def test_the_library_rejects_its_own_maximum(world, model):
    feature = world.open(model).f.spectrometer
    low, high = feature.get_integration_time_micros_limits()
    feature.set_integration_time_micros(low)
    for wrong in (low - 1, high):
        with pytest.raises(SeaBreezeError):
            feature.set_integration_time_micros(wrong)


@pytest.mark.parametrize("model", ["USB2000+", "FLAME-S"])
def test_nonlinearity_coefficients_come_back(world, model):
    read = world.open(model).f.nonlinearity_coefficients.get_nonlinearity_coefficients()
    np.testing.assert_allclose(read, MODELS[model].detector.nonlinearity, rtol=1e-6)


def test_usb4000_has_them_in_its_eeprom_too(world):
    eeprom = world.open("USB4000").f.eeprom
    order = int(eeprom.eeprom_read_slot(14))
    read = [float(eeprom.eeprom_read_slot(6 + i)) for i in range(order + 1)]
    np.testing.assert_allclose(read, MODELS["USB4000"].detector.nonlinearity, rtol=1e-6)


def test_autonulling_scales_saturation_to_the_maximum(worlds):
    world = worlds("halogen")
    feature = world.open("USB2000+").f.spectrometer
    assert feature._normalization_value == pytest.approx(65535 / 62000)
    world.control.light(1000.0)
    feature.set_integration_time_micros(10_000)
    feature.get_intensities()
    bright = feature.get_intensities()
    # a full detector reads a little above its saturation level, and so seabreeze above the maximum
    assert 65535 <= np.median(bright) <= 65535 * 1.011


def test_a_first_frame_is_stale(worlds):
    feature = worlds("halogen").open("USB2000+").f.spectrometer
    feature.set_integration_time_micros(240_000)
    feature.get_intensities()
    before = feature.get_intensities().mean()
    feature.set_integration_time_micros(80_000)
    stale, fresh = feature.get_intensities().mean(), feature.get_intensities().mean()
    assert stale == pytest.approx(before, rel=0.01)
    offset = MODELS["USB2000+"].detector.offset_counts * 65535 / 62000
    assert (fresh - offset) / (stale - offset) == pytest.approx(1 / 3, rel=0.05)


def test_qe_pro_cools(world):
    device = world.open("QE-PRO")
    cooler = ThermoElectricFeatureOBP(device._transport.protocol, 0)
    assert cooler.read_temperature_degrees_celsius() == -10.0
    cooler.set_temperature_setpoint_degrees_celsius(-25.0)
    instrument = world.bus.device("OES00001").instrument
    now_s = time.monotonic()
    assert instrument.detector_temperature_c(now_s + 20.0) == pytest.approx(-25.0 + 15.0 / np.e, abs=0.5)
    cooler.enable_tec(False)
    assert instrument.detector_temperature_c(now_s + 400.0) == pytest.approx(instrument.board_temperature_c, abs=0.01)


@pytest.mark.parametrize("model", ["NIRQuest512", "NIRQuest256", "QE65000"])
def test_ooi_devices_cool(world, model):
    device = world.open(model)
    cooler = ThermoElectricFeatureOOI(device._transport.protocol, 0)
    assert cooler.read_temperature_degrees_celsius() == -10.0
    cooler.set_temperature_setpoint_degrees_celsius(-25.0)
    instrument = world.bus.device("OES00001").instrument
    now_s = time.monotonic()
    assert instrument.detector_temperature_c(now_s + 20.0) == pytest.approx(-25.0 + 15.0 / np.e, abs=0.5)
    cooler.enable_tec(False)
    assert instrument.detector_temperature_c(now_s + 400.0) == pytest.approx(instrument.board_temperature_c, abs=0.01)


def test_an_old_device_takes_two_bytes_of_its_milliseconds(world):
    """What becomes of pyseabreeze's 100 s, which it lets pass: 100,000 ms in 16 bits."""
    feature = world.open("USB2000").f.spectrometer
    feature.set_integration_time_micros(100_000_000)
    assert world.bus.device("OES00001").instrument.ordered_integration_s == pytest.approx(34.464)


def test_the_library_takes_filling_words_for_pixels(world):
    feature = world.open("USB4000").f.spectrometer
    feature.set_integration_time_micros(10_000)
    feature.get_intensities()
    assert np.ptp(feature.get_intensities()[3648:]) == 0


def test_board_temperature_of_an_ooi_device(world):
    device = world.open("USB2000+")
    world.control.temperature("OES00001", 31.5)
    transport = device._transport
    transport.write(b"\x6c")
    answer = transport.read(size=3, mode="low_speed")
    assert answer[0] == 8
    assert int.from_bytes(answer[1:], "little", signed=True) * 0.003906 == pytest.approx(31.5, abs=0.01)


def test_the_lamp_line_lights_a_lamp(worlds):
    device = worlds("dark").open("FLAME-S")
    feature = device.f.spectrometer
    feature.set_integration_time_micros(10_000)
    feature.get_intensities()
    means = []
    for on in (False, True, False):
        device.f.continuous_strobe.set_enable(on)
        means.append(feature.get_intensities().mean())
    assert means[1] > means[0] + 100
    assert means[2] == pytest.approx(means[0], abs=3)


def test_a_triggered_spectrum_waits_for_its_edge(world):
    feature = world.open("USB2000+").f.spectrometer
    feature.set_integration_time_micros(1000)
    feature.get_intensities()
    feature.set_trigger_mode(3)
    feature.protocol.send(0x09)
    device = world.bus.device("OES00001")
    assert device.instrument.frames == 1
    world.control.trigger("OES00001")
    assert device.instrument.frames == 2
    assert len(feature.protocol.receive(size=4097, timeout_ms=1000, mode="high_speed")) == 4097


def test_descriptors_say_it_is_simulated(world):
    world.control.add("SR4", "OES00001")
    (device,) = world.found()
    assert (device.bus, device.idVendor, device.idProduct) == (250, 0x0999, 0x1002)
    assert usb.util.get_string(device, device.iProduct) == "SR4"
    assert "SIMULATED" in usb.util.get_string(device, device.iManufacturer)


def test_listing_by_name_without_patching(world):
    world.control.add("USB2000+", "AAA")
    world.control.add("STS", "BBB")
    install(world.bus, "virtual_listing_test")
    api = SeaBreezeAPI(pyusb_backend="virtual_listing_test", multicast_timeout=0.001)
    listed = api.list_devices()
    assert sorted((d.model, d.serial_number) for d in listed) == [("STS", "BBB"), ("USB2000PLUS", "AAA")]


@pytest.mark.parametrize(("model", "serial", "text"), [("HR9", "A", "unknown model"), ("STS", "x" * 15, "1 to 14")])
def test_wrong_names_are_refused(model, serial, text):
    with pytest.raises(ValueError, match=text):
        spectrometer(model, serial, Light(scene("dark"), time.monotonic))
