"""Whether a background may serve, from the first dark of a spectrometer on."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.dark_units import Unit, light

from oesd.backgrounds.acceptance import (
    MOST_SCANS,
    Known,
    begins_anew,
    judge_dark,
    judge_reference,
    proving_scans,
    scan_noise,
    visible_light,
)
from oesd.backgrounds.cells import Dark, DarkStatistics, statistics_of

NM = np.linspace(200.0, 1000.0, 600)


def known_of(unit, darks=(), model=None, **more):
    statistics = statistics_of(darks, unit.detector.pixels)
    return Known(unit.optics.wavelengths_nm, statistics, unit.detector.dark_pixels, model, **more)


def lit(unit, integration_us, counts):
    shape = light(unit, "plasma", np.random.default_rng(0))
    return shape * counts * unit.detector.electrons_per_count / (integration_us / 1e6)


@pytest.mark.parametrize("model", ["USB2000+", "USB4000", "HR4000", "STS"])
@pytest.mark.parametrize("scans", [1, 16])
def test_clean_darks_are_never_called_light_while_a_library_grows(model, scans):
    unit, rng = Unit(model, 11), np.random.default_rng(5)
    statistics = DarkStatistics(unit.detector.pixels)
    for _ in range(12):
        dark = unit.dark(int(rng.choice([10_000, 100_000, 1_000_000])), float(rng.uniform(19.0, 25.0)), scans)
        verdict = judge_dark(dark, Known(unit.optics.wavelengths_nm, statistics, unit.detector.dark_pixels))
        assert verdict.accepted, verdict.reason
        statistics.add(dark)


def test_nothing_is_proven_by_the_spectrum_itself(usb2000):
    unit, _ = usb2000
    first = unit.dark(100_000, 22.0, 64)
    verdict = judge_dark(first, known_of(unit))
    assert verdict.accepted
    assert not verdict.proven
    second = judge_dark(unit.dark(100_000, 22.0, 64), known_of(unit, [first]))
    assert second.proven
    assert "the earlier dark" in second.reason


def test_a_dark_with_too_few_scans_is_refused_once_the_model_knows_better(usb2000):
    unit, model = usb2000
    few = unit.dark(10_000, 25.0, 2)
    before, after = (
        judge_dark(few, known_of(unit, [unit.dark(10_000, 25.0, 2)])),
        judge_dark(few, known_of(unit, model=model)),
    )
    assert before.accepted
    assert not before.proven
    assert before.reason.startswith("perhaps dark")
    assert not after.accepted
    assert after.reason.startswith("not proven dark")
    assert "scans would show it" in after.reason
    enough = proving_scans(model, 10_000, 25.0, unit.detector.pixels)
    assert judge_dark(unit.dark(10_000, 25.0, enough), known_of(unit, model=model)).proven
    assert proving_scans(model, 10_000_000, 60.0, unit.detector.pixels) == MOST_SCANS
    assert proving_scans(None, 10_000, None, 2048) == proving_scans(None, 1_000_000, 40.0, 2048) > 5


def test_light_is_found_at_far_lower_levels_when_it_is_known(usb2000):
    unit, model = usb2000
    rate = lit(unit, 100_000, 8.0)  # half a read noise at the strongest line
    sample = unit.mean(100_000, 25.0, 100.0 * rate) - unit.mean(100_000, 25.0)
    dark = unit.dark(100_000, 25.0, 32, rate)
    unknown = judge_dark(dark, known_of(unit, model=model))
    knowing = judge_dark(dark, known_of(unit, model=model, known_light={"the light of the last sample": sample}))
    assert unknown.accepted
    assert not knowing.accepted
    assert "the light of the last sample" in knowing.reason


def test_a_full_detector_is_not_dark():
    counts = np.full(600, 60_000.0)
    full = Dark(counts, 10_000, 1, 20.0, np.ones(600, dtype=np.bool_))
    verdict = judge_dark(full, Known(NM, DarkStatistics(600)))
    assert not verdict.accepted
    assert verdict.reason == "not dark: 600 of 600 pixels are saturated"


def test_what_is_darker_than_all_before_is_told_and_may_begin_anew(usb2000):
    unit, _ = usb2000
    even = np.full(unit.detector.pixels, 200.0 * unit.detector.electrons_per_count / 0.1)
    even[list(unit.detector.dark_pixels)] = 0.0
    known = Known(unit.optics.wavelengths_nm, statistics_of([unit.dark(100_000, 22.0, 16, even)], unit.detector.pixels))
    dark = unit.dark(100_000, 22.0, 16)
    verdict = judge_dark(dark, known)
    assert verdict.darker
    anew = begins_anew(verdict, dark, known)
    assert anew.accepted
    assert anew.reason.endswith("darker than all earlier darks, which are set aside")
    bright = unit.dark(100_000, 22.0, 16, lit(unit, 100_000, 3_000.0))
    judged = judge_dark(bright, known)
    assert begins_anew(judged, bright, known) is judged  # lines in it: no first dark either


@pytest.mark.parametrize("read_noises", [-30.0, -1.0, 1.0, 3.0, 30.0])
def test_an_offset_that_moved_is_no_light_where_black_pixels_tell(usb2000, read_noises):
    """After a power cycle, or in years: refused for light, no dark would ever have been accepted again."""
    unit, model = usb2000
    rise = read_noises * model.noise.read_counts
    dark = unit.dark(10_000, 25.0, 60)
    moved = replace(dark, counts=dark.counts + rise)
    verdict = judge_dark(moved, known_of(unit, model=model))
    assert verdict.accepted, verdict.reason
    assert verdict.darker == (abs(read_noises) > 2.0)
    if verdict.darker:
        anew = begins_anew(verdict, moved, known_of(unit, model=model))
        assert anew.accepted
        assert anew.reason.endswith("of another offset than all earlier darks, which are set aside")
    black = list(unit.detector.dark_pixels)
    lit = replace(dark, counts=np.where(np.isin(np.arange(dark.counts.size), black), dark.counts, dark.counts + rise))
    verdict = judge_dark(lit, known_of(unit, model=model))
    assert verdict.accepted == (read_noises < 1.0), "light leaves the black pixels as they are"


@pytest.mark.parametrize("scans", [2, 3, 20])
def test_the_noise_of_a_scan_is_told_by_the_scans(usb2000, scans):
    unit, model = usb2000
    assert unit.dark(1_000, 15.0, scans).scan_noise == pytest.approx(model.noise.read_counts, rel=0.06)
    assert scan_noise(np.zeros(9), np.full(9, np.nan)) is None
    assert scan_noise(np.zeros(9), np.zeros(9)) is None


def test_only_a_light_well_above_its_noise_is_looked_for():
    noise = np.random.default_rng(0).normal(0.0, 5.0, 600)
    assert visible_light(noise) is None
    line = 2_000.0 * np.exp(-0.5 * ((np.arange(600) - 300) / 2.0) ** 2)
    assert visible_light(noise + line) is not None


class TestReferences:
    dark = 1_500.0 + np.random.default_rng(1).normal(0.0, 2.0, 600)
    lamp = 8_000.0 * np.exp(-0.5 * ((np.arange(600) - 350) / 120.0) ** 2)
    none = np.zeros(600, dtype=np.bool_)

    def test_light_is_accepted_with_or_without_a_dark(self):
        assert judge_reference(self.dark + self.lamp, self.none, self.dark).accepted
        assert judge_reference(self.dark + self.lamp, self.none, None).accepted

    def test_no_light_is_refused_hot_pixels_or_not(self):
        again = 1_500.0 + np.random.default_rng(2).normal(0.0, 2.0, 600)
        again[::50] += 3_000.0
        for dark in (self.dark, None):
            verdict = judge_reference(again, self.none, dark)
            assert not verdict.accepted
            assert verdict.reason.startswith("no light")

    def test_one_saturated_pixel_is_too_many_unless_it_is_full_in_the_dark_too(self):
        full = self.none.copy()
        full[77] = True
        verdict = judge_reference(self.dark + self.lamp, full, self.dark)
        assert not verdict.accepted
        assert verdict.reason.startswith("saturated at 1 of 600 pixels")
        assert judge_reference(self.dark + self.lamp, full, self.dark, full).accepted
