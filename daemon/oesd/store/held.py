"""What people chose to keep: golden runs and spectra, which nothing takes while they are golden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing of it goes.

    Attributes
    ----------
    runs : mapping of str to frozenset of str
        Ids of runs by spectrometer.
    spectra : frozenset of str
        Data ids.
    """

    runs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    spectra: frozenset[str] = frozenset()
    beginnings: tuple[str, ...] = ()
    """Of ids of runs of any spectrometer, as a configuration names them."""

    def __bool__(self) -> bool:
        return bool(self.spectra or self.runs or self.beginnings)

    def has(self, data_id: str, device_name: str, run_id: str) -> bool:
        """Whether an entry is kept."""
        named = run_id in self.runs.get(device_name, ()) or run_id.startswith(self.beginnings)
        return bool(run_id and named) or data_id in self.spectra


NOTHING = Held()
