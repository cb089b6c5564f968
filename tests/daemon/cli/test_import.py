"""``oesd import``: folders of old files, once each, with the reasons of those that are refused."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.daemon.formats.test_procspec import archive, document
from tests.daemon.store.making import capture, device, entry
from tests.daemon.store.test_inspection import inspected
from tests.support.daemons import OESD, Daemon, oesd, until

from oesd.formats import write_columns
from oesd.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as labs have them: two spectra, one of them twice, and what is none."""
    path = tmp_path / "old"
    (path / "2006").mkdir(parents=True)
    (path / ".cache").mkdir()
    table = "\n".join(f"{300 + k},{1000 + 7 * (k % 11)}" for k in range(200))
    (path / "one.csv").write_text(table)
    (path / "2006" / "again.csv").write_text(table)
    (path / "2006" / "two.ProcSpec").write_bytes(archive(ps_1__xml=document()))
    (path / "2006" / "photo\x1b[2J.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(200))
    (path / ".cache" / "hidden.csv").write_text(table.replace("300", "301"))
    os.mkfifo(path / "pipe")
    return path


def test_a_folder_into_an_archive_twice(folder: Path, tmp_path: Path) -> None:
    first = oesd("import", folder, "--data", tmp_path / "data")
    assert first.returncode == 1
    lines = first.stdout.splitlines()
    assert lines[-1] == "5 files: 2 stored, 1 were there already, 2 refused"
    assert ["photo" in line for line in lines[:-1]] == [False, True]
    assert lines[0].endswith("pipe: cannot be read: no plain file")
    assert "\x1b" not in first.stdout
    again = oesd("import", folder / "one.csv", folder / "2006" / "two.ProcSpec", "--data", tmp_path / "data")
    assert (again.returncode, again.stdout) == (0, "2 files: 0 stored, 2 were there already, 0 refused\n")
    with Store.open(tmp_path / "data") as store:
        assert (store.tally().files, store.tally().waiting) == (2, 0)
        assert {store.file(e.data_id).filename for e in store.entries()} == {"one.csv", "two.ProcSpec"}
    assert inspected(tmp_path / "data") == []


def test_a_file_of_our_own_capture_is_there_already(tmp_path: Path) -> None:
    sample = capture(of=device(pixels=64))
    made = entry(sample)
    with Store.open(tmp_path / "data") as store:
        store.save_capture(sample, made, upload=False).result(10)
    (tmp_path / "own.txt").write_bytes(write_columns(made, sample, None, None, None))
    told = oesd("import", tmp_path / "own.txt", "--data", tmp_path / "data")
    assert told.stdout == "1 files: 0 stored, 1 were there already, 0 refused\n"


def test_beside_a_daemon(folder: Path, tmp_path: Path) -> None:
    with Daemon.simulated(tmp_path / "data") as daemon:
        assert daemon.url()
        told = oesd("import", folder, "--data", tmp_path / "data")
        assert told.stdout.splitlines()[-1] == "5 files: 2 stored, 1 were there already, 2 refused"
        until(lambda: daemon.tally()["files"] == 2)


def test_words_that_make_no_sense_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    told = oesd("import", tmp_path / "none.csv", "--data", tmp_path / "thesis")
    assert told.returncode == 2
    assert "no data of oesd there" in told.stderr
    assert oesd("import", tmp_path / "none.csv", "--data", tmp_path / "new").returncode == 1


def test_a_folder_as_years_have_left_it(tmp_path: Path) -> None:
    """Names of an older system, links, a video, a folder that cannot be listed: told or stored, never passed over."""
    table = "\n".join(f"{300 + k},{1000 + 7 * (k % 11)}" for k in range(200))
    old, other = tmp_path / "old", tmp_path / "other"
    old.mkdir()
    other.mkdir()
    Path(os.fsdecode(bytes(old) + b"/M\xe4rz.csv")).write_text(table)
    (old / "linked").symlink_to(other)
    (old / "loop").symlink_to("loop")
    with (old / "video.csv").open("wb") as file:
        file.write(table.encode())
        file.truncate(3 << 30)
    _too_deep(old)
    command = [*OESD, "import", str(old), "--data", str(tmp_path / "data"), "--json"]
    told = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=_with_little_memory, timeout=60,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    found = json.loads(told.stdout)
    assert (told.returncode, found["stored"]) == (1, 1)
    why = {Path(one["file"]).name[:8]: one["why"] for one in found["refused"]}
    assert why.pop("linked") == "cannot be read: a link to a folder is not followed: name the folder itself"
    assert why.pop("loop") == "cannot be read: Too many levels of symbolic links"
    assert why.pop("video.cs") == "cannot be read: more than 64 MiB: no spectrum"
    assert why == {"d" * 8: "cannot be read: File name too long"}
    with Store.open(tmp_path / "data") as store:
        (entry,) = store.entries()
        assert store.file(entry.data_id).filename == "M\ufffdrz.csv"


def test_a_damaged_member_of_an_archive_ends_no_other(tmp_path: Path) -> None:
    table = "\n".join(f"{300 + k},{1000 + 7 * (k % 11)}" for k in range(200))
    with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.csv", "b.csv", "c.csv"):
            archive.writestr(name, f"{table}\n{500 + ord(name[0])},1\n")
        begins = archive.getinfo("b.csv").header_offset
    packed = bytearray((tmp_path / "many.zip").read_bytes())
    packed[begins + 60 : begins + 90] = bytes(30)
    (tmp_path / "many.zip").write_bytes(packed)
    done = oesd("import", tmp_path / "many.zip", "--data", tmp_path / "data", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["stored"], len(found["refused"])) == (1, 2, 1)
    assert found["refused"][0]["why"].startswith("b.csv: damaged in its ZIP archive: ")


def _with_little_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))


