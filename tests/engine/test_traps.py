"""Lines that two emitters share: the right name with corroboration, none without it, both ways round.

Without corroboration both stay among the candidates, which is how a peak says "ambiguous".
"""

import numpy as np
import pytest
from tests.engine.spectra import axis, lines, measured, plasma

import oesd
from oesd.engine.bands import SYSTEMS, band_light

WL = axis()


def analyzed(light, wl=WL, seed=0):
    sample, dark = measured(light, seed)
    return oesd.analyze(wl, sample, dark, saturation_counts=65535.0)


def nearest(result, nm):
    return min(result.detected_peaks, key=lambda p: abs(p.wavelength_nm - nm))


def named(result):
    return {e.element for e in result.elements}


def balmer(fwhm_nm):
    return lines(WL, np.array([656.28, 486.13, 434.05, 410.17]), np.array([20000.0, 6000.0, 2500.0, 1200.0]), fwhm_nm)


def nitrogen(fwhm_nm):
    nm, system, light = band_light()
    mine = system == SYSTEMS.index("N2")
    shape = lines(WL, nm[mine], light[1][mine], fwhm_nm)
    return 15000.0 * shape / shape.max()


@pytest.mark.parametrize("fwhm_nm", [0.5, 0.9, 1.3])
@pytest.mark.parametrize(
    ("nm", "right", "light"),
    [
        (410.17, "In", lambda fwhm: plasma(WL, {"In": 9000.0}, fwhm)),
        (410.17, "H", balmer),
        (403.30, "Ga", lambda fwhm: plasma(WL, {"Ga": 9000.0}, fwhm)),
        (403.20, "Mn", lambda fwhm: plasma(WL, {"Mn": 9000.0}, fwhm)),
        (407.77, "Sr", lambda fwhm: plasma(WL, {"Sr": 9000.0}, fwhm, stage=2) + plasma(WL, {"Sr": 3000.0}, fwhm)),
        (407.735, "La", lambda fwhm: plasma(WL, {"La": 9000.0}, fwhm, stage=2)),
        (408.67, "La", lambda fwhm: plasma(WL, {"La": 9000.0}, fwhm, stage=2)),
        (777.4, "O", lambda fwhm: plasma(WL, {"O": 9000.0}, fwhm)),
        (763.5, "Ar", lambda fwhm: plasma(WL, {"Ar": 9000.0}, fwhm)),
        (420.0, "Ar", lambda fwhm: plasma(WL, {"Ar": 30000.0}, fwhm)),
    ],
)
def test_with_corroboration_the_right_one_is_named_alone(nm, right, light, fwhm_nm):
    result = analyzed(light(fwhm_nm))
    assert named(result) == {right}
    assert nearest(result, nm).element == right


@pytest.mark.parametrize("fwhm_nm", [0.5, 0.9, 1.3])
def test_the_nitrogen_band_at_420_is_no_argon(fwhm_nm):
    result = analyzed(nitrogen(fwhm_nm))
    assert named(result) == set()
    assert nearest(result, 337.1).element == "N2"


@pytest.mark.parametrize(
    ("nm", "rivals", "fwhm_nm", "below_nm", "above_nm"),
    [
        (410.17, {"In", "H"}, 0.2, 5.0, 5.5),
        (410.17, {"In", "H"}, 0.5, 5.0, 5.5),
        (403.25, {"Ga", "Mn"}, 0.9, 4.0, 0.7),  # Mn 404.14 would be missing on a longer axis
        (407.75, {"Sr", "Hg"}, 0.5, 2.0, 0.8),  # and La 408.67, which tells La II 407.735 from Sr II on any other
    ],
)
def test_alone_on_a_short_axis_neither_is_sure(nm, rivals, fwhm_nm, below_nm, above_nm):
    pixels = 20 + int(5.0 * (below_nm + above_nm) / fwhm_nm)
    wl = axis(nm - below_nm, nm + above_nm, pixels)
    result = analyzed(lines(wl, np.array([nm]), np.array([9000.0]), fwhm_nm), wl)
    peak = nearest(result, nm)
    assert peak.element is None and peak.ambiguous
    assert any(rivals & set(one.elements) for one in result.ambiguous)
    assert rivals <= {c.element for c in peak.candidates}
    assert not rivals & named(result)


@pytest.mark.parametrize("fwhm_nm", [0.9, 1.3])
def test_light_at_777_without_that_at_845_is_not_surely_oxygen(fwhm_nm):
    result = analyzed(lines(WL, np.array([777.2]), np.array([3000.0]), 1.4 * fwhm_nm))
    assert "O" not in named(result)
    assert "O" in {c.element for c in nearest(result, 777.2).candidates}


@pytest.mark.parametrize("fwhm_nm", [0.5, 0.9])
@pytest.mark.parametrize(
    ("both", "light"),
    [
        ({"In", "H"}, lambda fwhm: plasma(WL, {"In": 9000.0}, fwhm) + balmer(fwhm)),
        ({"Ga", "Mn"}, lambda fwhm: plasma(WL, {"Ga": 9000.0, "Mn": 9000.0}, fwhm)),
        ({"La", "Sr"}, lambda fwhm: plasma(WL, {"La": 9000.0, "Sr": 7000.0}, fwhm, stage=2)),
        ({"Ar"}, lambda fwhm: plasma(WL, {"Ar": 12000.0}, fwhm) + nitrogen(fwhm)),
    ],
)
def test_where_both_are_there_both_are_named(both, light, fwhm_nm):
    assert named(analyzed(light(fwhm_nm))) == both


def test_a_lone_line_at_420_is_neither_surely_argon_nor_nitrogen():
    wl = axis(412.0, 424.0, 120)
    result = analyzed(lines(wl, np.array([420.06]), np.array([9000.0]), 0.5), wl)
    assert "Ar" not in named(result)
    assert "Ar" in {c.element for c in nearest(result, 420.06).candidates}
