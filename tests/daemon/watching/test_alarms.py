"""The life of an alarm is a pure function; hysteresis and holds keep it from fluttering."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.watching.alarms import AlarmState, Holds, Phase, Sight, acknowledge, advance
from oesd.watching.errors import WatchError
from oesd.watching.reading import UNDEFINED, Reading, State
from oesd.watching.signals import Alarm, Quiet, Signal, checked_alarm, silent

ON, OFF, UNKNOWN = Sight(True, 5.0), Sight(False, 1.0), Sight(None)
S = 1_000_000
HOLDS = Holds(3 * S, 2 * S)


def lived(sights, holds: Holds = HOLDS, state: AlarmState | None = None) -> list[str]:
    state, phases = state or AlarmState(), []
    for second, sight in enumerate(sights):
        state = acknowledge(state, second * S, "mk") if sight == "ack" else advance(state, second * S, sight, holds)
        phases.append(state.phase.value)
    return phases


def test_an_alarm_is_raised_after_its_hold_and_cleared_after_another() -> None:
    assert lived([OFF, ON, ON, ON, ON, OFF, OFF, OFF]) == (
        ["ok", "pending", "pending", "pending", "raised", "raised", "raised", "cleared"]
    )
    assert lived([ON, OFF, ON, ON]) == ["pending", "ok", "pending", "pending"]


def test_somebody_has_to_see_it() -> None:
    now = Holds()
    assert lived([ON, "ack", ON, OFF], now) == ["raised", "acknowledged", "acknowledged", "ok"]
    assert lived([ON, OFF, "ack"], now) == ["raised", "cleared", "ok"]
    assert lived([ON, OFF, ON], now) == ["raised", "cleared", "raised"]
    assert lived(["ack", OFF, "ack"], now) == ["ok", "ok", "ok"]


def test_what_is_between_or_not_known_changes_nothing() -> None:
    assert lived([ON, UNKNOWN, UNKNOWN, UNKNOWN, ON]) == ["pending"] * 4 + ["raised"]
    assert lived([ON, UNKNOWN, OFF], Holds()) == ["raised", "raised", "cleared"]


def test_a_clock_that_is_set_back_begins_a_hold_anew() -> None:
    state = advance(AlarmState(), 100 * S, ON, HOLDS)
    state = advance(state, 10 * S, ON, HOLDS)
    assert advance(state, 12 * S, ON, HOLDS).phase is Phase.PENDING
    assert advance(state, 13 * S, ON, HOLDS).phase is Phase.RAISED


@given(st.lists(st.sampled_from([ON, OFF, UNKNOWN, "ack"]), max_size=40), st.integers(0, 3), st.integers(0, 3))
def test_laws_of_every_life(sights, on_s: int, off_s: int) -> None:
    phases = lived(sights, Holds(on_s * S, off_s * S))
    for before, after in zip(["ok", *phases], phases, strict=False):
        allowed = {
            "ok": {"ok", "pending", "raised"},
            "pending": {"pending", "raised", "ok"},
            "raised": {"raised", "acknowledged", "cleared"},
            "acknowledged": {"acknowledged", "ok"},
            "cleared": {"cleared", "ok", "raised"},
        }
        assert after in allowed[before]
    if ON not in sights:
        assert set(phases) <= {"ok"}


def reading(value: float, sigma: float = 0.1, state: State = State.MEASURED) -> Reading:
    return Reading(value, sigma, state)


def seen(alarm: Alarm, values) -> list[bool | None]:
    signal = Signal(alarm, "counts/s")
    return [signal.of(k * S, one if isinstance(one, Reading) else reading(one)).on for k, one in enumerate(values)]


def test_a_threshold_has_hysteresis() -> None:
    alarm = Alarm("leak", "threshold", "n2", above=5.0, clear=3.0)
    assert seen(alarm, [1.0, 4.0, 6.0, 4.0, 2.0]) == [False, None, True, None, False]
    low = Alarm("dim", "threshold", "ar", below=5.0, clear=8.0)
    assert seen(low, [9.0, 6.0, 4.0, 6.0]) == [False, None, True, None]


def test_what_is_saturated_is_above_for_sure_or_not_known() -> None:
    alarm = Alarm("bright", "threshold", "ar", above=5.0)
    assert seen(alarm, [reading(9.0, 0.1, State.SATURATED), reading(4.0, 0.1, State.SATURATED), UNDEFINED]) == [
        True, None, None,
    ]  # fmt: skip
    below = Alarm("dim", "threshold", "ar", below=5.0)
    assert seen(below, [reading(1.0, 0.1, State.SATURATED)]) == [None]


def test_a_mean_over_a_stretch_forgets_what_is_older() -> None:
    alarm = Alarm("leak", "threshold", "n2", above=5.0, over_us=2 * S)
    assert seen(alarm, [0.0, 9.0, 9.0, 9.0]) == [False, False, True, True]


def test_a_rate_is_a_slope_over_its_stretch() -> None:
    alarm = Alarm("fast", "rate", "ar", above=1.5, below=-1.5, over_us=8 * S)
    assert seen(alarm, [2.0 * k for k in range(6)]) == [None] * 4 + [True, True]
    assert seen(alarm, [1.0] * 6)[-1] is False


def test_a_drift_is_told_from_its_reference() -> None:
    share = Alarm("coated", "drift", "ar", below=-0.3, clear=-0.2, relative=True, reference=100.0, advice="clean it")
    assert seen(share, [100.0, 75.0, 60.0]) == [False, None, True]
    text = Signal(share, "counts/s").of(0, reading(60.0)).text
    assert text == "ar is -40.0 % off its reference 100 (limit -0.3); clean it"
    both = Alarm("axis", "drift", "axis_shift", above=0.2, below=-0.2, reference=0.0)
    assert seen(both, [0.1, -0.3, 0.3]) == [False, True, True]
    assert seen(replace(both, reference=None), [0.3]) == [None]


def test_a_clock_that_is_set_back_does_not_mix_values() -> None:
    signal = Signal(Alarm("leak", "threshold", "n2", above=5.0, over_us=10 * S))
    signal.of(100 * S, reading(100.0))
    assert signal.of(50 * S, reading(1.0)).value == 1.0


def test_silence_is_told_only_where_something_is_to_be_measured() -> None:
    alarm = Alarm("silent", "missing", above=30.0)
    assert silent(alarm, None).on is False
    assert silent(alarm, Quiet(29.0)).on is False
    assert silent(alarm, Quiet(31.0)).on is True
    assert "no spectrum for 31 s" in silent(alarm, Quiet(31.0)).text
    assert silent(alarm, Quiet(29.0, heard=False)).on is None
    assert silent(alarm, Quiet(31.0, heard=False)).on is True


@pytest.mark.parametrize(
    ("alarm", "said"),
    [
        (Alarm("a", "threshold", above=1.0), "trace: an alarm of kind 'threshold' needs"),
        (Alarm("a", "disk", "ar", below=1.0), "goes by no trace"),
        (Alarm("a", "threshold", "ar"), "above: give above or below"),
        (Alarm("a", "threshold", "ar", above=1.0, below=2.0), "below: must be less"),
        (Alarm("a", "threshold", "ar", above=1.0, clear=2.0), "clear: must not be beyond"),
        (Alarm("a", "threshold", "ar", below=1.0, clear=0.5), "clear: must not be beyond"),
        (Alarm("a", "rate", "ar", above=1.0), "over: a rate needs"),
    ],
)
def test_an_alarm_that_lacks_something_says_what(alarm: Alarm, said: str) -> None:
    with pytest.raises(WatchError, match=said):
        checked_alarm(alarm)
