"""``oesd export``: what is written, what is never overwritten, and what comes back."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.daemon.store.making import capture, device, entry, processed, spectrum_file
from tests.daemon.web import spectra

from oesd.cli.commands import cli
from oesd.formats import read_spectrum
from oesd.formats.containers import spectra_of
from oesd.formats.exporting import FORMS
from oesd.model import Kind, Measurement, new_id
from oesd.processing.exporting import sheets_of
from oesd.service.asking import AccessError
from oesd.service.exporting import ExportBroken, exporter
from oesd.service.remote import Remote
from oesd.store import Store, UnknownEntry

NOBODY = "0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90"


@dataclasses.dataclass
class Archive:
    data: Path
    ids: list[str]
    expected: dict[str, Measurement]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Two entries of a run, an older one of another spectrometer, and one that came as a file."""
    data, ids = tmp_path_factory.mktemp("export") / "data", []
    now = datetime.now(UTC)
    with Store.open(data) as store:
        of, other = device(pixels=64), device("chamber-b", pixels=64)
        dark = capture(Kind.DARK, of=of, seed=8)
        store.save_capture(dark, None, upload=False).result(10)
        for seed, unit, ago_s in ((1, other, 7200), (2, of, 60), (3, of, 30)):
            run = "night" if unit is of else "day"
            sample = capture(
                of=unit, seed=seed, run_id=run, sequence=seed, slot=seed, taken_at_utc=now - timedelta(seconds=ago_s)
            )
            made = entry(sample, dark if unit is of else None)
            store.save_capture(sample, made, upload=False).result(10)
            processed(store, made.data_id)
            ids.append(made.data_id)
        ids.append(new_id())
        store.save_file(ids[-1], spectrum_file(), b"the file", "old.txt").result(10)
        measured = {data_id: store.measurement(data_id) for data_id in ids}
    expected = {data_id: measurement for data_id, measurement in measured.items() if measurement is not None}
    yield Archive(data, ids, expected)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="oesd")


def export(archive: Archive, *words: str | Path) -> Result:
    return run("export", *words, "--data", archive.data)


def same(found: Measurement, expected: Measurement) -> bool:
    return all(
        np.array_equal(getattr(found, field.name), getattr(expected, field.name))
        if isinstance(getattr(expected, field.name), np.ndarray)
        else getattr(found, field.name) == getattr(expected, field.name)
        for field in dataclasses.fields(Measurement)
    )


@pytest.mark.parametrize("form", FORMS)
def test_every_entry_comes_back_from_every_form(archive: Archive, tmp_path: Path, form: str) -> None:
    target = tmp_path / ("all.zip" if FORMS[form].text else f"all.{form}")
    told = export(archive, *archive.ids, "--format", form, "--to", target)
    assert (told.exit_code, told.stderr) == (0, "") and f"{target}: 4 entries" in told.stdout
    found = list(spectra_of(target.read_bytes(), target.name))
    assert len(found) == 4
    for data_id, (_, file) in zip(archive.ids, found, strict=True):
        assert file.metadata.get("data_id", data_id) == data_id
        assert same(file.measurement, archive.expected[data_id])


def test_entries_by_run_time_and_spectrometer(archive: Archive, tmp_path: Path) -> None:
    by_run = export(archive, "--run", "night", "--format", "csv", "--to", f"{tmp_path}/run/")
    assert by_run.exit_code == 0, by_run.output
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert [name[-40:-4] for name in names] == archive.ids[1:3] and names[0].startswith("chamber-a_")
    lately = export(archive, "--since", "10min", "--device", "chamber-a", "--to", tmp_path / "b.parquet")
    assert "2 entries" in lately.stdout
    newest = export(archive, "latest", "--to", tmp_path / "one.jdx")
    assert newest.exit_code == 0 and read_spectrum((tmp_path / "one.jdx").read_bytes()).format == "oesd JCAMP-DX"


