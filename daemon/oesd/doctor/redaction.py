"""Blots out what is nobody's business: secrets that are known, and whatever stands where secrets stand.

Of the configuration only what the program knows by name is shown, without comments: people write keys into the wrong
key, into notes and into command lines. What is withheld there is blotted out everywhere else too.
"""

from __future__ import annotations

import json
import re
import tomllib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from oesd.config import Config, Section, keys_of, section_in

BLOT = "***"
_SHORTEST = 4  # what is shorter would blot out half of every word
_SHORTEST_WORD = 6
_LONG_STEP = 12  # of a path: a hook's token is longer, what a person names is shorter
_SECRET_NAME = re.compile(r"(?i)(pass(word|wd|phrase)?|token|secret|key)$")
_ADDRESSES, _PERSONS = ("url", "endpoint", "proxy"), ("mail_user", "mail_to", "mail_from")
_VALUE = r"""("(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^\s,;]+)"""
_NAMED = re.compile(
    r"(?i)(\b[\w.-]*(?:pass(?:word|wd|phrase)?|token|secret|(?:api|access|private)[_-]?key)[\"']?\s*[=:]\s*"
    r"|\bkey[\"']?\s*=\s*|[\"']key[\"']\s*:\s*)(?!/(?:run|etc|var|usr)/|absent\b)" + _VALUE
)
_HEADER = re.compile(r"(?i)(authorization[\"']?\s*[=:]\s*[\"']?)[^\s\"']+(?: [^\s\"',;]+)?")
_OPTION = re.compile(
    r"(?i)((?:^|[\s\"'])(?:--?[\w-]*(?:pass(?:word|wd)?|token|secret|key)|-u|--user)(?:[ =]|[\"'], ?))" + _VALUE
)
_UNIT_LINE = re.compile(r"(?m)^(\s*(?:Environment|SetCredential|SetCredentialEncrypted)=)(?!api-key:absent$).+$")
# Greedy up to the last "@": a password may hold "/", "?" and "@" itself.
_ADDRESS = re.compile(r"(?i)([a-z][a-z0-9+.-]*://)([^\s\"'<>`]*@)?([^\s\"'<>`/?#]*)([/?#][^\s\"'<>`]*)?")
_FILE = re.compile(r"""(?m)^[\s#]*(?:\w*_file|data_dir)\s*=\s*["']([^"'\n]+)["']""")


def blotted(text: str, secrets: Iterable[str]) -> str:
    """Text without these secrets, however they are spelled, and without what stands where secrets stand."""
    spellings = {spelling for secret in secrets if len(secret) >= _SHORTEST for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, BLOT)
    text = _ADDRESS.sub(_host_alone, text)
    text = _HEADER.sub(rf"\1{BLOT}", text)
    text = _UNIT_LINE.sub(rf"\1{BLOT}", text)
    for pattern in (_OPTION, _NAMED):
        text = pattern.sub(lambda found: found[1] + _quoted_as(found[2]), text)
    return text


def files_named(text: str) -> list[Path]:
    """Files and the data directory that a configuration names, good or not."""
    return [Path(name) for name in _FILE.findall(text) if name.startswith("/") and "\0" not in name]


def shown_configuration(text: str) -> tuple[str, list[str]]:
    """A configuration as it may be seen, and what was withheld of it.

    One that is no TOML is shown line by line without any value, so that the line of the error can be found.
    """
    withheld: list[str] = []
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):  # no TOML, a number of thousands of digits, brackets without end
        lines = [_outline(line, withheld) for line in text.splitlines()]
    else:
        lines = list(_rendered(_seen(document, Config, withheld)))
    return "\n".join(lines) + "\n", [one for one in withheld if one != BLOT]


def _spellings(secret: str) -> set[str]:
    encoded = secret.encode("utf-8", "surrogatepass")
    return {secret, quote(encoded, safe=""), b64encode(encoded).decode().rstrip("="), json.dumps(secret)[1:-1]}


def _quoted_as(value: str) -> str:
    return f"{value[0]}{BLOT}{value[0]}" if value[0] in "\"'" else BLOT


def _host_alone(found: re.Match[str]) -> str:
    user = f"{BLOT}@" if found[2] else ""
    path = found[4] if found[4] in (None, "/") else f"/{BLOT}"
    return f"{found[1]}{user}{found[3]}{path or ''}"


