"""``oesd export``: entries as files that other software reads."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from oesd.cli.durations import DurationType
from oesd.cli.entries import where
from oesd.cli.errors import expected, fail
from oesd.cli.screen import progress
from oesd.cli.targets import check_file, echo_file, echo_folder, is_folder, make_folder, new_file

if TYPE_CHECKING:
    from oesd.formats.sheet import Sheet
    from oesd.store.finding import Sought
    from oesd.store.onlooker import Onlooker

FORMATS = ("csv", "txt", "jdx", "h5", "parquet")
_PAGE = 500
_STDOUT = "-"


@click.command()
@click.argument("data_ids", metavar="[ID|latest]...", nargs=-1)
@click.option("--run", metavar="ID", help="All entries of a run (oesd run list tells its id).")
@click.option("--since", type=DurationType(), help='Entries of so far back, such as "1h" or "30d".')
@click.option("--until", type=DurationType(), help="And up to so far back; up to now unless given.")
@click.option("--device", metavar="NAME", help="Of one spectrometer only.")
@click.option("--element", multiple=True, metavar="SYMBOL", help="With this element named; repeat for several.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Of runs with this label; repeat for several.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="csv, unless the name after --to ends otherwise.")
@click.option("--to", required=True, metavar="FILE|FOLDER/", help="Where to; a folder gets a file each, - is stdout.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@where
def export(
    data_ids: Sequence[str],
    run: str | None,
    since: float | None,
    until: float | None,
    device: str | None,
    element: Sequence[str],
    label: Sequence[str],
    form: str | None,
    to: str,
    force: bool,
    url: str | None,
    data: Path | None,
) -> None:
    """Write entries as csv, txt (OceanView), jdx (JCAMP-DX), h5 (NeXus, HDF5) or parquet.

    Names entries by ID, or by run, time, spectrometer, element and label together. Several are one file as h5 and
    parquet, a .zip of a file each otherwise, or a file each in a folder. oesd import and oesd analyze read all of them
    back, to the last digit. Reads beside a daemon and without one; where only the daemon may read, it makes the files.
    """
    from oesd.cli.export_remote import export_from
    from oesd.formats.exporting import FORMS
    from oesd.formats.extras import NotInstalled
    from oesd.service.access import daemon_or_directory
    from oesd.store.onlooker import Onlooker

    form = form or _form_by_name(to)
    asked = _sought(run, (since, until), device, element, label)
    if (asked == _sought(None, (None, None), None, (), ())) != bool(data_ids):
        fail("say which entries: IDs (or latest), or --run, --since, --device, --element, --label; oesd export --help")
    try:
        source = daemon_or_directory(url, data)
        if not isinstance(source, Path):
            export_from(source, data_ids, asked, form, to, force)
            return
        FORMS[form].require()
        with Onlooker(source) as store:
            wanted = _named(store, data_ids) if data_ids else _found(store, asked)
            _export(store, wanted, form, to, force)
    except NotInstalled as error:
        fail(str(error))
    except expected() as error:
        fail(str(error))


def _form_by_name(to: str) -> str:
    suffix = Path(to).suffix.lower().removeprefix(".")
    known = {"hdf5": "h5", "nxs": "h5", "pq": "parquet", "dx": "jdx", **{form: form for form in FORMATS}}
    if suffix in known or suffix in ("", "zip") or is_folder(to):
        return known.get(suffix, "csv")
    fail(f"{to}: no form has the ending .{suffix}: give --format {', '.join(FORMATS)}, or another ending")
    raise AssertionError


def _named(store: Onlooker, data_ids: Sequence[str]) -> list[str]:
    """The ids, each once; those of no entry end the command before anything is written."""
    from oesd.service.asking import checked

    found = [(store.latest_entry() or "") if data_id == "latest" else checked(data_id) for data_id in data_ids]
    for data_id in found:
        if not data_id:
            fail("there is no entry yet")
        if store.entry(data_id) is None:
            stone = store.tombstone(data_id)
            fail(f"{data_id}: {stone.text if stone else 'no such entry'}")
    return list(dict.fromkeys(found))


def _sought(
    run: str | None,
    when_s: tuple[float | None, float | None],
    device: str | None,
    elements: Sequence[str],
    labels: Sequence[str],
) -> Sought:
    from oesd.store.finding import Sought

    now = datetime.now(UTC)
    since, until = (None if ago_s is None else now - timedelta(seconds=ago_s) for ago_s in when_s)
    wrong = next((text for text in labels if "=" not in text), None)
    if wrong is not None:
        fail(f"--label {wrong!r}: give it as NAME=VALUE")
    pairs = dict(text.split("=", 1) for text in labels)
    return Sought(device or "", run or "", tuple(elements), pairs, since=since, until=until, oldest_first=True)


def _found(store: Onlooker, sought: Sought) -> list[str]:
    found = _all(store, sought)
    if not found and sought.run_id:  # not an id, then: its beginning, or "latest"
        from oesd.service.run_spectra import find_run

        found = _all(store, replace(sought, run_id=find_run(store, sought.run_id, sought.device_name).run_id))
    if not found:
        fail("no entry fits that description; oesd run list tells the runs, oesd ledger what was stored when")
    return found


def _all(store: Onlooker, sought: Sought) -> list[str]:
    page = store.find(sought, _PAGE)
    found = [one.summary.data_id for one in page.entries]
    while page.cursor is not None:
        page = store.find(sought, _PAGE, page.cursor)
        found += [one.summary.data_id for one in page.entries]
    return found


def _export(store: Onlooker, wanted: Sequence[str], form: str, to: str, force: bool) -> None:
    from oesd.formats.exporting import FORMS
    from oesd.processing.exporting import sheets_of

    several = len(wanted) > 1
    with progress() as shown:

        def sheets() -> Iterator[Sheet]:
            for done, sheet in enumerate(sheets_of(store, wanted), start=1):
                shown.tell("exporting", done, len(wanted))
                yield sheet

        if to == _STDOUT:
            _write_pieces(sys.stdout.buffer, sheets(), form, several, None)
        elif is_folder(to):
            _to_folder(Path(to), sheets(), form, force)
        else:
            check_file(Path(to), to, len(wanted), form, FORMS[form].text is not None, force)
            _to_file(Path(to), sheets(), form, several, force)


def _to_file(target: Path, sheets: Iterator[Sheet], form: str, several: bool, force: bool) -> None:
    count = 0

    def counted() -> Iterator[Sheet]:
        nonlocal count
        for sheet in sheets:
            count += 1
            yield sheet

    with new_file(target, force) as out:
        _write_pieces(out, counted(), form, several, target.parent)
    echo_file(target, count)


def _to_folder(folder: Path, sheets: Iterable[Sheet], form: str, force: bool) -> None:
    from oesd.formats.exporting import name_of, suffix_of

    make_folder(folder)
    written = there = 0
    for sheet in sheets:
        target = folder / f"{name_of(sheet)}.{suffix_of(form, False)}"
        if target.exists() and not force:
            there += 1
            continue
        with new_file(target, force) as out:
            _write_pieces(out, [sheet], form, False, folder)
        written += 1
    echo_folder(folder, written, there)


def _write_pieces(out: BinaryIO, sheets: Iterable[Sheet], form: str, several: bool, scratch: Path | None) -> None:
    from oesd.formats.exporting import pieces_of

    for piece in pieces_of(sheets, form, several=several, scratch=scratch):
        out.write(piece)
