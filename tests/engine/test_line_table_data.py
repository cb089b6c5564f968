"""The line tables that travel in the package: shape, order, and the lines every spectroscopist knows."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "daemon/oesd/engine/data/lines.npz"
SCENES = ROOT / "drivers/oesd_drivers/virtual/data/scene_lines.npz"

KNOWN_AIR_NM = {
    ("Ga", 1): (403.2984, 417.2042),
    ("In", 1): (410.1745, 451.1299),
    ("Al", 1): (394.4006, 396.1520),
    ("As", 1): (278.022, 286.044),
    ("Ar", 1): (696.5431, 750.3869, 763.5106, 811.5310),
    ("Hg", 1): (253.6521, 365.0158, 404.6565, 435.8335, 546.0750, 576.961, 579.067, 1013.976),
    ("He", 1): (587.562, 1082.909, 1083.025, 1083.034),
    ("Zn", 1): (213.857, 334.501, 468.0136, 472.2157, 481.053),
    ("Cs", 1): (852.11,),
    ("Hf", 1): (307.288,),
    ("H", 1): (656.28, 486.133),
    ("Fe", 1): (371.9935, 385.9911),
    ("Na", 1): (588.9951, 589.5924),
    ("Ca", 2): (393.3663, 396.8469),
    ("Cu", 1): (324.754, 327.3957, 521.8202),
    ("Ti", 2): (334.941,),
    ("Ne", 1): (585.2488, 640.2248, 703.2413),
    ("O", 1): (777.194,),
    ("N", 1): (746.831,),
}


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    with np.load(TABLE, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def scenes() -> dict[str, np.ndarray]:
    with np.load(SCENES, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("line_table_build", ROOT / "daemon/line_table/build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("species", "lines"), KNOWN_AIR_NM.items(), ids=lambda v: "".join(map(str, v))[:4])
def test_well_known_lines_are_within_0_012_nm(table, species, lines):
    symbol, stage = species
    own = table["wl_air_nm"][(table["elements"][table["element"]] == symbol) & (table["stage"] == stage)]
    for line in lines:
        assert np.abs(own - line).min() <= 0.012, f"{symbol} {line}"


def test_columns_agree_in_length_type_and_range(table):
    lines = len(table["wl_air_nm"])
    for name, kind in {
        "element": "u1",
        "stage": "i1",
        "wl_air_nm": "f8",
        "wl_vac_nm": "f8",
        "observed": "?",
        **dict.fromkeys(("aki_s1", "gk", "ek_ev", "ei_ev", "intens", "prom"), "f4"),
    }.items():
        assert table[name].shape == (lines,) and table[name].dtype == np.dtype(kind), name
    assert lines > 20_000
    assert set(np.unique(table["stage"])) == {1, 2}
    assert table["ionization_ev"].shape == (len(table["elements"]), 2)


def test_wavelengths_are_sorted_finite_and_shorter_in_air(table):
    air, vacuum = table["wl_air_nm"], table["wl_vac_nm"]
    assert np.isfinite(air).all() and np.isfinite(vacuum).all()
    assert (np.diff(air) >= 0).all()
    assert air[0] > 199 and air[-1] < 1105
    assert ((vacuum - air > 0.05) & (vacuum - air < 0.31)).all()


def test_elements_are_sorted_unique_and_all_used(table):
    symbols = table["elements"].tolist()
    assert symbols == sorted(set(symbols)) and len(symbols) > 90
    assert np.array_equal(np.unique(table["element"]), np.arange(len(symbols)))


def test_prominence_peaks_at_zero_in_every_species(table):
    # Only intensity, less 0.3 or more, is known of some species: their strongest line stands a little below 0.
    assert np.isfinite(table["prom"]).all() and table["prom"].max() == 0
    species = table["element"].astype(int) * 4 + table["stage"]
    strongest = np.array([table["prom"][species == s].max() for s in np.unique(species)])
    assert strongest.min() >= -0.71


def test_physical_columns_are_positive_and_levels_match_wavelengths(table):
    for name in ("aki_s1", "gk", "intens"):
        known = table[name][np.isfinite(table[name])]
        assert (known >= 0).all(), name
    gap_ev = table["ek_ev"].astype(float) - table["ei_ev"]
    known = np.isfinite(gap_ev)
    error_ev = np.abs(gap_ev - 1239.841984 / table["wl_vac_nm"])[known]
    assert known.mean() > 0.7
    # ASD itself holds a few observed lines that lie off their assigned levels.
    assert (error_ev < 0.002).mean() > 0.99


def test_ionization_energies_of_the_common_elements(table):
    energies = dict(zip(table["elements"].tolist(), table["ionization_ev"], strict=True))
    for symbol, neutral, ion in (
        ("H", 13.598, np.nan),
        ("He", 24.587, 54.418),
        ("Ar", 15.760, 27.630),
        ("Ga", 5.999, 20.515),
    ):
        assert np.allclose(energies[symbol], (neutral, ion), atol=0.002, equal_nan=True), symbol


def test_merged_multiplet_carries_all_its_light(table):
    # He I 587.56: five components within 0.003 nm are one line; the sixth lies 0.035 nm off.
    at = np.abs(table["wl_air_nm"] - 587.5615).argmin()
    assert table["gk"][at] * table["aki_s1"][at] == pytest.approx(
        7 * 7.0708e7 + 5 * (1.7673e7 + 5.3019e7) + 3 * (2.9462e7 + 1.9641e6), rel=2e-3
    )


def test_table_names_its_version_and_source(table, scenes, build):
    assert str(table["version"]) == str(scenes["version"]) == build.VERSION
    assert "NIST Atomic Spectra Database" in str(table["sources"])
    assert TABLE.stat().st_size < 1_000_000


def test_scenes_hold_the_same_lines_of_their_elements(table, scenes, build):
    assert set(np.unique(scenes["element"])) == set(build.SCENE_ELEMENTS)
    ours = np.isin(table["elements"][table["element"]], build.SCENE_ELEMENTS)
    assert np.array_equal(scenes["wl_air_nm"], table["wl_air_nm"][ours])
    assert np.array_equal(scenes["ek_ev"], table["ek_ev"][ours], equal_nan=True)
    expected = (table["gk"] * table["aki_s1"])[ours]
    assert np.allclose(scenes["ga_s1"], expected, rtol=1e-3, equal_nan=True)


def test_scene_columns(scenes):
    lines = len(scenes["wl_air_nm"])
    kinds = {"element": "U2", "stage": "i1", "wl_air_nm": "f8", "ga_s1": "f4", "ek_ev": "f4", "intens": "f4"}
    assert {name: scenes[name].dtype for name in kinds} == {name: np.dtype(kind) for name, kind in kinds.items()}
    assert {len(scenes[name]) for name in kinds} == {lines}


def test_equal_arrays_give_equal_bytes(build, tmp_path):
    arrays = {"a": np.arange(5.0), "version": np.array("v1")}
    for name in ("one.npz", "two.npz"):
        build.write_npz(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as file:
        assert np.array_equal(file["a"], arrays["a"]) and file["version"].shape == () and str(file["version"]) == "v1"


@pytest.mark.parametrize(
    ("text", "number"), [("500*", 500.0), ("(30)", 30.0), ("bl", np.nan), ("", np.nan), ("1.5e3h", 1500.0)]
)
def test_intensity_fields_with_flags(build, text, number):
    assert build._number(text) == pytest.approx(number, nan_ok=True)


def test_air_index_of_the_sodium_line(build):
    # NIST ASD: Na D2 588.99509 nm air, 589.15833 nm vacuum.
    vacuum_nm = np.array([589.15833])
    assert vacuum_nm / build.air_index(vacuum_nm) == pytest.approx(588.99509, abs=1e-4)


def test_missing_wheels_are_named_in_one_line(build, tmp_path):
    with pytest.raises(SystemExit, match=r"no libskit-0\.2-\*\.whl"):
        build.build(tmp_path)
