"""Process sets become recipes: a prior that forbids nothing, or with "include" the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from oesd.config import ConfigError, parse_config
from oesd.config.processes import PROCESSES, elements_of, process_set, recipe_of
from oesd.engine.lines import line_table
from oesd.model import ConstraintMode, Recipe
from oesd.service.checks import check

INCLUDE, EXCLUDE = ConstraintMode.INCLUDE, ConstraintMode.EXCLUDE


def identify(text: str) -> Recipe:
    return parse_config(f"[identify]\n{text}", "here").identify.recipe


def test_nothing_chosen_is_the_plain_recipe() -> None:
    assert identify("") == Recipe()
    assert identify('process = ""') == Recipe()


def test_a_process_is_expected_and_forbids_nothing() -> None:
    recipe = identify('process = "GaAs MBE"')
    assert recipe == Recipe(expected=("Ga", "In", "Al", "As", "H"))


def test_with_include_it_is_the_list_and_its_gases_are_let_in() -> None:
    recipe = identify('process = "gan  pa-mbe"\nconstraint = "include"\nelements = ["Mg"]\nambient = ["H2O"]')
    assert recipe == Recipe(INCLUDE, ("Mg", "Ga", "Al", "In"), ambient=("N", "H", "O"))


def test_what_is_excluded_is_not_expected() -> None:
    recipe = recipe_of(EXCLUDE, ("Ga",), process=["CIGS"], ambient=["air"])
    assert recipe == Recipe(EXCLUDE, ("Ga",), expected=("Cu", "In", "Ar", "N", "O", "H"))


def test_several_sets_are_laid_together() -> None:
    both = identify('process = ["sputter Ar", "air leak"]').expected
    assert set(both) == set(recipe_of(process=["sputter Ar"]).expected) | set(recipe_of(process=["air leak"]).expected)
    assert len(set(both)) == len(both)


def test_the_search_is_part_of_the_recipe() -> None:
    assert identify("search_nm = 2.0").search_nm == 2.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('process = "GaAs"', ["line 2", "'GaAs MBE'", "Known"]),
        ('elements = ["Ga"]\nprocess = ["CIGS", "etch f2"]', ["line 3", "did you mean 'etch F'"]),
        ('ambient = ["argon"]', ["line 2", "'argon' is no formula"]),
        ('constraint = "exclude"\nprocess = "CIGS"', ["exclude", "at least one element"]),
        ("search_nm = 9.0", ["search_nm"]),
    ],
)
def test_mistakes_are_one_line_with_the_cure(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        identify(text)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_gas_of_what_is_no_element_is_named(tmp_path: Path) -> None:
    config = parse_config(f'data_dir = "{tmp_path}"\n[identify]\nambient = ["Xx2"]', "here")
    with pytest.raises(ConfigError, match="'Xx' is no element"):
        check(config, "here")


@pytest.mark.parametrize(("gas", "elements"), [("CO", ("C", "O")), ("SF6", ("S", "F")), (" Ar ", ("Ar",))])
def test_formulas(gas: str, elements: tuple[str, ...]) -> None:
    assert elements_of(gas) == elements


def test_every_set_is_of_elements_that_the_table_has_and_says_why() -> None:
    known = set(line_table().elements)
    for one in PROCESSES:
        assert one.reason
        assert set(recipe_of(process=[one.name]).expected) <= known
        assert process_set(one.name.upper()) is one


def test_the_shipped_configuration_lists_every_set() -> None:
    shipped = (Path(__file__).parents[3] / "config" / "oesd.toml").read_text()
    assert [one.name for one in PROCESSES if f'"{one.name}"' not in shipped] == []
