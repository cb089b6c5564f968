"""Scenes: strengths of lines, scripts in time, names."""

import numpy as np
import pytest

from oesd_drivers.virtual.atoms import ATOMS, saha_ion_fraction
from oesd_drivers.virtual.scene import SCENES, Light, Scene, Script, Species, Thermal, plasma, scene


def strength(species: Species, wavelength_nm: float) -> float:
    lines_nm, photons = species.lines()
    return float(photons[np.argmin(np.abs(lines_nm - wavelength_nm))])


@pytest.mark.parametrize("temperature_ev", [0.4, 1.0, 3.0])
def test_populations_are_boltzmanns(temperature_ev):
    argon = Species("Ar", 1.0, temperature_ev)
    # Ar I 763.5106 (gA 5 x 2.45e7, 13.1718 eV) and 750.3869 nm (gA 1 x 4.5e7, 13.4799 eV), NIST ASD
    expected = (5 * 2.45e7) / 4.5e7 * np.exp((13.4799 - 13.1718) / temperature_ev)
    assert strength(argon, 763.5106) / strength(argon, 750.3869) == pytest.approx(expected, rel=0.01)


def test_ions_shine_at_the_neutrals_expense():
    half = Species("Ar", 1.0, 2.0, 0.5)
    whole = Species("Ar", 1.0, 2.0, 0.0)
    assert strength(half, 811.5311) == pytest.approx(strength(whole, 811.5311) / 2)
    assert strength(half, 480.602) > 0
    assert not np.any(np.abs(whole.lines()[0] - 480.602) < 0.01)


def test_a_plasmas_strongest_line_has_its_brightness_and_ratios_hold():
    one = plasma({"Ar": 1.0, "Cu": 1e-4}, 1.0, brightness=2.5)
    assert max(species.lines()[1].max() for species in one) == pytest.approx(2.5)
    two = plasma({"Ar": 1.0, "Cu": 2e-4}, 1.0)
    ratio = [strength(s[1], 324.754) / strength(s[0], 811.5311) for s in (one, two)]
    assert ratio[1] == pytest.approx(2 * ratio[0])


def test_saha_goes_from_none_to_all():
    fractions = [saha_ion_fraction("Ar", t, 1e16) for t in (0.3, 0.8, 1.2, 3.0)]
    assert fractions == sorted(fractions)
    assert fractions[0] < 1e-6
    assert fractions[-1] > 0.99
    assert saha_ion_fraction("Cu", 0.8, 1e16) > saha_ion_fraction("Ar", 0.8, 1e16)


def test_every_element_with_data_has_lines():
    for element in ATOMS:
        lines_nm, photons = Species(element, 1.0, 1.0, 0.1).lines()
        assert lines_nm.size > 0
        assert np.all(np.isfinite(photons))
        assert np.all(photons > 0)


def test_a_filament_is_planckian():
    lamp = Thermal("filament", 2960.0, 0.5)
    axis = np.linspace(200, 1100, 901)
    light = lamp.continuum(axis)
    assert light.max() == pytest.approx(0.5)
    # photon form of Wien's law: lambda_max T = 3.6697e6 nm K, here beyond the window
    assert axis[np.argmax(light)] == 1100
    assert axis[np.argmax(Thermal("sun", 5800.0).continuum(axis))] == pytest.approx(3.6697e6 / 5800, abs=2)


@pytest.mark.parametrize(("seconds", "level"), [(-1, 0.0), (0, 0.0), (5, 0.5), (10, 1.0), (15, 0.75), (99, 0.5)])
def test_scripts_go_straight_between_points(seconds, level):
    assert Script(((0.0, 0.0), (10.0, 1.0), (20.0, 0.5))).level(seconds) == pytest.approx(level)


def test_light_follows_its_script_and_the_hand():
    now = [100.0]
    burning = Scene("s", (Thermal("a", 3000), Thermal("b", 3000)), {"b": Script(((0.0, 0.0), (10.0, 1.0)))})
    light = Light(burning, lambda: now[0])
    assert light.levels().tolist() == [1.0, 0.0]
    now[0] = 105.0
    assert light.levels().tolist() == [1.0, 0.5]
    light.dim(0.5, "b")
    assert light.levels().tolist() == [1.0, 0.25]
    light.dim(0.0)
    assert light.levels().tolist() == [0.0, 0.0]
    with pytest.raises(KeyError):
        light.dim(1.0, "c")


@pytest.mark.parametrize("name", SCENES)
def test_scenes_by_name(name):
    made = scene(name)
    assert made.name == name
    names = [emitter.name for emitter in made.emitters]
    assert len(set(names)) == len(names)
    assert set(made.scripts or {}) <= set(names)


def test_unknown_scene_names_the_known():
    with pytest.raises(ValueError, match="hg-ar-lamp"):
        scene("sunset")
