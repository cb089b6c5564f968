"""Which background fits, and when one is due."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.backgrounds.library import (
    DARK_LIMITS,
    Background,
    Conditions,
    Limits,
    choose_dark,
    choose_reference,
    expected_error,
)
from oesd.backgrounds.refresh import Policy, due
from oesd.model import Kind

NOW = datetime(2026, 11, 22, 12, 43, tzinfo=UTC)
SAMPLE = Conditions("chamber-1", 2048, 20_000, 5, 0, 24.0)


def background(name="d1", *, age_s=720.0, kind=Kind.DARK, **conditions):
    changed = replace(SAMPLE, **conditions)
    return Background(name, kind, changed, age_s, NOW - timedelta(seconds=age_s))


anything = st.builds(
    background,
    st.uuids().map(str),
    age_s=st.floats(-100.0, 1e6),
    kind=st.sampled_from([Kind.DARK, Kind.REFERENCE]),
    device=st.sampled_from(["chamber-1", "chamber-2"]),
    pixels=st.sampled_from([2048, 3648]),
    integration_us=st.sampled_from([20_000, 50_000]),
    scans=st.integers(1, 50),
    boxcar_half_width_px=st.integers(0, 3),
    detector_temperature_c=st.one_of(st.none(), st.floats(10.0, 40.0)),
)


def test_the_reason_is_a_sentence_for_people():
    choice = choose_dark(SAMPLE, [background(detector_temperature_c=24.4)])
    assert choice.record_id == "d1"
    assert choice.reason == "dark of 12:31 UTC, same 20 ms, 0.4 C warmer, 12 min old"
    choice = choose_dark(
        SAMPLE, [background(scans=1, boxcar_half_width_px=2, detector_temperature_c=None, age_s=90_000)]
    )
    assert choice.reason == (
        "dark of 21 Nov 11:43 UTC, same 20 ms, temperature not known, 1 scan to the sample's 5, boxcar 2 to 0, "
        "25 h old: beyond the limits of 24 h and 2 C, none better"
    )
    assert not choice.within_limits


@given(st.lists(anything, max_size=8), st.randoms())
def test_laws_of_the_choice(candidates, random):
    choice = choose_dark(SAMPLE, candidates)
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert choose_dark(SAMPLE, shuffled) == choice
    chosen = next((one for one in candidates if one.record_id == choice.record_id), None)
    fitting = [
        one
        for one in candidates
        if one.kind is Kind.DARK
        and (one.conditions.device, one.conditions.pixels, one.conditions.integration_us) == ("chamber-1", 2048, 20_000)
    ]
    assert (chosen is not None) == bool(fitting)
    if chosen is not None:
        assert chosen in fitting
        within = [
            one
            for one in fitting
            if abs(one.age_s) <= DARK_LIMITS.age_s
            and abs((one.conditions.detector_temperature_c or 24.0) - 24.0) <= DARK_LIMITS.temperature_k
        ]
        assert choice.within_limits == bool(within)
        assert not within or chosen in within


@given(anything)
def test_a_perfect_one_is_never_passed_over(other):
    perfect = background("perfect", age_s=0.0, scans=50)
    assert choose_dark(SAMPLE, [other, perfect]).record_id == "perfect" or other.conditions == perfect.conditions


def test_less_deviation_wins_and_the_same_boxcar_decides_between_equals():
    warm, old, good = background("w", detector_temperature_c=25.5), background("o", age_s=80_000), background("g")
    assert choose_dark(SAMPLE, [warm, old, good]).record_id == "g"
    smooth = background("a", boxcar_half_width_px=3)
    assert choose_dark(SAMPLE, [smooth, good]).record_id == "g"
    assert choose_dark(SAMPLE, [background("s1", scans=1), background("s20", scans=20)]).record_id == "s20"


def test_none_beyond_the_limits_when_so_wished():
    strict = Limits(2.0, 3600.0, beyond=False)
    choice = choose_dark(SAMPLE, [background(age_s=9_000)], strict)
    assert choice.record_id is None
    assert choice.reason == "the nearest stored one is the dark of 10:13 UTC, same 20 ms, 2 h old"
    assert choose_dark(SAMPLE, [], strict).reason == "no dark at 20 ms"


def test_with_a_model_the_error_in_counts_decides(usb2000):
    _, model = usb2000
    # At 20 ms a degree is nothing and scans are all; at 5 s it is the other way round.
    near, averaged = background("near", scans=4), background("averaged", scans=20, detector_temperature_c=25.5)
    assert choose_dark(SAMPLE, [near, averaged], model=model).record_id == "averaged"
    slow = replace(SAMPLE, integration_us=5_000_000)
    near, averaged = (
        replace(one, conditions=replace(one.conditions, integration_us=5_000_000)) for one in (near, averaged)
    )
    choice = choose_dark(slow, [near, averaged], model=model)
    assert choice.record_id == "near"
    assert choice.error_counts == pytest.approx(expected_error(slow, near, model))
    assert expected_error(slow, averaged, model) > 100.0


def test_the_model_stands_in_when_none_fits(usb2000):
    _, model = usb2000
    choice = choose_dark(SAMPLE, [background(integration_us=50_000)], model=model)
    assert choice.record_id is None
    assert choice.modelled
    assert choice.reason.endswith("within the darks learned from; no dark at 20 ms")
    assert choice.error_counts < model.noise.read_counts
    old = choose_dark(SAMPLE, [background(age_s=9e5)], model=model)
    assert old.modelled
    assert "the nearest stored one is the dark of" in old.reason


def test_references_are_chosen_the_same_way_and_never_modelled():
    references = [background("r1", kind=Kind.REFERENCE, age_s=3e5), background("d1", age_s=1.0)]
    choice = choose_reference(SAMPLE, references)
    assert choice.record_id == "r1"
    assert choice.reason == "reference of 19 Nov 01:23 UTC, same 20 ms, 3 d old"
    assert choose_reference(SAMPLE, [background("d1")]).reason == "no reference at 20 ms"


@pytest.mark.parametrize(
    ("last", "now", "reason"),
    [
        (None, SAMPLE, "no dark yet"),
        (background(), SAMPLE, None),
        (background(age_s=3601.0), SAMPLE, "the last dark is 60 min old, 60 min are allowed"),
        (background(age_s=9000.0), SAMPLE, "the last dark is 2 h old, 60 min are allowed"),
        (background(), replace(SAMPLE, integration_us=1_500_000), "integration time changed from 20 ms to 1.5 s"),
        (
            background(),
            replace(SAMPLE, detector_temperature_c=22.5),
            "the detector is 1.5 C colder than at the last dark",
        ),
        (background(), replace(SAMPLE, detector_temperature_c=None), None),
        (background(pixels=3648), SAMPLE, "the last dark has 3648 pixels, the spectrometer 2048"),
    ],
)
def test_when_one_is_due(last, now, reason):
    assert due(Policy(), last, now) == reason


def test_causes_can_be_switched_off():
    policy = Policy(age_s=None, temperature_k=None, exposure=False)
    now = replace(SAMPLE, integration_us=1, detector_temperature_c=-40.0)
    assert due(policy, background(age_s=1e9), now) is None
    assert due(policy, None, now) == "no dark yet"


def test_warmth_that_moves_nothing_is_no_reason(usb2000):
    _, model = usb2000
    warmer = replace(SAMPLE, detector_temperature_c=27.0)
    assert due(Policy(), background(), warmer) is not None
    assert due(Policy(), background(), warmer, model) is None
    slow = replace(warmer, integration_us=5_000_000)
    assert due(Policy(), background(integration_us=5_000_000), slow, model) is not None
    reference = background(kind=Kind.REFERENCE)
    assert due(Policy(kind=Kind.REFERENCE), reference, warmer, model) == (
        "the detector is 3.0 C warmer than at the last reference"
    )
