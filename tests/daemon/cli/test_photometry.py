"""``oesd photometry`` as a person runs it, on files and on stored entries."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
from tests.daemon.store.making import capture, device, entry
from tests.support.daemons import OESD, oesd

from oesd.model import Kind
from oesd.store import Store

WL = np.linspace(400.0, 800.0, 120)


def write(file: Path, light: np.ndarray, heading: str = "wavelength,counts") -> Path:
    rows = "\n".join(f"{wavelength:.4f},{count:.3f}" for wavelength, count in zip(WL, light, strict=True))
    file.write_text(f"{heading}\n{rows}\n")
    return file


def table(csv: str) -> dict[float, str]:
    rows = [line.split(",") for line in csv.splitlines() if line and line[0].isdigit()]
    return {float(row[0]): row[1] for row in rows}


def test_a_file_against_a_reference_file(tmp_path: Path) -> None:
    lamp = 20_000.0 * np.exp(-(((WL - 600.0) / 50.0) ** 2))
    dark = write(tmp_path / "dark.csv", 100.0 + np.arange(120) % 3)
    white = write(tmp_path / "white.csv", 101.0 + lamp)
    sample = write(tmp_path / "sample.csv", 101.0 + 0.25 * lamp)
    done = oesd("photometry", sample, "--as", "absorbance", "--reference", white, "--dark", dark)
    assert done.returncode == 0, done.stderr
    assert "have no value" in done.stderr
    values = table(done.stdout)
    assert abs(float(values[min(values, key=lambda nm: abs(nm - 600.0))]) - np.log10(4.0)) < 0.01
    assert values[400.0] == ""
    out = tmp_path / "a.csv"
    assert (
        oesd("photometry", sample, "--as", "absorbance", "--reference", white, "--dark", dark, "--out", out).stdout
        == ""
    )
    assert out.read_text() == done.stdout


def test_a_stored_entry_is_read_without_a_daemon_and_nothing_is_stored(tmp_path: Path) -> None:
    one = device(dead_pixels=(900,))
    sample, dark, white = (capture(kind, 5 + n, one) for n, kind in enumerate((Kind.SAMPLE, Kind.DARK, Kind.REFERENCE)))
    made = entry(sample, dark, white)
    with Store.open(tmp_path / "data") as store:
        for taken, of in ((dark, None), (white, None), (sample, made)):
            store.save_capture(taken, of, upload=False).result(10)
    done = oesd("photometry", made.data_id, "--as", "transmittance", "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert f'# Data ID,"{made.data_id}"' in done.stdout
    assert table(done.stdout)[one.wavelengths_nm[900]] == ""
    with Store.open(tmp_path / "data") as store:
        assert store.result(made.data_id) is None


def test_what_is_missing_or_wrong_is_one_line(tmp_path: Path) -> None:
    sample = write(tmp_path / "sample.csv", 100.0 + WL)
    ratio = write(tmp_path / "ratio.csv", WL / 800.0, "wavelength,Transmittance")
    other = tmp_path / "other.csv"
    other.write_text("wavelength,counts\n" + "\n".join(f"{wavelength + 40:.4f},100" for wavelength in WL))
    for words, said in (
        ((sample, "--as", "transmittance", "--dark", other), "the axis of the dark is"),
        ((sample, "--as", "transmittance", "--dark", "/dev/zero"), "/dev/zero: cannot be read: more than 64 MiB"),
        ((sample, "--as", "transmittance"), "needs a reference"),
        ((sample, "--as", "irradiance"), "needs a calibration"),
        ((ratio, "--as", "absorbance"), "no counts"),
        ((sample, "--as", "irradiance", "--calibration", sample), "no collection area"),
        (("nothing", "--as", "absorbance", "--data", tmp_path / "none"), ""),
    ):
        done = oesd("photometry", *words)
        assert done.returncode == 2, done.stdout + done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("oesd: ")]
        assert len(lines) == 1, done.stderr
        assert said in lines[0]
        assert "defect" not in lines[0]


def test_names_that_are_none(tmp_path: Path) -> None:
    """A file that is not there is no matter of a daemon; nor is one that cannot be looked at a defect."""
    for source, said in (
        ("typo.csv", "typo.csv: no such file, and no data id"),
        ("x" * 300, f"{'x' * 300}: cannot be read: File name too long"),
        (str(tmp_path), f"{tmp_path}: is no plain file"),
    ):
        done = oesd("photometry", source, "--as", "absorbance")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"oesd: {said}\n")


def test_a_name_of_an_older_system(tmp_path: Path) -> None:
    white = write(tmp_path / "white.csv", 1000.0 + WL)
    old = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xe4rz.csv"))
    write(old, 500.0 + WL)
    for name in ("a.csv", "a.html"):
        out = tmp_path / name
        done = oesd("photometry", old, "--as", "transmittance", "--reference", white, "--out", out)
        assert done.returncode == 0, done.stderr
        assert "M\ufffdrz.csv" in out.read_text() or name == "a.html"


def test_what_it_is_made_of_is_never_written_over(tmp_path: Path) -> None:
    white, sample = write(tmp_path / "white.csv", 1000.0 + WL), write(tmp_path / "sample.csv", 500.0 + WL)
    (tmp_path / "link.csv").symlink_to(sample)
    before = sample.read_bytes(), white.read_bytes()
    for out in (sample, white, tmp_path / "link.csv"):
        done = oesd("photometry", sample, "--as", "transmittance", "--reference", white, "--out", out)
        assert done.returncode == 2 and "written over what it is made of" in done.stderr
    assert (sample.read_bytes(), white.read_bytes()) == before


def test_what_has_no_part_in_it_is_not_told_of_it(tmp_path: Path) -> None:
    white, sample = write(tmp_path / "white.csv", 1000.0 + WL), write(tmp_path / "sample.csv", 500.0 + WL)
    for quantity, more, said in (
        ("irradiance", ("--reference", white, "--calibration", white), "--reference is for transmittance"),
        ("absorbance", ("--reference", white, "--calibration", white), "--calibration is for irradiance"),
    ):
        done = oesd("photometry", sample, "--as", quantity, *more)
        assert (done.returncode, done.stdout) == (2, "") and said in done.stderr


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    white, sample = write(tmp_path / "white.csv", 1000.0 + WL), write(tmp_path / "sample.csv", 500.0 + WL)
    (tmp_path / "out.csv").write_text("of yesterday")
    words = f"photometry {sample} --as transmittance --reference {white} --out {tmp_path / 'out.csv'}"
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 2; exec "$@"', "sh", *OESD, *words.split()],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "out.csv: cannot be written: File too large" in done.stderr
    assert (tmp_path / "out.csv").read_text() == "of yesterday"
    assert {path.name for path in tmp_path.iterdir()} == {"white.csv", "sample.csv", "out.csv"}
