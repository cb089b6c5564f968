"""Exports that the daemon makes: for who may not read its data directory, or is on another machine."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from oesd.cli.errors import fail
from oesd.cli.targets import check_file, echo_file, echo_folder, is_folder, make_folder, new_file

if TYPE_CHECKING:
    from oesd.service.remote import Remote
    from oesd.store.finding import Sought

Pairs = list[tuple[str, str]]

_EVER = datetime(1970, 1, 2, tzinfo=UTC)
_IN_A_URL = 300  # ids of 36 characters: what any server takes as an address


def export_from(daemon: Remote, data_ids: Sequence[str], sought: Sought, form: str, to: str, force: bool) -> None:
    """Have entries made into files: those that are named, else those that a search finds."""
    from oesd.formats.exporting import FORMS
    from oesd.service.asking import checked

    named = list(dict.fromkeys(daemon.latest() if one == "latest" else checked(one) for one in data_ids))
    asked, wanted = ([], named) if named else _found(daemon, sought)
    if is_folder(to):
        _to_folder(daemon, wanted, form, Path(to), force)
        return
    if len(named) > _IN_A_URL:
        fail(f"at most {_IN_A_URL} IDs at once from a daemon: name them by --run or --since, or give a folder")
    query = [("format", form), *(asked or [("ids", ",".join(wanted))])]
    if to == "-":
        with daemon.export(query) as (_, pieces):
            _copy(pieces, sys.stdout.buffer)
        return
    target = Path(to)
    check_file(target, to, len(wanted), form, FORMS[form].text is not None, force)
    with daemon.export(query) as (_, pieces), new_file(target, force) as out:
        _copy(pieces, out)
    echo_file(target, len(wanted))


def _copy(pieces: Iterable[bytes], out: BinaryIO) -> None:
    for piece in pieces:
        out.write(piece)


def _to_folder(daemon: Remote, wanted: Sequence[str], form: str, folder: Path, force: bool) -> None:
    make_folder(folder)
    written = 0
    for data_id in wanted:
        with daemon.export([("format", form), ("ids", data_id)]) as (name, pieces):
            target = folder / name
            if target.exists() and not force:
                deque(pieces, maxlen=0)  # left unread it would stay under way, and be in the way of the next
                continue
            with new_file(target, force) as out:
                _copy(pieces, out)
        written += 1
    echo_folder(folder, written, len(wanted) - written)


def _found(daemon: Remote, sought: Sought) -> tuple[Pairs, list[str]]:
    """What the daemon was asked for, and the entries that it found."""
    asked = _pairs(sought)
    found = daemon.search(asked)
    if not found and sought.run_id:  # not an id, then: its beginning, or "latest"
        asked = _pairs(replace(sought, run_id=_run_id(daemon, sought)))
        found = daemon.search(asked)
    if not found:
        fail("no entry fits that description; oesd run list tells the runs, oesd ledger what was stored when")
    return asked, found


def _pairs(sought: Sought) -> Pairs:
    from oesd.model import utc_text

    when = [(name, utc_text(at)) for name, at in (("since", sought.since), ("until", sought.until)) if at]
    one = [(name, text) for name, text in (("device", sought.device_name), ("run", sought.run_id)) if text]
    several = [("element", text) for text in sought.elements]
    return [*one, *several, *(("label", f"{name}={text}") for name, text in sought.labels.items()), *when]


def _run_id(daemon: Remote, sought: Sought) -> str:
    """The one run among those that the daemon lists that a beginning fits, or the last begun."""
    listed: Sequence[Mapping[str, Any]] = daemon.runs(sought.device_name or None, _EVER)["runs"]
    ids = list(dict.fromkeys(str(run["run_id"]) for run in listed))
    fitting = ids[:1] if sought.run_id == "latest" else [one for one in ids if one.startswith(sought.run_id)]
    if len(fitting) != 1:
        many = f"is the beginning of {len(fitting)} runs: write more of it" if fitting else "is no run that is listed"
        fail(f"{sought.run_id!r:.80} {many}; oesd run list shows them")
    return fitting[0]
