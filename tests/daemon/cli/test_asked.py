"""Commands that a daemon answers: for who may not read its data directory, or sits at another machine."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from tests.daemon.service.test_watching import CONFIG, stored, values

from oesd.cli.commands import cli
from oesd.config import parse_config
from oesd.service.access import Remote, daemon_or_directory, remote
from oesd.service.asking import AccessError
from oesd.service.directory import DirectoryError, check_readable, note_running, token_of
from oesd.service.exporting import exporter
from oesd.service.watch_desk import WatchDesk
from oesd.service.watching import Watching
from oesd.store import Store
from oesd.web import Server, create_api

SECRET = "local-token-0123456789"


class Asked:
    """A daemon's API over two runs, and the same data for who may read them."""

    def __init__(self, data: Path, url: str, ids: list[str]) -> None:
        self.data, self.url, self.ids = data, url, ids

    def by_url(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "--url", self.url])

    def by_data(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "--data", str(self.data)])


class NoOrders:
    """Of a daemon that lists its runs, and is ordered nothing here."""

    def now(self) -> dict[str, Any]:
        return {"standing": {"start": "plasma on", "labels": {}}, "ordered": {}}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    data = tmp_path_factory.mktemp("asked") / "data"
    with Store.open(data) as store:
        watching = Watching(parse_config(CONFIG, "test"), store)
        watching.start()
        begun = datetime.now(UTC) - timedelta(hours=2)
        ids = [
            stored(store, watching, second, value, run, begun)
            for run in (1, 2)
            for second, value in enumerate(values(6))
        ]
        app = create_api(
            store, status=lambda: {"data_dir": str(data)}, healthy=lambda: True, token=SECRET,
            watching=WatchDesk(store, watching), runs=cast("Any", NoOrders()), export=exporter(store, data),
        )  # fmt: skip
        server = Server(app, "127.0.0.1", 0)
        server.start()
        try:
            yield Asked(data, f"http://127.0.0.1:{server.port}", ids)
        finally:
            server.stop()
            watching.stop()


@pytest.mark.parametrize("what", [["ratio"], ["250"], ["light"], ["Ar_750.4"], ["250", "--near", "0.1"]])
def test_a_trace_is_the_same_table_from_the_daemon_and_from_its_files(asked: Asked, what: list[str]) -> None:
    words = ["trace", "chamber-a", *what]
    theirs, mine = asked.by_url(*words), asked.by_data(*words)
    assert (theirs.exit_code, theirs.stderr) == (0, "")
    assert theirs.stdout == mine.stdout
    assert theirs.stdout.count("\n") == 1 + len(asked.ids)


@pytest.mark.parametrize("how", ["by_url", "by_data"])
def test_what_is_no_trace_is_said_with_those_there_are(asked: Asked, how: str) -> None:
    refused = getattr(asked, how)("trace", "chamber-a", "copper")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "there is no trace 'copper'" in refused.stderr and "line_spread, ratio" in refused.stderr
    nobody = getattr(asked, how)("trace", "nobody", "250")
    assert "no spectrum of 'nobody' with a result" in nobody.stderr


def test_an_export_by_the_daemon_is_that_of_its_files(asked: Asked, tmp_path: Path) -> None:
    for name, words in (("a.csv", [asked.ids[0]]), ("b.h5", ["--run", "run-2"]), ("c.zip", ["--run", "latest"])):
        mine, theirs = tmp_path / f"mine-{name}", tmp_path / f"theirs-{name}"
        assert asked.by_data("export", *words, "--to", str(mine)).exit_code == 0
        told = asked.by_url("export", *words, "--to", str(theirs))
        assert (told.exit_code, told.stderr) == (0, "")
        assert told.stdout.startswith(f"{theirs}: {6 if len(words) > 1 else 1} entr")
        if name.endswith(".zip"):
            assert zipfile.ZipFile(theirs).namelist() == zipfile.ZipFile(mine).namelist()
        else:
            assert abs(theirs.stat().st_size - mine.stat().st_size) < 100
    told = asked.by_url("export", asked.ids[0], "--to", str(tmp_path / "a.h5"))
    again = asked.by_url("export", asked.ids[0], "--to", str(tmp_path / "a.h5"))
    assert told.exit_code == 0 and "is there already; --force overwrites it" in again.stderr


