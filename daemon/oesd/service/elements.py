"""The lines of an element as the engine knows them, for a page that lays them over a spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np

from oesd.engine.lines import line_table

_MOST = 2000


def element_lines(symbol: str) -> list[dict[str, Any]] | None:
    """Lines of an element, the strongest first; None when there is no such element.

    ``strength`` is relative to the strongest line of the same ionisation stage, from 1 down: a rule of thumb, as the
    temperature decides.
    """
    table = line_table()
    number = table.index_of.get(symbol)
    if number is None:
        return None
    own = np.flatnonzero(table.element == number)
    strongest = own[np.argsort(-table.prom[own], kind="stable")][:_MOST]
    return [
        {
            "wavelength_nm": round(float(table.wl_air_nm[i]), 4),
            "ionization": int(table.stage[i]),
            "strength": float(f"{10.0 ** float(table.prom[i]):.3g}"),
        }
        for i in strongest
    ]
