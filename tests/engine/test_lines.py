import numpy as np
import pytest

from oesd.engine.lines import line_table
from oesd.engine.strengths import EXCITATIONS, KT_EV, LAMP, line_strengths


@pytest.mark.parametrize(
    ("symbol", "nm"),
    [
        ("Ga", 417.204),
        ("In", 451.130),
        ("Al", 396.152),
        ("Ar", 763.511),
        ("Hg", 253.652),
        ("He", 587.56),
        ("Cs", 852.11),
        ("O", 777.19),
    ],
)
def test_known_lines_are_in_the_table_in_air(symbol, nm):
    table = line_table()
    first, last = table.window(np.array([nm - 0.02]), np.array([nm + 0.02]))
    assert symbol in {table.elements[e] for e in table.element[first[0] : last[0]]}


def test_the_table_is_sorted_whole_and_made_once():
    table = line_table()
    assert table is line_table()
    assert (np.diff(table.wl_air_nm) >= 0.0).all()
    assert (table.wl_vac_nm > table.wl_air_nm).all()
    assert len(table) > 15000
    assert table.version


def test_a_window_holds_exactly_the_lines_within_it():
    table = line_table()
    low, high = np.array([500.0, 100.0]), np.array([501.0, 150.0])
    first, last = table.window(low, high)
    assert last[0] - first[0] == ((table.wl_air_nm >= 500.0) & (table.wl_air_nm <= 501.0)).sum()
    assert first[1] == last[1]


def test_a_subset_keeps_order_and_names():
    table = line_table()
    argon = table.subset(table.element == table.index_of["Ar"])
    assert set(argon.element.tolist()) == {table.index_of["Ar"]}
    assert argon.version == table.version


def test_strengths_are_relative_to_the_strongest_line_and_finite():
    strengths = line_strengths()
    assert strengths.relative.shape == (EXCITATIONS, len(line_table()))
    assert np.isfinite(strengths.relative).all()
    assert (strengths.relative >= 0.0).all() and (strengths.relative <= 1.0 + 1e-12).all()


def test_two_lines_of_one_species_have_the_boltzmann_ratio():
    """Ar I 763.511 and 696.543: gk Aki / lambda exp(-Ek/kT) by hand."""
    table, strengths = line_table(), line_strengths()
    a, b = (
        int(np.argmin(np.abs(table.wl_air_nm - nm) + (table.element != table.index_of["Ar"])))
        for nm in (763.511, 696.543)
    )
    for row, kt in enumerate(KT_EV):
        by_hand = [table.gk[i] * table.aki_s1[i] / table.wl_air_nm[i] * np.exp(-table.ek_ev[i] / kt) for i in (a, b)]
        assert strengths.relative[row, a] / strengths.relative[row, b] == pytest.approx(
            by_hand[0] / by_hand[1], rel=1e-9
        )


def test_the_lamp_row_is_the_intensity_where_there_is_one():
    table, strengths = line_table(), line_strengths()
    neon = (table.element == table.index_of["Ne"]) & (table.stage == 1) & (table.intens > 0)
    expected = table.intens[neon] / table.intens[neon].max()
    np.testing.assert_allclose(strengths.relative[LAMP, neon], expected)
