"""A model's dark as a record that stays: the same darks, exposure and temperature give the same id."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime

import numpy as np

from oesd.backgrounds.dark_model import LAW, DarkModel
from oesd.model import ModelledDark
from oesd.model.modelled import PARTS_PER_COUNT
from oesd.store.verdicts import LibraryKey
from oesd.version import __version__

_VERSION = f"dark law {LAW}, oesd {__version__}"


def modelled_dark(
    model: DarkModel, key: LibraryKey, last_dark_id: str, integration_us: int, temperature_c: float | None,
    made_at_utc: datetime, again: int = 0,
) -> ModelledDark:  # fmt: skip
    """Predict the dark of an exposure.

    Parameters
    ----------
    model : DarkModel
    key : LibraryKey
        Whose detector it is.
    last_dark_id : str
        Record id of the last dark learned from.
    again : int
        Of how many earlier ones that were the same the disk has lost the record: each has an id of its own.
    """
    predicted = model.predict(integration_us, temperature_c)
    parts = np.maximum(np.rint(predicted.counts * PARTS_PER_COUNT), 0.0)  # raw counts are never negative
    sigma = predicted.sigma.astype(np.float32)
    told = (key, integration_us, temperature_c, model.captures, last_dark_id, _VERSION, *([again] if again else []))
    digest = hashlib.sha256(repr(told).encode())
    for array in (parts.astype("<i8"), sigma.astype("<f4"), predicted.saturated):
        digest.update(array.tobytes())
    return ModelledDark(
        record_id=str(uuid.UUID(bytes=digest.digest()[:16], version=5)),
        serial=key.serial,
        device_model=key.model,
        simulated=key.simulated,
        integration_us=integration_us,
        temperature_c=temperature_c,
        counts=parts / PARTS_PER_COUNT,
        sigma=sigma,
        saturated=predicted.saturated,
        darks=model.captures,
        last_dark_id=last_dark_id,
        version=_VERSION,
        made_at_utc=made_at_utc,
    )
