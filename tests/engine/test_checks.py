import numpy as np
import pytest
from tests.engine.spectra import axis

import oesd
from oesd.engine import SpectrumError, checks
from oesd.model import ConstraintMode, Measurement, Recipe

GOOD = axis(pixels=50)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wavelengths_nm": GOOD[::-1]}, "not increasing at pixel 1"),
        ({"wavelengths_nm": np.r_[GOOD[:20], GOOD[19:-1]]}, "not increasing at pixel 20"),
        ({"wavelengths_nm": GOOD - 300.0}, "not positive"),
        ({"wavelengths_nm": GOOD[:1]}, "at least 2 pixels"),
        ({"sample": np.ones(49)}, "sample has 49 values, the wavelength axis has 50"),
        ({"sample": np.r_[np.ones(49), np.nan]}, "sample is not finite at pixel 49"),
        ({"sample": np.r_[np.inf, np.ones(49)]}, "sample is not finite at pixel 0"),
        ({"sample": np.ones((5, 10))}, "2 dimensions"),
        ({"sample": ["a"] * 50}, "not a list of numbers"),
        ({"dark": np.ones(3)}, "dark has 3 values"),
        ({"reference": np.full(50, np.nan)}, "reference is not finite"),
        ({"elements": ["Xx"], "constraint": "include"}, "unknown element 'Xx'"),
        ({"constraint": "only"}, "unknown constraint 'only'"),
        ({"elements": ["Ga"]}, "elements are listed but the constraint is auto"),
        ({"expected": ["Gallium"]}, "unknown element 'Gallium'"),
        ({"search_nm": 0.0}, "search_nm must be a positive number"),
        ({"fwhm_nm": -1.0}, "fwhm_nm must be a positive number"),
        ({"saturation_counts": 0.0}, "saturation_counts must be a positive number"),
        ({"saturation_counts": float("nan")}, "saturation_counts must be a positive number"),
    ],
)
def test_refusals_are_one_line_and_name_the_fault(change, says):
    with pytest.raises(SpectrumError) as caught:
        oesd.analyze(**({"wavelengths_nm": GOOD, "sample": np.ones(50)} | change))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_saturation_mask_of_another_length_is_refused():
    with pytest.raises(SpectrumError, match="saturation mask"):
        checks.measurement(Measurement(GOOD, np.ones(50), saturated=np.zeros(49, dtype=bool)))


def test_symbols_are_spelled_as_in_the_table():
    given = Recipe(ConstraintMode.INCLUDE, ("ar", " GA "), ambient=("n",), expected=("la", "O"), search_nm=2.0)
    assert checks.recipe(given) == Recipe(
        ConstraintMode.INCLUDE, ("Ar", "Ga"), ambient=("N",), expected=("La", "O"), search_nm=2.0
    )
    assert checks.symbols("he") == ("He",)


@pytest.mark.parametrize("value", [0, -3, 2.5, "x", float("nan"), float("inf"), True, 10**30])
@pytest.mark.parametrize("name", ["scans_averaged", "integration_us"])
def test_odd_settings_are_named(name, value):
    with pytest.raises(SpectrumError, match=f"{name} must be a whole number from 1 on, not"):
        oesd.analyze(GOOD, np.ones(50), **{name: value})
