"""A line has its value with an error that is true, also where it is too weak to be found."""

from __future__ import annotations

import math
import time
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.daemon.watching.spectra import AXIS_NM, INSTRUMENT, SECONDS, light

from oesd.model import AxisCorrection
from oesd.processing.readings import catalogue
from oesd.watching.grammar import parse
from oesd.watching.measuring import measured
from oesd.watching.plan import plan
from oesd.watching.reading import Reading, State, upper_limit
from oesd.watching.signals import Alarm, Signal

AR, F = 750.3868, 703.7459


def planned(text: str):
    return plan(parse(text), catalogue(), INSTRUMENT)


@pytest.mark.parametrize("height", [0.0, 10.0, 40.0, 400.0, 5000.0])
def test_values_scatter_around_what_is_there_by_what_they_say(height: float) -> None:
    """Below the noise too: no bias towards light that is not there, and chi^2 of one per value."""
    rng = np.random.default_rng(7)
    ar = planned("Ar_750.4")
    found = [
        measured(light({AR: height, AR + 2.2: 900.0, F: 3000.0}, rng, found_nm=(AR + 2.2, F)), ar) for _ in range(300)
    ]
    off = np.array([(one.value - height / SECONDS) / one.sigma for one in found])
    assert abs(off.mean()) < 4.0 / math.sqrt(300)
    assert 0.85 < off.std() < 1.15


def test_a_value_is_measured_not_detected_saturated_or_undefined() -> None:
    rng = np.random.default_rng(2)
    ar, ratio = planned("Ar_750.4"), planned("F_703.7 / Ar_750.4")
    assert measured(light({AR: 500.0}, rng), ar).state is State.MEASURED
    weak = measured(light({AR: 0.0}, rng), ar)
    assert weak.state is State.NOT_DETECTED
    assert weak.value != 0.0
    assert 0.0 < weak.upper < 5.0 * weak.sigma
    clipped = np.abs(AXIS_NM - AR) < 0.4
    bright = measured(light({AR: 60_000.0}, saturated=clipped), ar)
    assert (bright.state, math.isfinite(bright.value)) == (State.SATURATED, True)
    assert not bright.usable
    for text in ("F_703.7 / Ar_750.4", "F_703.7 - Ar_750.4"):  # with more of Ar it would be less: no lower limit
        above = measured(light({AR: 60_000.0, F: 900.0}, saturated=clipped), planned(text))
        assert (above.state, math.isnan(above.value)) == (State.SATURATED, True)
        assert Signal(Alarm("fluorine", "threshold", "f_ar", above=1e-6), "").of(0, above).on is None
    assert measured(light({AR: 60_000.0, F: 900.0}, saturated=clipped), planned("Ar_750.4 / F_703.7")).value > 10.0
    assert measured(light({F: 900.0}, rng), ratio).state is State.UNDEFINED
    assert measured(light({F: 900.0, AR: 900.0}, rng), ratio).state is State.MEASURED
    assert measured(light({F: 0.0, AR: 900.0}, rng), ratio).state is State.NOT_DETECTED
    assert measured(light({AR: 500.0}, seconds=0.0), ar).state is State.UNDEFINED
    assert measured(light({AR: 500.0}), planned("Ar_420.1 / Ar_419.8")).state is State.UNDEFINED


def test_a_saturated_neighbour_does_not_spoil_a_line() -> None:
    clipped = np.abs(AXIS_NM - (AR + 3.0)) < 0.5
    seen = light({AR: 800.0, AR + 3.0: 30_000.0}, found_nm=(AR + 3.0,), saturated=clipped)
    found = measured(seen, planned("Ar_750.4"))
    assert found.state is State.MEASURED
    assert found.value == pytest.approx(800.0 / SECONDS, rel=0.02)


def test_values_are_per_second_so_that_an_exposure_makes_no_step() -> None:
    ar = planned("Ar_750.4")
    short, long = light({AR: 500.0}, seconds=0.01), light({AR: 1000.0}, seconds=0.02)
    assert measured(short, ar).value == pytest.approx(measured(long, ar).value, rel=1e-3)


