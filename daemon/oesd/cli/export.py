"""``oesd export``: entries as files that other software reads."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from oesd.cli.data import directory_of, on_data
from oesd.cli.durations import DurationType
from oesd.cli.errors import expected, fail
from oesd.cli.screen import progress

if TYPE_CHECKING:
    from oesd.formats.sheet import Sheet
    from oesd.store.onlooker import Onlooker

FORMATS = ("csv", "txt", "jdx", "h5", "parquet")
_PAGE = 500
_STDOUT = "-"


@click.command()
@click.argument("data_ids", metavar="[ID|latest]...", nargs=-1)
@click.option("--run", metavar="ID", help="All entries of a run (oesd run list tells its id).")
@click.option("--since", type=DurationType(), help='Entries of so far back, such as "1h" or "30d".')
@click.option("--device", metavar="NAME", help="Of one spectrometer only.")
@click.option("--element", multiple=True, metavar="SYMBOL", help="With this element named; repeat for several.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Of runs with this label; repeat for several.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="csv, unless the name after --to ends otherwise.")
@click.option("--to", required=True, metavar="FILE|FOLDER/", help="Where to; a folder gets a file each, - is stdout.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@on_data
def export(
    data_ids: Sequence[str],
    run: str | None,
    since: float | None,
    device: str | None,
    element: Sequence[str],
    label: Sequence[str],
    form: str | None,
    to: str,
    force: bool,
    data: Path | None,
) -> None:
    """Write entries as csv, txt (OceanView), jdx (JCAMP-DX), h5 (NeXus, HDF5) or parquet.

    Names entries by ID, or by run, time, spectrometer, element and label together. Several are one file as h5 and
    parquet, a .zip of a file each otherwise, or a file each in a folder. oesd import and oesd analyze read all of them
    back, to the last digit. Reads beside a daemon and without one.
    """
    from oesd.formats.exporting import FORMS
    from oesd.formats.extras import NotInstalled
    from oesd.store.onlooker import Onlooker

    form = form or _form_by_name(to)
    searched = bool(run or since is not None or device or element or label)
    if searched == bool(data_ids):
        fail("say which entries: IDs (or latest), or --run, --since, --device, --element, --label; oesd export --help")
    try:
        FORMS[form].require()
        with Onlooker(directory_of(data)) as store:
            wanted = _named(store, data_ids) if data_ids else _found(store, run, since, device, element, label)
            _export(store, wanted, form, to, force)
    except NotInstalled as error:
        fail(str(error))
    except expected() as error:
        fail(str(error))


def _form_by_name(to: str) -> str:
    suffix = Path(to).suffix.lower().removeprefix(".")
    return {"hdf5": "h5", "nxs": "h5", "pq": "parquet", "dx": "jdx"}.get(suffix, suffix if suffix in FORMATS else "csv")


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


def _found(
    store: Onlooker,
    run: str | None,
    since_s: float | None,
    device: str | None,
    elements: Sequence[str],
    labels: Sequence[str],
) -> list[str]:
    from oesd.store.finding import Sought

    since = None if since_s is None else datetime.now(UTC) - timedelta(seconds=since_s)
    wrong = next((text for text in labels if "=" not in text), None)
    if wrong is not None:
        fail(f"--label {wrong!r}: give it as NAME=VALUE")
    pairs = dict(text.split("=", 1) for text in labels)
    sought = Sought(device or "", run or "", tuple(elements), pairs, since=since, oldest_first=True)
    found: list[str] = []
    page = store.find(sought, _PAGE)
    found += [one.summary.data_id for one in page.entries]
    while page.cursor is not None:
        page = store.find(sought, _PAGE, page.cursor)
        found += [one.summary.data_id for one in page.entries]
    if not found:
        fail("no entry fits that description; oesd run list tells the runs, oesd ledger what was stored when")
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
            return
        target = Path(to)
        if to.endswith(os.sep) or target.is_dir():
            _to_folder(target, sheets(), form, force)
        elif several and FORMS[form].text and target.suffix.lower() != ".zip":
            fail(f"{len(wanted)} entries as {form} are a .zip or a file each: --to NAME.zip, or a folder: --to {to}/")
        else:
            _to_file(target, sheets(), form, several, force)


def _to_file(target: Path, sheets: Iterator[Sheet], form: str, several: bool, force: bool) -> None:
    if target.exists() and not target.is_file():
        fail(f"{target}: is no plain file, which alone is written; --to - writes to stdout")
    if target.exists() and not force:
        fail(f"{target}: is there already; --force overwrites it")
    count = 0

    def counted() -> Iterator[Sheet]:
        nonlocal count
        for sheet in sheets:
            count += 1
            yield sheet

    with _new_file(target, force) as out:
        _write_pieces(out, counted(), form, several, target.parent)
    click.echo(f"{target}: {count} {'entries' if count > 1 else 'entry'}, {_size(target)}")


def _to_folder(folder: Path, sheets: Iterable[Sheet], form: str, force: bool) -> None:
    from oesd.formats.exporting import name_of, suffix_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder}: cannot be made: {error.strerror}")
    written = there = 0
    for sheet in sheets:
        target = folder / f"{name_of(sheet)}.{suffix_of(form, False)}"
        if target.exists() and not force:
            there += 1
            continue
        with _new_file(target, force) as out:
            _write_pieces(out, [sheet], form, False, folder)
        written += 1
    kept = f", {there} were there and stay as they are (--force writes them anew)" if there else ""
    click.echo(f"{folder}: {written} {'files' if written != 1 else 'file'} written{kept}")


def _write_pieces(out: BinaryIO, sheets: Iterable[Sheet], form: str, several: bool, scratch: Path | None) -> None:
    from oesd.formats.exporting import pieces_of

    for piece in pieces_of(sheets, form, several=several, scratch=scratch):
        out.write(piece)


@contextmanager
def _new_file(target: Path, force: bool) -> Iterator[BinaryIO]:
    """A file that has its name once it is whole and on the disk; nothing is left of it otherwise."""
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("xb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            _named_so(part, target, force)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
    except OSError as error:
        fail(f"{target}: cannot be written: {error.strerror or error}; nothing is left of it")


def _named_so(part: Path, target: Path, force: bool) -> None:
    if not force:
        with suppress(NotImplementedError, PermissionError):  # a file system without hard links
            os.link(part, target)  # unlike a rename it never takes the place of a file
            return
        if target.exists():
            raise FileExistsError(17, "it is there already; --force overwrites it")
    part.replace(target)


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