def test_a_folder_gets_the_same_names_from_both(asked: Asked, tmp_path: Path) -> None:
    folder = f"{tmp_path / 'night'}{os.sep}"
    assert "6 files written" in asked.by_url("export", "--run", "run-1", "--to", folder).stdout
    assert "0 files written, 6 were there" in asked.by_data("export", "--run", "run-1", "--to", folder).stdout
    for _ in range(20):
        told = asked.by_url("export", "--run", "run-1", "--to", folder)
        assert "0 files written, 6 were there" in told.stdout, told.stderr


@pytest.mark.parametrize("how", ["by_url", "by_data"])
def test_an_export_that_cannot_be_is_refused_in_a_line(asked: Asked, tmp_path: Path, how: str) -> None:
    for words, said in (
        (["--run", "run-1", "--to", str(tmp_path / "x.csv")], "a .zip or a file each"),
        (
            ["--run", "no-run", "--to", str(tmp_path / "x.h5")],
            "no run 'no-run'" if how == "by_data" else "'no-run' is no run",
        ),
        (["--device", "nobody", "--to", str(tmp_path / "x.h5")], "no entry fits"),
        (["--since", "1h", "--to", str(tmp_path / "x.xlsx")], "no form has the ending .xlsx"),
        (["--to", str(tmp_path / "x.csv")], "say which entries"),
        (["0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90", "--to", str(tmp_path / "x.csv")], "no such"),
    ):
        refused = getattr(asked, how)("export", *words)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
        assert said in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["by_url", "by_data"])
@pytest.mark.parametrize("golden", ["run-1", "run-2"])
def test_runs_are_laid_over_each_other_by_a_named_trace(asked: Asked, how: str, golden: str) -> None:
    words = ["compare", "latest", "--golden", golden, "--json", "--by"]
    told = getattr(asked, how)(*words, "ratio")
    document = json.loads(told.stdout)
    assert (document["run"], document["golden"]) == ("run-2", golden)
    assert "Cu_324.8 / Ar_750.4" in document["aligned"]["sentence"]
    light = json.loads(getattr(asked, how)(*words, "light").stdout)
    assert " light " in light["aligned"]["sentence"]
    refused = getattr(asked, how)(*words, "copper")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)


def test_a_token_of_the_environment_opens_the_daemon_it_is_meant_for(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = asked.by_url("alarms", "--acknowledge", "low")
    assert refused.exit_code == 2 and "its token stays here" in refused.stderr
    monkeypatch.setenv("OESD_TOKEN", SECRET)
    assert "waits for nobody" in asked.by_url("alarms", "--acknowledge", "low").stderr  # it was let in
    with pytest.raises(AccessError, match="https only"):
        Remote("http://192.0.2.1:8520", SECRET)
    monkeypatch.setenv("OESD_TOKEN", "wrong")
    assert "OESD_TOKEN" in asked.by_url("alarms", "--acknowledge", "low").stderr


def as_nobody(work: Callable[[], object]) -> str:
    """What a user without rights is told; in a process of its own, as rights that were given up do not come back."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        try:
            said = f"let in: {work()}"
        except (DirectoryError, AccessError) as error:
            said = str(error)
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as told:
        said = told.read()
    os.waitpid(child, 0)
    return said


def test_who_may_not_enter_a_directory_is_told_so_and_what_to_do() -> None:
    closed = Path(tempfile.mkdtemp())  # not below pytest's own, which nobody else may enter
    try:
        note_running(closed, "http://127.0.0.1:9")
        closed.chmod(0o700 if os.geteuid() == 0 else 0)
        assert "may read it: run the command with sudo, or ask its daemon" in as_nobody(lambda: check_readable(closed))
        for ask in (partial(remote, None, closed), partial(daemon_or_directory, None, closed)):
            assert "may read it" in as_nobody(ask)
        told = as_nobody(lambda: token_of("http://127.0.0.1:9", closed))
        assert told.startswith("this needs the daemon's token, and only ") and "sudo" in told and "OESD_TOKEN" in told
    finally:
        closed.chmod(0o700)
        shutil.rmtree(closed)