def test_a_strong_line_is_followed_and_a_weak_one_is_looked_for_where_the_axis_says() -> None:
    ar = planned("Ar_750.4")
    off = light({AR + 0.12: 4000.0})
    assert measured(off, ar).value == pytest.approx(4000.0 / SECONDS, rel=0.02)
    told = AxisCorrection(0.5, 0.0, 550.0, 0.02, True)
    assert measured(light({AR + 0.5: 60.0}, axis=told), ar).value == pytest.approx(60.0 / SECONDS, rel=0.02)
    unsure = AxisCorrection(0.5, 0.0, 550.0, 0.02, False)
    assert measured(light({AR: 60.0}, axis=unsure), ar).value == pytest.approx(60.0 / SECONDS, rel=0.02)


def test_arithmetic_carries_errors_to_first_order() -> None:
    seen = light({AR: 900.0, F: 450.0})
    ar, f = (measured(seen, planned(text)) for text in ("Ar_750.4", "F_703.7"))
    ratio = measured(seen, planned("F_703.7 / Ar_750.4"))
    assert ratio.value == pytest.approx(f.value / ar.value)
    assert ratio.sigma / ratio.value == pytest.approx(math.hypot(f.sigma / f.value, ar.sigma / ar.value))
    both = measured(seen, planned("2 * F_703.7 + 3 * Ar_750.4"))
    assert both.sigma == pytest.approx(math.hypot(2 * f.sigma, 3 * ar.sigma))
    assert measured(seen, planned("Ar_750.4 / Ar_750.4")).sigma == pytest.approx(0.0, abs=1e-12)
    assert measured(seen, planned("F_703.7 / 0")).state is State.UNDEFINED


def test_windows_hold_all_light_between_two_wavelengths() -> None:
    seen = light({})
    window, left, right = (
        measured(seen, planned(text)) for text in ("integral(300, 320)", "integral(300, 307.7)", "integral(307.7, 320)")
    )
    expected = (500.0 * 20.0 + 0.3 * (0.5 * (320.0**2 - 300.0**2) - 200.0 * 20.0)) / SECONDS
    assert window.value == pytest.approx(expected, rel=1e-6)
    assert left.value + right.value == pytest.approx(window.value)
    assert measured(seen, planned("light")).value > window.value


def test_shifts_and_differences_may_be_below_zero_and_are_measured_all_the_same() -> None:
    told = AxisCorrection(-0.01, 0.0, 550.0, 0.05, True)
    assert measured(light({}, axis=told), planned("axis_shift")) == Reading(-0.01, 0.05, State.MEASURED)
    assert measured(light({AR: 100.0, F: 100.0}), planned("F_703.7 - Ar_750.4")).state is State.MEASURED
    assert measured(light({}), planned("axis_shift")).state is State.UNDEFINED


@given(st.floats(-60.0, 60.0), st.floats(1e-3, 1e3))
def test_an_upper_limit_is_that_of_an_amount_above_zero(reach: float, sigma: float) -> None:
    limit = upper_limit(reach * sigma, sigma)
    assert limit > 0.0
    if reach > 4.0:
        assert limit == pytest.approx((reach + 1.6449) * sigma, rel=1e-3)
    if reach > -5.0:  # the share of the part above zero that lies above the limit is 5 %
        beyond, above = (NormalDist().cdf(reach - x / sigma) for x in (limit, 0.0))
        assert beyond / above == pytest.approx(0.05, rel=1e-4)


def test_what_is_stored_is_what_is_decided_by() -> None:
    exact = Reading(1.0 / 3.0, 0.1, State.MEASURED)
    stored = exact.as_stored()
    assert stored != exact
    assert stored.as_stored() == stored
    assert np.float32(stored.value) == stored.value


def test_ten_lines_cost_less_than_a_few_milliseconds_of_linear_algebra() -> None:
    """As a ratio in one run: measuring a line costs less than a hundred solutions of a system of 40."""
    plans = [planned(f"{key}") for key in ("Ar_750.4", "F_703.7", "Ar_763.5", "Ar_811.5", "O_777.2")]
    seen = light({AR: 500.0, F: 400.0}, found_nm=(AR, F))
    matrix = np.eye(40) + 0.01

    def cost(what) -> float:
        best = 9.0
        for _ in range(9):
            begun = time.process_time()
            what()
            best = min(best, time.process_time() - begun)
        return best

    solving = cost(lambda: [np.linalg.solve(matrix, matrix) for _ in range(100)])
    assert cost(lambda: [measured(seen, one) for one in plans]) < 5.0 * solving
