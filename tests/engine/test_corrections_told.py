"""What was corrected is told of each spectrum, as the engine did it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.engine.spectra import axis, lines

from oesd.engine.analyze import analyze_measurement
from oesd.model import Correction, Measurement, Recipe

WL = axis(400.0, 500.0, 300)


def told(metadata: dict[str, Any] | None = None, **given: Any) -> dict[str, Correction]:
    """The corrections in the document of a spectrum with some lines, by their names."""
    sample = 1000.0 + lines(WL, np.array([420.0, 460.0]), np.array([8000.0, 20000.0]), 1.2)
    analysis = analyze_measurement(Measurement(WL, sample, **given), Recipe())
    document = analysis.to_api(metadata=metadata or {})
    return {one["name"]: Correction(**one) for one in document["spectral_metadata"]["corrections"]}


DARK = np.full(300, 900.0)


def test_a_dark_that_is_missing_is_doubtful_and_says_why() -> None:
    assert told({"dark_reason": "no dark at 20 ms"})["dark"] == Correction("dark", False, True, "no dark at 20 ms")
    covered = told(electric_dark_pixels=(0, 1, 2))["dark"]
    assert covered == Correction("dark", True, True, "none was given; only the level of 3 covered pixels")


@pytest.mark.parametrize(
    ("reason", "doubtful"),
    [
        ("dark of 10:20 UTC, same 20 ms, 10 min old", False),
        ("dark of 22 Nov 10:20 UTC, same 20 ms, 3 d old: beyond the limits of 24 h and 2 C, none better", True),
        ("dark of 10:20 UTC, same 20 ms, 10 min old; not proven dark", False),
        ("dark by the model learned from 12 darks, good to 1.4 counts; no dark at 20 ms", False),
    ],
)
def test_a_dark_is_told_with_its_age_and_its_doubts(reason: str, doubtful: bool) -> None:
    assert told({"dark_reason": reason}, dark=DARK)["dark"] == Correction("dark", True, doubtful, reason)


def test_a_dark_of_another_exposure_is_doubtful() -> None:
    dark = told(dark=DARK, integration_us=20_000, dark_integration_us=10_000)["dark"]
    assert dark.doubtful and dark.note == "as it was given; the dark was exposed for 10 ms, the sample for 20 ms"


def test_coefficients_count_as_applied_only_where_the_engine_applied_them() -> None:
    none = told(dark=DARK)
    assert (none["nonlinearity"].applied, none["stray_light"].applied) == (False, False)
    assert none["nonlinearity"].note == "no coefficients are known"
    good = told(dark=DARK, nonlinearity=(1.0, 1e-7), stray_light=(0.001,))
    assert good["nonlinearity"] == Correction("nonlinearity", True, False, "by 2 coefficients")
    assert good["stray_light"] == Correction("stray_light", True, False, "by 1 coefficient")
    bad = told(dark=DARK, nonlinearity=(0.0, 0.0), stray_light=(7.0,))
    assert bad["nonlinearity"] == Correction("nonlinearity", False, True, "its coefficients are not believable")
    assert bad["stray_light"] == Correction("stray_light", False, True, "its coefficients are not believable")


def test_the_shorter_exposure_and_the_boxcar_are_told_where_there_are_any() -> None:
    assert set(told(dark=DARK)) == {"dark", "nonlinearity", "stray_light"}
    short = told({"bracket": {"replaced_pixels": 4}}, short=DARK, short_integration_us=2_000, boxcar_half_width_px=2)
    note = "4 saturated pixels out of the one of 2 ms"
    assert short["shorter_exposure"] == Correction("shorter_exposure", True, False, note)
    assert short["boxcar"] == Correction("boxcar", True, False, "half width 2 px, to find peaks only")
    assert not told(short=DARK, short_integration_us=2_000)["shorter_exposure"].applied
