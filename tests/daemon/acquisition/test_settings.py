import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.acquisition import device_of, settings_for
from oesd.acquisition.settings import safe_name
from oesd.config import parse_config
from oesd_drivers.spectrometer import Description

TEXT = """
[capture]
every = "2 s"
integration = "50 ms"
scans = 3
[dark]
scans = 7
[[spectrometer]]
serial = "A"
name = "chamber-a"
integration = "10 ms"
trigger = { mode = "edge" }
exposure = { mode = "auto" }
cooling_c = -10.0
dead_pixels = [9, 4, 2048]
stray_light = { share = 0.002, halo_share = 0.001 }
"""


def test_own_section_lies_over_the_defaults() -> None:
    config = parse_config(TEXT, "x")
    own, other = settings_for(config, "A"), settings_for(config, "B")
    assert own is not None
    assert other is not None
    capture = own.capture
    assert (own.name, capture.integration_us, capture.every_us, capture.scans) == ("chamber-a", 10_000, 2_000_000, 3)
    assert (other.name, other.capture.integration_us) == ("B", 50_000)
    assert own.trigger.mode == "edge"
    assert (own.exposure.mode, other.exposure.mode) == ("auto", "fixed")
    assert (own.cooling_c, other.cooling_c) == (-10.0, None)
    assert (own.stray_light, other.stray_light) == ((0.002, 0.001, 25.0), ())


def test_what_a_person_knows_of_a_detector_goes_into_its_description() -> None:
    own = settings_for(parse_config(TEXT, "x"), "A")
    assert own is not None
    told = Description("A", "USB2000+", np.linspace(200.0, 900.0, 2048), 65535, (), (), 1, 2, True, True)
    device = device_of(told, own)
    assert device.dead_pixels == (4, 9)  # in order, and none that the detector does not have
    assert device.stray_light == (0.002, 0.001, 25.0)


def test_own_scans_go_before_a_total_time() -> None:
    config = parse_config('[capture]\ntotal = "500 ms"\n[[spectrometer]]\nserial = "A"\nscans = 2\n', "x")
    own, other = settings_for(config, "A"), settings_for(config, "B")
    assert own is not None
    assert other is not None
    assert (own.capture.total_us, own.capture.scans, other.capture.total_us) == (0, 2, 500_000)


def test_only_listed_leaves_others_alone() -> None:
    config = parse_config("only_listed = true" + TEXT, "x")
    assert settings_for(config, "A") is not None
    assert settings_for(config, "B") is None


@given(st.text(max_size=300))
def test_any_serial_gets_a_plain_name(serial: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", safe_name(serial))


@pytest.mark.parametrize(("one", "other"), [("../etc", "/etc"), ("a b", "ab"), ("", "\x00"), ("é", "è")])
def test_strange_serials_never_share_a_name(one: str, other: str) -> None:
    assert safe_name(one) != safe_name(other)