def _too_deep(folder: Path) -> None:
    """Folders below each other until no path reaches the last."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(18):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_folders_below_each_other_without_end(tmp_path: Path) -> None:
    """As a copy that went round in a circle leaves them."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("a", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    table = "\n".join(f"{300 + k},{1000 + 7 * (k % 11)}" for k in range(200))
    with open(os.open("last.csv", os.O_WRONLY | os.O_CREAT, dir_fd=here), "w") as file:
        file.write(table)
    os.close(here)
    told = oesd("import", tmp_path / "a", "--data", tmp_path / "data")
    subprocess.run(["rm", "-rf", tmp_path / "a"], check=True)  # pytest's own way to do it ends as os.walk does
    assert (told.returncode, told.stdout) == (0, "1 files: 1 stored, 0 were there already, 0 refused\n"), told.stderr


def test_a_key_is_not_shown_among_what_is_refused(tmp_path: Path) -> None:
    """Whoever imports a copy of a data directory, or a home, does not publish its token."""
    (tmp_path / "old").mkdir()
    for name in ("api-token", "api-key"):
        (tmp_path / "old" / name).write_text("canary-of-this-machine\n")
    told = oesd("import", tmp_path / "old", "--data", tmp_path / "data", "--json")
    assert told.returncode == 1
    assert [one["why"] for one in json.loads(told.stdout)["refused"]] == ["a key, by its name: not read"] * 2
    assert "canary" not in told.stdout + told.stderr


def test_what_is_broken_off_tells_how_far_it_was(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for number in range(3000):
        table = "\n".join(f"{300 + k},{number + 7 * (k % 11)}" for k in range(60))
        (tmp_path / "old" / f"{number}.csv").write_text(table)
    with Daemon.simulated(tmp_path / "data") as daemon:
        assert daemon.url()
        command = [*OESD, "import", str(tmp_path / "old"), "--data", str(tmp_path / "data")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as importing:
            until(lambda: daemon.tally()["files"] >= 3)
            daemon.end(signal.SIGKILL)
            out, told = importing.communicate(timeout=60)
    assert (importing.returncode, out) == (2, "")
    first, second = told.splitlines()
    assert first.startswith("broken off, of 3000 files: ") and first.endswith("; the same command goes on from here")
    assert second.startswith("oesd: no oesd daemon answers")
