"""Formulas evaluated on a spectrum: what they name is measured once; errors go through them to first order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oesd.model import FloatArray
from oesd.watching.fitting import NOTHING, Amount, line_height, window_light
from oesd.watching.grammar import BuiltIn, Formula, Number, Operation, Term, Window
from oesd.watching.light import Light
from oesd.watching.plan import Plan, signed
from oesd.watching.reading import SEEN_SIGMAS, UNDEFINED, Reading, State, judged


def measured(light: Light, plan: Plan) -> Reading:
    """The value of a plan in one spectrum; undefined where it is refused.

    Heights are in counts per second of exposure, windows in counts nm per second, shifts and widths in nm.
    """
    if plan.refused or not light.seconds > 0.0:
        return UNDEFINED
    amounts = [_amount(light, term, plan.places) for term in plan.places]
    sigmas = np.array([amount.sigma for amount in amounts])
    numbers = {term: (amount.value, gradient) for term, amount, gradient in zip(
        plan.places, amounts, np.eye(len(amounts)), strict=True
    )}  # fmt: skip
    evaluation = _Evaluation(numbers, sigmas)
    with np.errstate(all="ignore"):
        value, gradient = evaluation.of(plan.formula)
        sigma = evaluation.sigma(gradient)
    if evaluation.undefined:
        return UNDEFINED
    saturated = np.array([amount.saturated for amount in amounts])
    if (gradient[saturated] < 0.0).any():  # too little light where more would lower the value: it bounds nothing
        return Reading(np.nan, np.nan, State.SATURATED)
    return judged(value, sigma, bool(saturated.any()), signed(plan.formula))


def _amount(light: Light, term: Term, places: Mapping[Term, tuple[float, ...]]) -> Amount:
    if isinstance(term, BuiltIn):
        return _built_in(light, term.name)
    if isinstance(term, Window):
        return _per_second(window_light(light, term.low_nm, term.high_nm), light.seconds)
    every = [nm for lines in places.values() for nm in lines]
    heights = [line_height(light, nm, [other for other in every if other != nm]) for nm in places[term]]
    return _per_second(_added(heights), light.seconds)


def _added(amounts: list[Amount]) -> Amount:
    value = sum(amount.value for amount in amounts)
    variance = sum(amount.sigma**2 for amount in amounts)
    return Amount(value, variance**0.5, any(amount.saturated for amount in amounts))


def _per_second(amount: Amount, seconds: float) -> Amount:
    return Amount(amount.value / seconds, amount.sigma / seconds, amount.saturated)


def _built_in(light: Light, name: str) -> Amount:
    if name == "light":
        first, last = float(light.wavelengths_nm[0]), float(light.wavelengths_nm[-1])
        return _per_second(window_light(light, first, last), light.seconds)
    if name == "axis_shift":
        axis = light.axis
        return Amount(axis.shift_nm, axis.sigma_nm, False) if axis is not None and axis.sure else NOTHING
    spread = light.own_spread
    if spread is None or not spread.fwhm_nm:
        return NOTHING
    weight = np.array(spread.sigma_nm) ** -2.0
    return Amount(float(weight @ np.array(spread.fwhm_nm) / weight.sum()), float(weight.sum() ** -0.5), False)


@dataclass(slots=True)
class _Evaluation:
    """Values with their gradients by the measured amounts, which are independent: F / F has no error."""

    numbers: Mapping[Term, tuple[float, FloatArray]]
    sigmas: FloatArray
    undefined: bool = False

    def of(self, formula: Formula) -> tuple[float, FloatArray]:
        if isinstance(formula, Number):
            return formula.value, np.zeros(len(self.sigmas))
        if not isinstance(formula, Operation):
            return self.numbers[formula]
        (a, da), (b, db) = self.of(formula.left), self.of(formula.right)
        if formula.sign == "+":
            return a + b, da + db
        if formula.sign == "-":
            return a - b, da - db
        if formula.sign == "*":
            return a * b, a * db + b * da
        if not abs(b) > SEEN_SIGMAS * self.sigma(db):
            # a denominator that is not seen may be anything, zero too
            self.undefined = True
        return float(np.divide(a, b)), (da - np.divide(a, b) * db) / b

    def sigma(self, gradient: FloatArray) -> float:
        used = gradient != 0.0
        return float(np.sqrt(((gradient[used] * self.sigmas[used]) ** 2).sum()))
