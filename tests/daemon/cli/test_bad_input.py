"""Whatever is wrong in the user's world is one line and status 2, never a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.daemons import Daemon, oesd, until


def _one_line(*words: str | Path) -> str:
    done = oesd(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(("oesd: ", "Error: "))]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), ""),
        (b"hello world\n", ""),
        (b"\n".join(b"%d,1" % n for n in range(400, 300, -1)), "increas"),
        (b"\n".join(b"%d,%s" % (n, b"nan" if n == 350 else b"1") for n in range(300, 400)), "line 51"),
        (b'{"wavelengths": [1, 2, 3], "sample": [1, 2]}', ""),
    ],
)
def test_files_that_are_no_spectrum(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "strange.txt"
    file.write_bytes(content)
    line = _one_line("analyze", file)
    assert "strange.txt" in line
    assert said in line


def test_files_that_do_not_fit_together(tmp_path: Path) -> None:
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    short.write_text("\n".join(f"{n},1" for n in range(300, 340)))
    long.write_text("\n".join(f"{n},1" for n in range(300, 350)))
    assert "40 values" in _one_line("analyze", long, "--dark", short)
    assert "No such file" in _one_line("analyze", tmp_path / "none.csv")
    assert 'constraint = "include"' in _one_line("analyze", long, "--elements", "Ar")
    assert "'Xx'" in _one_line("analyze", long, "--constraint", "include", "--elements", "Xx")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[capture]\nevry = "1 s"', "line 2: unknown key 'evry'"),
        ('[run]\nstart = "61 * * * *"\nduration = "1 h"', "no cron expression"),
        ('[identify]\nconstraint = "include"\nelements = ["Xx"]', "'Xx' is no element"),
        ('[simulation]\nenabled = true\nscene = "beach"', "unknown scene 'beach'"),
        ('[upload]\nendpoint = "http://example.org"\nkey_file = "/etc/k"', "https"),
    ],
)
def test_configurations(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(text)
    assert said in _one_line("check-config", file)
    assert said in _one_line("run", "--config", file)


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in _one_line("simulate", "--for", "2s", "--data", tmp_path / "a", "--port", port, "--hub-port", "0")
        assert port in _one_line("hub", "--data", tmp_path / "b", "--port", port)
        both = _one_line("simulate", "--for", "2s", "--data", tmp_path / "a", "--port", port, "--hub-port", port)
        assert f"{port} is taken by web port" in both


def test_the_file_of_a_key_is_named_as_people_do(tmp_path: Path) -> None:
    """From where they are: what must be an absolute path is what a configuration says."""
    file = tmp_path / "key"
    file.write_text("canary-0123456789-0123456789")
    file.chmod(0o644)
    line = _one_line("hub", "--data", tmp_path / "b", "--port", "0", "--api-key-file", os.path.relpath(file))
    assert "must be 0600" in line and "canary" not in line


def test_a_data_directory_in_use(tmp_path: Path) -> None:
    with Daemon.simulated(tmp_path / "data") as daemon:
        until(lambda: daemon.tally()["stored"] >= 1)
        started_s = time.monotonic()
        line = _one_line("simulate", "--for", "2s", "--data", daemon.data, "--port", "0", "--hub-port", "0")
        assert str(daemon.data) in line
        assert time.monotonic() - started_s < 10


def test_places_that_cannot_hold_data(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "file" in _one_line("simulate", "--for", "2s", "--data", file, "--port", "0", "--hub-port", "0")
    assert "no data" in _one_line("status", "--data", tmp_path)
    assert "no oesd daemon answers" in _one_line("status", "--url", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    "words", [("simulate", "--for", "20"), ("simulate", "--for", "0 s"), ("show", "x", "--url", "http://127.0.0.1:9")]
)
def test_words(words: tuple[str, ...]) -> None:
    _one_line(*words)


def test_help_and_version_are_there() -> None:
    assert "simulate" in oesd("--help").stdout
    assert oesd("--version").stdout.startswith("oesd, version ")
    for command in ("run", "simulate", "hub", "devices", "capture", "analyze", "show", "assign", "reprocess", "status",
                    "ledger"):  # fmt: skip
        assert oesd(command, "--help").returncode == 0


def test_a_reader_that_goes_is_no_failure(tmp_path: Path) -> None:
    """As in ``oesd install-service --dry-run | head -1``: it ended with 1, as if something were wrong."""
    words = [sys.executable, "-m", "oesd.cli", "install-service", "--dry-run", "--root", str(tmp_path)]
    out, into = os.pipe()
    os.close(out)
    ran = subprocess.run(words, stdout=into, stderr=subprocess.PIPE, check=False)
    os.close(into)
    assert (ran.returncode, ran.stderr) == (0, b"")
