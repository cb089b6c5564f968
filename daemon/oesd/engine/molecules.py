"""Which molecules shine: bands told by their shape, and those told by the pattern of their heads."""

from __future__ import annotations

from dataclasses import replace

from oesd.engine.bands import molecule_of
from oesd.engine.bandshapes import WIDEST_NM, SeenBand
from oesd.engine.claims import Inference
from oesd.model import ElementFinding


def proven(inference: Inference, bands: list[SeenBand], fwhm_nm: float) -> Inference:
    """Leave out molecules whose bands an instrument would resolve, and does not show.

    Their light stays explained: in a forest of weak lines that no table has, a band's many bins fit by chance, and
    neither the molecule nor an element is to be named for it.
    """
    if fwhm_nm > WIDEST_NM:
        return inference
    seen = {band.system for band in bands}
    return replace(inference, bands={name: claim for name, claim in inference.bands.items() if name in seen})


def molecule_findings(inference: Inference, bands: list[SeenBand]) -> tuple[ElementFinding, ...]:
    """Molecules and how surely they are there, surest first."""
    told = [(name, inference.band_probability[name]) for name in inference.bands]
    sure: dict[str, float] = {}
    for system, probability in [*told, *((band.system, band.explained) for band in bands)]:
        sure[molecule_of(system)] = max(sure.get(molecule_of(system), 0.0), probability)
    ranked = sorted(sure.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ElementFinding(name, round(probability, 4)) for name, probability in ranked)
