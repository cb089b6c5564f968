"""What a person chooses about an analysis, on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from oesd.cli.errors import fail

if TYPE_CHECKING:
    from oesd.model import Recipe

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--constraint", type=click.Choice(["auto", "include", "exclude"]), default="auto", show_default=True),
    click.option("--elements", default="", help="For include or exclude, such as Ga,N,Ar."),
    click.option("--process", multiple=True, metavar="NAME", help='What is made, such as "GaAs MBE"; may be repeated.'),
    click.option("--ambient", default="", help="Gases in the chamber besides, such as Ar,H2O, or air."),
    click.option("--fwhm-nm", type=click.FloatRange(0.001, 50), help="Hint for the width of a line."),
    click.option("--search-nm", type=click.FloatRange(0.05, 5), help="How far off the axis may be."),
)


def recipe_options(command: F) -> F:
    """Options that make a recipe: give them to :func:`chosen_recipe`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_recipe(
    constraint: str,
    elements: str,
    process: Sequence[str],
    ambient: str,
    fwhm_nm: float | None,
    search_nm: float | None,
) -> Recipe:
    """Recipe of the options; ends the command with one line when they do not fit together."""
    from oesd.config.processes import recipe_of
    from oesd.model import ConstraintMode

    try:
        return recipe_of(
            ConstraintMode(constraint),
            _names(elements),
            process=process,
            ambient=_names(ambient),
            fwhm_nm=fwhm_nm,
            search_nm=search_nm,
        )
    except ValueError as error:
        fail(f"--{error}")
        raise


def recipe_line(recipe: Mapping[str, Any]) -> str:
    """What was chosen, in one line; "" when nothing was."""
    parts = [f"{recipe['constraint']} {', '.join(recipe['elements'])}"] if recipe["elements"] else []
    parts += [f"{name} {', '.join(recipe[name])}" for name in ("ambient", "expected") if recipe.get(name)]
    numbers = (("width", "fwhm_nm"), ("axis searched", "search_nm"))
    parts += [f"{word} {recipe[name]:g} nm" for word, name in numbers if recipe.get(name)]
    return f"recipe: {'; '.join(parts)}" if parts else ""


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
