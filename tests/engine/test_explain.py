"""What is said beside the names: evidence, rivals, and how expectations and constraints bear on them."""

import numpy as np
import pytest
from tests.engine.spectra import axis, continuum, lines, measured, plasma
from tests.support.plasma.cases import make

import oesd

WL = axis()
SHORT = axis(405.17, 415.67, 250)


def analyzed(light, wl=WL, **more):
    sample, dark = measured(light)
    return oesd.analyze(wl, sample, dark, saturation_counts=65535.0, **more)


def named(result):
    return {e.element for e in result.elements}


def test_the_evidence_for_gallium_is_its_two_lines_in_their_ratio():
    result = analyzed(plasma(WL, {"Ga": 9000.0}, 0.8), explain=True)
    gallium = next(e for e in result.evidence if e.element == "Ga")
    assert gallium.claimed and gallium.margin_nats > 0.0
    assert {403.3, 417.2} <= {round(line.wavelength_nm, 1) for line in gallium.lines}
    peaks = {peak.wavelength_nm: peak for peak in result.detected_peaks}
    for line in gallium.lines:
        assert line.peak_nm is not None
        assert line.seen == pytest.approx(peaks[line.peak_nm].intensity, rel=1e-3)
    assert "417.20" in gallium.sentence and "\n" not in gallium.sentence


def test_evidence_is_made_only_when_asked_for_and_changes_nothing():
    light = plasma(WL, {"Ar": 12000.0, "Cu": 8000.0}, 1.0) + continuum(WL)
    plain, told = analyzed(light), analyzed(light, explain=True)
    assert plain.evidence == () and told.evidence
    assert plain.elements == told.elements and plain.detected_peaks == told.detected_peaks


def test_a_contest_is_told_with_both_names_and_an_expectation_decides_it():
    light = lines(SHORT, np.array([410.17]), np.array([9000.0]), 0.2)
    open_question = analyzed(light, SHORT, explain=True)
    assert not named(open_question)
    assert {"In", "H"} <= set(open_question.ambiguous[0].elements)
    indium = next(e for e in open_question.evidence if e.element == "In")
    assert not indium.claimed and "H" in indium.rivals
    hydrogen = next(e for e in open_question.evidence if e.element == "H")
    assert indium.probability / hydrogen.probability == pytest.approx(
        np.exp(indium.margin_nats - hydrogen.margin_nats), rel=0.01
    )
    assert named(analyzed(light, SHORT, expected=["In"])) == {"In"}


def test_a_wrong_expectation_is_overcome():
    light = plasma(WL, {"Mn": 9000.0}, 0.9)
    assert named(analyzed(light, expected=["Ga", "N"])) == {"Mn"}


def test_include_lets_the_ambient_gases_in_besides():
    light = plasma(WL, {"Ar": 12000.0, "Cu": 9000.0}, 1.0)
    assert named(analyzed(light, constraint="include", elements=["Cu"])) == {"Cu"}
    assert named(analyzed(light, constraint="include", elements=["Cu"], ambient=["Ar"])) == {"Cu", "Ar"}


@pytest.mark.parametrize("case", [29, 39, 58, 141])
def test_who_is_not_claimed_lacks_something_or_has_a_rival(case):
    given = make(611, case, hard=True).given
    told = ("integration_us", "saturation_counts", "nonlinearity", "scans_averaged")
    result = oesd.analyze(
        given["wavelengths"],
        given["sample"],
        given["dark"],
        fwhm_nm=given["fwhm_hint_nm"],
        explain=True,
        **{name: given[name] for name in told},
    )
    assert all(len(question.elements) > 1 for question in result.ambiguous)
    unclaimed = [evidence for evidence in result.evidence if not evidence.claimed]
    assert unclaimed
    for evidence in unclaimed:
        assert evidence.margin_nats < 0.0 or evidence.rivals or "given up" in evidence.sentence
        assert "not claimed: -" not in evidence.sentence
