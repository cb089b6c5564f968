"""Every fault of the catalogue once, on families struck at the same time; the whole matrix is tests/bench/faults.py."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest
from tests.support.fault_catalogue import CASES, FAMILIES
from tests.support.fault_rig import NEIGHBOUR_SERIAL, rig
from tests.support.fault_trials import Outcome, run_trial
from tests.support.fault_truth import Judge, Stored

from oesd_drivers.virtual import MODELS, MODULUS, MadeFrame

STRUCK = ("USB4000", "USB2000", "STS", "SR4")
SEED = 3
#: An answer of the OBP says what it answers; only OOI can be one frame late for ever.
FOR_OOI = ("late answer", "answer after the reset")
#: Slower machines than a lab PC run the tests too; the goals of speed are judged by the matrix.
PATIENCE_S = 15.0


def dealt() -> dict[str, list[str]]:
    """Each fault to the family that has the fewest so far, of those it applies to."""
    hands: dict[str, list[str]] = {family: [] for family in STRUCK}
    for name, case in CASES.items():
        able = [family for family in STRUCK if case.applies(MODELS[family])]
        if name in FOR_OOI:
            able = [family for family in able if MODELS[family].wire.protocol == "ooi"]
        hands[min(able, key=lambda family: len(hands[family]))].append(name)
    return hands


class Matrix:
    """Outcomes by fault, and what was left at the end."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        with rig(STRUCK, SEED) as made:
            threads = [threading.Thread(target=self._strike, args=(made, *hand)) for hand in dealt().items()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.neighbour = made.judge(NEIGHBOUR_SERIAL)
        self.ledger_faults = made.records.ledger_faults()
        self.runs = len(made.records.runs)
        self.reasons = {loss.reason for losses in made.records.losses.values() for loss in losses}

    def _strike(self, made: object, family: str, cases: list[str]) -> None:
        for trial, case in enumerate(cases):
            self.outcomes[case] = run_trial(made, family, case, trial, SEED)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return Matrix()


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_survived_and_nothing_wrong_is_stored(matrix: Matrix, case: str) -> None:
    outcome = matrix.outcomes[case]
    assert outcome.clean, outcome
    assert outcome.back_s is not None
    assert outcome.back_s < PATIENCE_S


def test_each_slot_of_each_run_is_a_capture_or_a_loss_with_a_name(matrix: Matrix) -> None:
    assert matrix.ledger_faults == []
    assert matrix.runs == len(STRUCK) + 1
    assert {"usb error", "worker lost", "device gone"} <= matrix.reasons
    assert set(matrix.neighbour) == {"good"}


def test_every_fault_is_for_some_family_and_every_family_is_a_model() -> None:
    assert set(FAMILIES) <= set(MODELS)
    for case in CASES.values():
        assert any(case.applies(MODELS[family]) for family in FAMILIES)


# -- the judge itself --------------------------------------------------------------------------------------------------

MADE = [MadeFrame(n, 1000 * n, 1000 * n, 1000 * n + 500, 10_000, 1, 0, 7 + n, "") for n in range(6)]
MADE_US = 1_000_000
STORED = Stored("A", "run", 0, 2000, 3000, 10_000, 1, 9, True, True)


def verdict(stored: Stored, made: list[MadeFrame] = MADE) -> str:
    return Judge().verdict(stored, made)


def test_a_frame_of_the_device_is_good_once() -> None:
    judge = Judge()
    assert judge.verdicts([STORED, STORED], MADE) == ["good", "duplicate"]


def test_a_sum_of_scans_is_found_and_is_good_once() -> None:
    summed = replace(STORED, scans=2, print=(9 + 10) % MODULUS)
    judge = Judge()
    assert judge.verdicts([summed, replace(STORED, print=10)], MADE) == ["good", "duplicate"]
    assert verdict(replace(summed, scans=3)) == "foreign"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"print": 99}, "foreign"),
        ({"started_ns": 2_000 + MADE_US}, "stale"),
        ({"integration_us": 20_000}, "wrong"),
        ({"rising": False}, "wrong"),
        ({"calibrated": False}, "marked"),
    ],
)
def test_what_is_not_right_is_named(changes: dict[str, object], word: str) -> None:
    assert verdict(replace(STORED, **changes)) == word  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "word"), [({"fault": "bad-sync"}, "foreign"), ({"scans": 4}, "wrong"), ({"boxcar": 2}, "wrong")]
)
def test_what_the_device_did_to_a_frame_is_named(changes: dict[str, object], word: str) -> None:
    assert verdict(STORED, [replace(MADE[2], **changes)]) == word  # type: ignore[arg-type]


def test_verdicts_are_counted_by_their_word() -> None:
    assert Counter(Judge().verdicts([STORED, replace(STORED, print=99)], MADE)) == {"good": 1, "foreign": 1}
