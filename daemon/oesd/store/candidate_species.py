"""Which species each candidate is of, in few bits: those that are named again and again have small numbers.

::

    listed   species named more than once, the most frequent first; then the others, in the order they are named in
    codes    0: the next of the others; else the place of the species in the list, from 1
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oesd.store.encoding import EncodingError

Integers = NDArray[np.int64]


def list_species(species: Integers) -> tuple[Integers, Integers]:
    """The list, and the code of each candidate."""
    kinds, first, kind, times = np.unique(species, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((np.where(times == 1, first, 0), -times))
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return kinds[order], np.where(times[kind] == 1, 0, places[kind] + 1)


def species_of(listed: Integers, codes: Integers) -> Integers:
    """Inverse of :func:`list_species`; EncodingError when the codes are of another list."""
    once = codes == 0
    times = int(once.sum())
    repeated = len(listed) - times
    if repeated < 0 or (len(codes) and codes.max() > repeated):
        raise EncodingError("no such species")
    places = codes - 1
    places[once] = np.arange(repeated, len(listed))
    species: Integers = listed[places]
    return species


def species_before(listed: Integers, ranks: Integers) -> Integers:
    """The same as schema step 7 had it: the rank of each by frequency."""
    if len(ranks) and ranks.max() >= len(listed):
        raise EncodingError("no such species")
    species: Integers = listed[ranks]
    return species
