"""What is wrong with a table of the file: where in it, and what to do, in words for people who never saw a type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin

from msgspec import ValidationError, convert

from oesd.config.values import Section, hook, keys_of, section_in

_S = TypeVar("_S", bound=Section)
_LONGEST_SAID = 300
_SIZES = {">=": "{} or more", "<=": "{} or less", ">": "more than {}", "<": "less than {}"}
_TYPES = {
    "int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false", "array": "a list",
    "object": "a table",
}  # fmt: skip


class Mistake(ValueError):
    """Something in a table cannot be used.

    Attributes
    ----------
    place : tuple of str and int
        Keys as the file writes them, and ordinals in lists, from the table that was read.
    unknown : bool
        Whether it is a key that there is not.
    """

    def __init__(self, place: tuple[str | int, ...], said: str, *, unknown: bool = False) -> None:
        said = said if len(said) <= _LONGEST_SAID else f"{said[:_LONGEST_SAID]} ..."
        where = ".".join(str(part) for part in place)
        super().__init__(f"{where}: {said}" if where and not unknown else said)
        self.place = place
        self.unknown = unknown


def read(kind: type[_S], table: Mapping[str, Any]) -> _S:
    """A section of a table.

    Raises
    ------
    Mistake
        The first thing in it that is wrong.
    """
    made: _S = _read(kind, table, kind, ())
    return made


def mistakes(kind: type[Section], table: Mapping[str, Any]) -> list[Mistake]:
    """What is wrong with the values of a table, each by itself, in its order; misspelt keys first.

    That another key is missing may be their fault.
    """
    found: list[Mistake] = []
    keys = keys_of(kind)
    for key, value in table.items():
        try:
            if key in keys:
                _read(keys[key], value, kind, (key,))
            else:
                raise _unknown_key(kind, (), key)
        except Mistake as mistake:
            found.append(mistake)
    return sorted(found, key=lambda one: not one.unknown)


def _read(wanted: Any, value: Any, kind: type[Section], above: tuple[str, ...]) -> Any:
    try:
        return convert(value, wanted, dec_hook=hook)
    except ValidationError as error:
        said, place = _parted(str(error))
        raise _mistake(said, (*above, *place), kind) from None


def _parted(text: str) -> tuple[str, tuple[str | int, ...]]:
    """What the library says, and the place that it says at the end: ``$.spectrometer[1].name``."""
    said, mark, path = text.rpartition(" - at `$")
    if not mark:
        return text, ()
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", path)
    return said, tuple(key or int(ordinal) for key, ordinal in steps)


def _mistake(said: str, place: tuple[str | int, ...], kind: type[Section]) -> Mistake:
    at = _at(kind, place)
    section = section_in(at)
    if section and (unknown := re.fullmatch(r"Object contains unknown field `(.*)`", said, re.DOTALL)):
        return _unknown_key(section, place, unknown[1])
    if section and (missing := re.fullmatch(r"Object missing required field `(\w+)`", said)):
        return Mistake((*place, missing[1]), "must be given")
    if said.startswith("Invalid enum value"):
        return Mistake(place, f"must be one of {', '.join(_choices(at))}")
    if section and len(place) == 1 and said.startswith("Expected"):
        form = "[[{}]]" if get_origin(at) is tuple else "[{}]"
        return Mistake(place, f"is a section: write {form.format(place[0])}, its keys below")
    if expected := re.match(r"Expected `([^`]*)`(.*)", said, re.DOTALL):
        return Mistake(place, _expected(expected[1], expected[2]))
    return _of_a_part(said, place, at)


def _of_a_part(said: str, place: tuple[str | int, ...], at: Any) -> Mistake:
    """What a section says of its keys begins with the key that it concerns: ``names: what is wrong``."""
    while isinstance(at, type) and issubclass(at, Section):
        key, colon, rest = said.partition(": ")
        keys = keys_of(at)
        if not colon or key not in keys:
            break
        said, place, at = rest, (*place, key), keys[key]
    return Mistake(place, said)


def _expected(types: str, more: str) -> str:
    wanted = " or ".join(_TYPES.get(one, one) for one in types.split(" | ") if one != "null")
    if size := re.match(r" (>=|<=|>|<) (\S+)$", more):
        return f"must be {wanted}, {_SIZES[size[1]].format(size[2].removesuffix('.0'))}"
    if length := re.match(r" of length (>=|<=)? ?(\d+)", more):
        what = "characters" if types == "str" else "values"
        return f"must be {wanted} of {_SIZES.get(length[1], '{}').format(length[2])} {what}"
    return f"must be {wanted}"


def _choices(kind: Any) -> list[str]:
    """What a value of this type may be."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [repr(one.value) for one in kind]
    if get_origin(kind) is Literal:
        return [repr(one) for one in get_args(kind)]
    if kind is float:
        return ["a number"]
    return [text for part in get_args(kind) for text in _choices(part)]


def _unknown_key(section: type[Section], place: tuple[str | int, ...], key: str) -> Mistake:
    near = difflib.get_close_matches(key, keys_of(section), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(keys_of(section))}"
    tables = ".".join(part for part in place if isinstance(part, str))
    within = f" in [{tables}]" if tables else ""
    return Mistake((*place, key), f"unknown key {key!r:.80}{within}; {hint}", unknown=True)


def _at(kind: Any, place: tuple[str | int, ...]) -> Any:
    """Type of what stands at a place."""
    for step in place:
        section = section_in(kind)
        if isinstance(step, int):
            kind = section or next(iter(get_args(kind)), None)
        elif section:
            kind = keys_of(section)[step]
    return kind