def _seen(table: Mapping[str, Any], model: type[Section], withheld: list[str]) -> dict[str, Any]:
    """A table of the file by what its section knows."""
    keys = keys_of(model)
    seen = {}
    for name, value in table.items():
        section = section_in(keys.get(name))
        if name not in keys:
            seen[name] = _hidden(value, withheld)
        elif section and isinstance(value, dict):
            seen[name] = _seen(value, section, withheld)
        elif section and isinstance(value, list):
            seen[name] = [_seen(v, section, withheld) if isinstance(v, dict) else _hidden(v, withheld) for v in value]
        else:
            seen[name] = _hidden(value, withheld) if section else _shown(name, value, withheld)
    return seen


def _shown(name: str, value: Any, withheld: list[str]) -> Any:
    """The value of a key that is known."""
    if name == "labels" and isinstance(value, dict):
        return {label: _hidden(v, withheld) if _SECRET_NAME.search(label) else v for label, v in value.items()}
    if name == "command":
        return _command(value, withheld)
    if name in _ADDRESSES and value:
        return _address(str(value), withheld)
    if name == "data_dir" or name.endswith(("_file", "certificate", "certificate_key")):
        return value if isinstance(value, str) and value.startswith("/") else _hidden(value, withheld)
    if name in _PERSONS or _SECRET_NAME.search(name) or isinstance(value, dict):
        return _hidden(value, withheld)
    if isinstance(value, list):
        return [_hidden(one, withheld) if isinstance(one, dict | list) else one for one in value]
    return value


def _command(value: Any, withheld: list[str]) -> Any:
    """The program; its arguments are withheld."""
    if not (isinstance(value, list) and value and isinstance(value[0], str)):
        return _hidden(value, withheld)
    program = value[0] if re.fullmatch(r"[\w./-]+", value[0]) else _hidden(value[0], withheld)
    return [program, *(_hidden(word, withheld) for word in value[1:])]


def _address(value: str, withheld: list[str]) -> str:
    """Scheme and host; all else of it is withheld, and a text that is no address as a whole."""
    found = re.match(r"(?is)([a-z][a-z0-9+.-]*://)(.*@)?([^/?#@]*)(.*)", value)
    if found is None:
        return str(_hidden(value, withheld))
    if found[2] or len(found[4]) > 1:
        user, _, password = (found[2] or "")[:-1].partition(":")
        path, _, query = found[4].partition("?")
        words = [password or user, *(word for _, word in parse_qsl(query))]
        words += [word for word in path.split("/") if len(word) >= _LONG_STEP]
        withheld += [spelled for word in words for spelled in {word, unquote(word)} if spelled]
    return _host_alone(found)


def _hidden(value: Any, withheld: list[str]) -> Any:
    """Nothing of a value but its form; what was in it is withheld."""
    if isinstance(value, dict):
        return {name: _hidden(one, withheld) for name, one in value.items()}
    if isinstance(value, list):
        return [_hidden(one, withheld) for one in value]
    if not isinstance(value, bool):
        withheld += _words(str(value))
    return BLOT


def _words(value: str) -> Iterator[str]:
    """A value as a whole, and the words of it that may be told one by one: of a command line that is logged."""
    if len(value) >= _SHORTEST_WORD:
        yield value
    for word in re.split(r"[\s\"'=:]+", value):
        if len(word) >= _SHORTEST_WORD and not word.startswith(("/", "-", "{")):
            yield word


def _rendered(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """A table as lines of TOML, sections after the plain keys."""
    later = {name: v for name, v in table.items() if isinstance(v, dict) or (isinstance(v, list) and _tables(v))}
    for name, value in table.items():
        if name not in later:
            yield f"{name} = {json.dumps(value, ensure_ascii=False, default=str)}"
    for name, value in later.items():
        for one in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{path}{name}]]" if isinstance(value, list) else f"[{path}{name}]"
            yield from _rendered(one, f"{path}{name}.")


def _tables(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(one, dict) for one in value)


def _outline(line: str, withheld: list[str]) -> str:
    """A line of a file that cannot be read: its key or section if it is a known one, never a value."""
    header = re.match(r"\s*(\[\[?)\s*(\w+)\s*(\]\]?)", line)
    if header and header[2] in keys_of(Config):
        return f"{header[1]}{header[2]}{header[3]}"
    name, _, value = line.partition("=")
    name = name.strip().strip("\"'")
    known = name in _known_names()
    bare = value.partition(" #")[0].strip().strip("\"'")
    if not known or _shown(name, bare, []) != bare:
        _hidden(bare or line.strip(" \t#"), withheld)
    if known:
        return f"{name} = {BLOT}"
    return BLOT if line.strip() else ""


@cache
def _known_names(model: type[Section] = Config) -> frozenset[str]:
    """Keys of all sections."""
    keys = keys_of(model)
    sections = (section_in(kind) for kind in keys.values())
    return frozenset(set(keys).union(*(_known_names(section) for section in sections if section)))
