"""``oesd analyze`` and ``oesd show``: recipes, evidence and pictures as a person sees them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.daemon.web import spectra
from tests.support.daemons import oesd

from oesd.model import Recipe
from oesd.processing import Processing
from oesd.store import Store


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spectrum of argon with copper as a file of two columns."""
    device = spectra.device()
    rows = zip(device.wavelengths_nm, spectra.counts(device.wavelengths_nm), strict=True)
    file = tmp_path_factory.mktemp("lamp") / "lamp.csv"
    file.write_text("\n".join(f"{nm:.4f},{counts:.0f}" for nm, counts in rows))
    return file


def test_evidence_tells_what_is_seen_and_missing(lamp: Path) -> None:
    lines = oesd("analyze", lamp, "--explain").stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Ar >0.99 (margin +"))
    seen = [line for line in lines[start:] if line.startswith("    seen ")]
    assert re.fullmatch(r" {4}seen +\d+\.\d{3} I +expected +\d+ +there +\d+ \+- \d+ +p\d+ at \d+\.\d\d.*", seen[0])
    assert len(seen) > 8


def test_evidence_as_json_names_peaks(lamp: Path) -> None:
    document = json.loads(oesd("analyze", lamp, "--explain", "--json").stdout)
    argon = next(one for one in document["evidence"] if one["element"] == "Ar")
    assert argon["claimed"]
    named = {line["peak_id"] for line in argon["lines"]}
    assert named <= {peak["peak_id"] for peak in document["detected_peaks"]}
    assert "evidence" not in json.loads(oesd("analyze", lamp, "--json").stdout)


def test_a_recipe_is_shown(lamp: Path) -> None:
    words = ["--process", "cigs", "--constraint", "include", "--ambient", "Ne", "--search-nm", "1"]
    out = oesd("analyze", lamp, *words).stdout
    assert "recipe: include Cu, Ga, In; ambient Ar, Ne; axis searched 1 nm" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--process", "GaAs"), "did you mean 'GaAs MBE'?"),
        (("--ambient", "argon"), "'argon' is no formula"),
        (("--elements", "Qq", "--constraint", "include"), "unknown element 'Qq'"),
        (("--plot", "out.pdf"), "'.png or .html"),
        (("--plot", "nowhere/out.png"), "cannot be written"),
    ],
)
def test_mistakes_are_one_line(lamp: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = oesd("analyze", lamp, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said.removeprefix("'") in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_stored_entry_is_explained_and_drawn(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        data_id = spectra.store_spectrum(store, spectra.device())
        Processing(store, Recipe(), upload=False, beat=lambda _name, _within_s: None).process(data_id)
    picture = tmp_path / "out.png"
    done = oesd("show", "latest", "--explain", "--plot", picture, "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "\nAr >0.99 (margin +" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


# The libraries of the extra cannot be imported here.
WITHOUT = """
import sys
for name in ("matplotlib", "plotly"):
    sys.modules[name] = None
from oesd.cli import main
main()
"""


@pytest.mark.parametrize("form", ["png", "html"])
def test_without_the_extra_the_command_is_told(lamp: Path, tmp_path: Path, form: str) -> None:
    words = [sys.executable, "-c", WITHOUT, "analyze", str(lamp), "--plot", str(tmp_path / f"out.{form}")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'oesd[plot]'" in done.stderr
