"""Formulas are read by a small grammar: what it takes comes back as it was written, all else is a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.daemon.watching.spectra import INSTRUMENT, SPREAD

from oesd.processing.readings import catalogue
from oesd.watching.errors import WatchError
from oesd.watching.grammar import Band, BuiltIn, Line, Lines, Number, Operation, Window, parse, terms, text_of
from oesd.watching.plan import Instrument, check, kind_of, plan, unit_of

numbers = st.floats(0.001, 1e6).map(lambda x: Number(float(f"{x:g}")))
leaves = st.one_of(
    st.sampled_from([Line("Ar", 750.4), Line("F", 703.7), Line("N2", 337.1), Line("N2+", 391.4), Lines("Ar")]),
    st.sampled_from([Window(300.0, 320.5), BuiltIn("light"), Band("N2 1+"), Band("TiO g'", 673.2), Lines("N2")]),
    numbers,
)
formulas = st.recursive(leaves, lambda f: st.builds(Operation, st.sampled_from("+-*/"), f, f), max_leaves=8)


def test_formulas_that_differ_in_the_last_digit_are_two_traces() -> None:
    for one, other in (("1.2345678 * Ar", "1.2345679 * Ar"), ("integral(1000.12, 1010)", "integral(1000.13, 1010)")):
        assert text_of(parse(one)) != text_of(parse(other))
        assert parse(text_of(parse(one))) == parse(one)


@settings(max_examples=50)
@given(formulas.filter(lambda f: any(True for _ in terms(f))))
def test_a_formula_is_read_as_it_is_written(formula) -> None:
    assert parse(text_of(formula)) == formula
    assert text_of(parse(text_of(formula))) == text_of(formula)


@settings(max_examples=100)
@given(st.text(alphabet="ArF_7503.+-*/() integralbd,N2'xe", max_size=40) | st.text(max_size=60))
def test_any_other_text_is_a_sentence(text: str) -> None:
    try:
        formula = parse(text)
    except WatchError as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert parse(text_of(formula)) == formula


def test_a_number_keeps_the_text_it_was_always_told_by() -> None:
    """A store knows a trace by its text: another spelling would begin another trace after an update."""
    assert text_of(parse("Ar / 1000000")) == "Ar / 1e+06"
    assert parse("Ar / 1e+06") == parse("Ar / 1000000")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is missing at the end"),
        ("3 + 4", "measures nothing"),
        ("Ar_750.4 Ar_763.5", "missing before 'Ar_763.5'"),
        ("(Ar_750.4", "')' is missing at the end"),
        ("foo(3)", "unknown word 'foo'"),
        ("__import__('os').system('true')", "unknown word '__import__'"),
        ("integral(320, 300)", "the lower wavelength comes first"),
        ("integral(300)", "',' is missing"),
        ("band()", "needs the name of a band system"),
        ("Ar_750.4;", "';' cannot be read"),
        ("1e999 * Ar", "too large"),
        ("(" * 40 + "Ar" + ")" * 40, "at most 20 deep"),
        (" + ".join(["Ar"] * 30), "at most 24"),
        ("A" * 500, "at most 400 characters"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(WatchError, match=said.replace("(", r"\(").replace(")", r"\)")):
        parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ga_417.5", "Ga has no line at 417.5 nm; the nearest is Ga_417.2"),
        ("Xx_300.1", "unknown element or molecule 'Xx'; did you mean 'Xe'"),
        ("ar", "unknown word 'ar'"),
        ("AR_750.4", "did you mean 'Ar'"),
        ("band(N3)", "unknown band system 'N3'"),
        ("N2_500.0", "N2 has no band head at 500 nm"),
    ],
)
def test_what_does_not_exist_is_named_with_the_nearest(text: str, said: str) -> None:
    with pytest.raises(WatchError) as refusal:
        check(parse(text), catalogue())
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "kind", "unit", "places"),
    [
        ("Ar_750.4", "line", "counts/s", [750.387]),
        ("N2_337.1", "line", "counts/s", [336.7]),
        ("band(N2+)", "band", "counts/s", [391.17]),
        ("F_703.7 / Ar_750.4", "formula", "", [703.746, 750.387]),
        ("integral(300, 320) / light", "formula", "", []),
        ("light", "built in", "counts nm/s", []),
        ("2 * Ar_750.4 - Ar_763.5", "formula", "counts/s", [750.387, 763.511]),
        ("Ar_750.4 + light", "formula", "mixed units", [750.387]),
    ],
)
def test_a_formula_is_planned(text: str, kind: str, unit: str, places: list[float]) -> None:
    formula = parse(text)
    found = plan(formula, catalogue(), INSTRUMENT)
    assert (kind_of(formula), unit_of(formula), found.refused) == (kind, unit, "")
    assert [nm for term in found.places.values() for nm in term] == pytest.approx(places, abs=0.02)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ar_420.1 / Ar_419.8", "0.24 nm apart, and a line of this spectrometer is 1.00 nm wide"),
        ("Ar_912.3", "lies outside of what this spectrometer sees, 200.0 to 900.0 nm"),
        ("integral(150, 300)", "lies outside"),
    ],
)
def test_what_the_spectrometer_cannot_tell_is_refused_with_the_reason(text: str, said: str) -> None:
    assert said in plan(parse(text), catalogue(), INSTRUMENT).refused


def test_a_finer_spectrometer_tells_the_same_two_catalogue() -> None:
    fine = Instrument(INSTRUMENT.wavelengths_nm, type(SPREAD)((550.0,), (0.2,), (0.01,)))
    assert plan(parse("Ar_420.1 / Ar_419.8"), catalogue(), fine).refused == ""


def test_an_elements_best_lines_are_its_own() -> None:
    alone = plan(parse("Mn"), catalogue(), INSTRUMENT).places[Lines("Mn")]
    with_gallium = plan(parse("Mn"), catalogue(), Instrument(INSTRUMENT.wavelengths_nm, SPREAD, ("Ga",)))
    assert any(abs(nm - 403.08) < 0.02 for nm in alone)
    assert not any(abs(nm - 403.08) < 0.02 for nm in with_gallium.places[Lines("Mn")])
    named = plan(parse("In_410.2"), catalogue(), Instrument(INSTRUMENT.wavelengths_nm, SPREAD, ("H",)))
    assert named.refused == ""
    assert "H_410.2" in named.notes[0]