def test_nothing_is_overwritten_unasked(archive: Archive, tmp_path: Path) -> None:
    file, folder = tmp_path / "x.csv", tmp_path / "folder"
    assert export(archive, archive.ids[0], "--to", file).exit_code == 0
    before = file.read_bytes()
    refused = export(archive, archive.ids[1], "--to", file)
    assert refused.exit_code == 2 and "is there already; --force overwrites it" in refused.stderr
    assert file.read_bytes() == before
    assert export(archive, archive.ids[1], "--to", file, "--force").exit_code == 0 and file.read_bytes() != before
    folder.mkdir()
    assert export(archive, archive.ids[1], "--to", folder).stdout == f"{folder}: 1 file written\n"
    again = export(archive, *archive.ids[1:3], "--to", folder)
    assert again.stdout == f"{folder}: 1 file written, 1 were there and stay as they are (--force writes them anew)\n"
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which entries"),
        ((NOBODY, "--run", "night"), "say which entries"),
        (("abc",), "'abc' is no data id"),
        ((NOBODY,), "no such entry"),
        (("--run", "nobody"), "there is no run 'nobody'"),
        (("--label", "x", "--device", "y"), "give it as NAME=VALUE"),
        (("--run", "night", "--format", "csv"), "are a .zip or a file each"),
        (("latest", "--to", "/nowhere/x.csv"), "cannot be written: No such file or directory; nothing is left"),
        (("latest", "--to", "/dev/null", "--force"), "is no plain file"),
        (("latest", "--format", "xls"), "'xls' is not one of"),
    ],
)
def test_mistakes_are_one_line(archive: Archive, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    to = () if "--to" in words else ("--to", str(tmp_path / "x.csv"))
    told = export(archive, *words, *to)
    assert told.exit_code == 2 and said in told.stderr, told.output
    assert not list(tmp_path.iterdir())


def test_what_is_exported_is_imported_again(archive: Archive, tmp_path: Path) -> None:
    for form in ("h5", "parquet"):
        assert export(archive, *archive.ids, "--to", tmp_path / f"all.{form}").exit_code == 0
    assert export(archive, archive.ids[1], "--to", tmp_path / "one.txt").exit_code == 0
    there = tmp_path / "archive"
    Store.open(there).close()
    told = run("import", *sorted(tmp_path.glob("*.*")), "--data", there)
    assert told.exit_code == 0 and told.stdout.startswith("3 files, 9 spectra: "), told.output
    again = run("import", tmp_path / "all.h5", "--data", there)
    assert again.stdout == "1 files, 4 spectra: 0 stored, 4 were there already, 0 refused\n"
    with Store.open(there) as store:
        exported = [sheet.columns["sample"] for sheet in sheets_of(store, [e.data_id for e in store.entries()])]
        assert len(exported) in range(5, 10)  # the same sheet from two forms is one file
    broken = tmp_path / "broken.h5"
    broken.write_bytes((tmp_path / "all.h5").read_bytes()[:2000])
    refused = run("import", broken, "--data", there)
    assert refused.exit_code == 1 and "a damaged HDF5 file" in refused.stdout


def test_analyze_reads_what_export_writes(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        made = [spectra.store_spectrum(store, spectra.device(), seed=seed) for seed in (1, 2)]
    out = tmp_path / "two.h5"
    assert run("export", *made, "--to", out, "--data", tmp_path / "data").exit_code == 0
    told = run("analyze", out)
    assert told.exit_code == 0 and told.stdout.count("(oesd CSV)") == 2 and "Ar" in told.stdout


# -- what GET /export hands on ----------------------------------------------------------------------------------------


def test_the_web_gets_the_same_from_a_process_of_its_own(archive: Archive) -> None:
    with Store.open(archive.data) as store:
        make = exporter(store, archive.data)
        one = make(iter(archive.ids[:1]), "csv")
        assert one.media_type.startswith("text/csv") and one.file_name.endswith(f"{archive.ids[0]}.csv")
        read_spectrum(b"".join(one.pieces))
        several = make(iter(archive.ids), "jdx")
        assert (several.media_type, several.file_name[-4:]) == ("application/zip", ".zip")
        found = list(spectra_of(b"".join(several.pieces), "x"))
        assert [same(file.measurement, archive.expected[i]) for i, (_, file) in zip(archive.ids, found, strict=True)]
        with pytest.raises(ValueError, match="format must be one of"):
            make(iter(archive.ids), "xls")
        with pytest.raises(UnknownEntry):
            make(iter([NOBODY]), "csv")
        with pytest.raises(UnknownEntry):
            make(iter([]), "h5")


def test_an_export_that_is_broken_off_ends_its_process_and_one_that_fails_says_so(
    archive: Archive, tmp_path: Path
) -> None:
    with Store.open(archive.data) as store:
        made = exporter(store, archive.data)(iter(archive.ids), "parquet")
        made.pieces.close()  # type: ignore[attr-defined]
        assert list(made.pieces) == []
        nowhere = exporter(store, tmp_path / "nowhere")(iter(archive.ids), "csv")
        with pytest.raises(ExportBroken, match="no data of oesd there"):
            list(nowhere.pieces)


class _Exporting(BaseHTTPRequestHandler):
    """A daemon as GET /export knows it; of ``whole`` it sends less than it promised when asked for h5."""

    whole = bytes(300_000)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-disposition", 'attachment; filename="one.csv"')
        self.send_header("content-length", str(len(self.whole)))
        self.end_headers()
        with suppress(OSError):  # who asked has gone: that is the test
            self.wfile.write(self.whole[: 100_000 if "h5" in self.path else None])

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def exporting_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Exporting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_output_that_takes_no_more_is_not_told_as_a_daemon_that_does_not_answer(exporting_url: str) -> None:
    with pytest.raises(BrokenPipeError), Remote(exporting_url).export([("format", "csv")]) as (name, pieces):
        assert name == "one.csv" and len(next(pieces)) > 0
        raise BrokenPipeError  # as a write to "| head" does
    said = "the daemon broke the export off"
    with pytest.raises(AccessError, match=said), Remote(exporting_url).export([("format", "h5")]) as (_, pieces):
        list(pieces)


# -- the rest of the terminal -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
def test_output_that_cannot_be_written_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "oesd.cli", "completion", "bash"]
        told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (told.returncode, told.stderr) == (74, "oesd: the output cannot be written: No space left on device\n")


def test_import_and_assign_tell_programs_what_became_of_it(archive: Archive, tmp_path: Path) -> None:
    junk, there = tmp_path / "junk.txt", tmp_path / "archive"
    junk.write_text("hello")
    assert export(archive, archive.ids[1], "--to", tmp_path / "one.csv").exit_code == 0
    told = run("import", junk, tmp_path / "one.csv", "--json", "--data", there)
    document = json.loads(told.stdout)
    assert (told.exit_code, document["files"], document["stored"], document["there"]) == (1, 2, 1, 0)
    assert document["refused"][0]["file"] == str(junk) and "no spectrum" in document["refused"][0]["why"]
    shown = json.loads(run("show", archive.ids[1], "--json", "--data", archive.data).stdout)
    peak = shown["detected_peaks"][0]
    key = peak["candidates"][0]["candidate_key"]
    chosen = run("assign", archive.ids[1], peak["peak_id"], key, "--json", "--data", archive.data)
    assert json.loads(chosen.stdout)["detected_peaks"][0]["manual"] is True
