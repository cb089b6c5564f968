"""What is kept in memory of one spectrometer's library, so that a choice needs no disk."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime

from oesd.backgrounds.dark_model import DarkModel
from oesd.backgrounds.library import Background
from oesd.model import Capture, Conditions, Kind, ModelledDark
from oesd.store.verdicts import LibraryKey, Shelved, StoredVerdict

OF_ONE_EXPOSURE = 8
EXPOSURES = 64
PREDICTIONS = 12
FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 3600.0
_PENDING_S = 120.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The host's clocks; ages within one boot go by the monotonic one, whatever is done to the date."""

    monotonic_ns: int
    boot_id: str
    utc: datetime

    def age_s(self, one: Shelved) -> float:
        """How old a background is at this moment."""
        if one.boot_id and one.boot_id == self.boot_id:
            return (self.monotonic_ns - one.monotonic_ns) / 1e9
        return (self.utc - one.taken_at_utc).total_seconds()


@dataclass(slots=True)
class Sort:
    """Darks or references of one spectrometer: what is kept, and how the last ones fared."""

    kept: OrderedDict[int, deque[Shelved]] = field(default_factory=OrderedDict)
    accepted: int = 0
    refused: int = 0
    last_accepted: StoredVerdict | None = None
    last_refused: StoredVerdict | None = None
    refused_in_a_row: int = 0
    asks_again_ns: int = 0
    due: str = ""
    pending: dict[str, tuple[int, int]] = field(default_factory=dict)  # record id: integration time, since when

    def fill(self, newest_first: Iterable[Shelved]) -> None:
        """Take over what is stored."""
        for one in reversed(list(newest_first)):
            self.keep(one)

    def keep(self, one: Shelved) -> None:
        """Put one on the shelf; the oldest of its exposure, or the exposure used least lately, makes room."""
        row = self.kept.setdefault(one.integration_us, deque(maxlen=OF_ONE_EXPOSURE))
        if all(other.record_id != one.record_id for other in row):
            row.append(one)
        self.kept.move_to_end(one.integration_us)
        if len(self.kept) > EXPOSURES:
            self.kept.popitem(last=False)

    def drop(self, record_ids: Set[str]) -> None:
        """Take some off the shelf."""
        for integration_us, row in list(self.kept.items()):
            left = [one for one in row if one.record_id not in record_ids]
            if left:
                self.kept[integration_us] = deque(left, maxlen=OF_ONE_EXPOSURE)
            else:
                del self.kept[integration_us]

    def of_exposure(self, integration_us: int) -> tuple[Shelved, ...]:
        """All that are kept of an integration time."""
        return tuple(self.kept.get(integration_us, ()))

    def serving(self, integration_us: int) -> Shelved | None:
        """The youngest of this integration time, else the youngest of all."""
        if row := self.kept.get(integration_us):
            return row[-1]
        return next((row[-1] for row in reversed(self.kept.values())), None)

    def judged(self, verdict: StoredVerdict, now_ns: int) -> None:
        """Count a verdict; after a refusal the next one is asked for later and later."""
        self.pending.pop(verdict.record_id, None)
        if verdict.accepted:
            self.accepted, self.last_accepted = self.accepted + 1, verdict
            self.refused_in_a_row, self.asks_again_ns = 0, 0
            return
        self.refused, self.last_refused = self.refused + 1, verdict
        self.refused_in_a_row += 1
        self.asks_again_ns = now_ns + round(1e9 * wait_s(self.refused_in_a_row))

    def waits(self, integration_us: int, now_ns: int) -> bool:
        """Whether one of this exposure is on its way, or was refused too lately to ask again."""
        on_its_way = any(
            us == integration_us and now_ns - since_ns < _PENDING_S * 1e9 for us, since_ns in self.pending.values()
        )
        return on_its_way or now_ns < self.asks_again_ns


def wait_s(refused_in_a_row: int) -> float:
    """From one minute after the first refusal, doubling, to an hour."""
    return min(FIRST_WAIT_S * 2.0 ** min(refused_in_a_row - 1, 16), LONGEST_WAIT_S)


class Shelf:
    """One spectrometer's library in memory: some 100 bytes for each background, 30 kB for each prediction.

    Attributes
    ----------
    key : LibraryKey or None
        None for a name under which nothing was ever stored.
    model : DarkModel or None
        None while there is none; ``missing`` says why.
    learned : int
        Darks in the statistics.
    wants_model : bool
        The processing thread is to learn it.
    last_light : str
        Data id of the last sample.
    spoiled : set of str
        Record ids of predictions that the disk has damaged.
    """

    def __init__(self, key: LibraryKey | None) -> None:
        self.key = key
        self.sorts = {Kind.DARK: Sort(), Kind.REFERENCE: Sort()}
        self.model: DarkModel | None = None
        self.missing = "no dark was learned from yet"
        self.last_dark_id = ""
        self.learned = 0
        self.wants_model = False
        self.last_light = ""
        self.darker_in_a_row = 0
        self.predictions: OrderedDict[tuple[int, float | None], ModelledDark] = OrderedDict()
        self.unstored: set[str] = set()
        self.spoiled: set[str] = set()

    def candidates(self, kind: Kind, name: str, integration_us: int, at: Moment) -> Iterator[tuple[Background, bool]]:
        """What may serve at this exposure, each with whether it is proven."""
        for one in self.sorts[kind].of_exposure(integration_us):
            yield self.background(one, name, at), one.proven

    def background(self, one: Shelved, name: str, at: Moment) -> Background:
        """One of them as the choice wants it."""
        pixels = self.key.pixels if self.key else 0
        boxcar, celsius = one.boxcar_half_width_px, tenth(one.temperature_c)
        conditions = Conditions(name, pixels, one.integration_us, one.scans, boxcar, celsius)
        return Background(one.record_id, one.kind, conditions, at.age_s(one), one.taken_at_utc)

    def use(self, model: DarkModel, last_dark_id: str) -> None:
        """Take a model newly learned; what the earlier one predicted is stored, and not asked for again."""
        self.model, self.last_dark_id, self.missing = model, last_dark_id, ""
        self.predictions.clear()

    def drop(self, damaged: Set[str]) -> None:
        """Let what the disk has damaged serve no more."""
        for sort in self.sorts.values():
            sort.drop(damaged)
        spoiled = {key: one.record_id for key, one in self.predictions.items() if one.record_id in damaged}
        self.spoiled.update(spoiled.values())
        for key in spoiled:
            del self.predictions[key]

    def begin_anew(self) -> None:
        """Set all darks aside."""
        self.sorts[Kind.DARK].kept.clear()
        self.model, self.learned, self.darker_in_a_row = None, 0, 0
        self.missing = "the earlier darks have seen light and were set aside"
        self.predictions.clear()

    def remember(self, predicted: ModelledDark) -> None:
        """Keep a prediction for the samples to come."""
        self.predictions[predicted.integration_us, predicted.temperature_c] = predicted
        self.unstored.add(predicted.record_id)
        if len(self.predictions) > PREDICTIONS:
            _, dropped = self.predictions.popitem(last=False)
            self.unstored.discard(dropped.record_id)


def tenth(celsius: float | None) -> float | None:
    """A temperature to a tenth of a kelvin, so that few predictions are made; None for one that is not known."""
    return None if celsius is None or not math.isfinite(celsius) else round(celsius, 1)


def conditions_of(capture: Capture) -> Conditions:
    """How a capture was taken."""
    return Conditions(
        device=capture.device.name,
        pixels=capture.device.pixels,
        integration_us=capture.integration_us,
        scans=capture.scans,
        boxcar_half_width_px=capture.boxcar_half_width_px,
        detector_temperature_c=tenth(capture.celsius),
    )


def shelved(capture: Capture, proven: bool) -> Shelved:
    """A capture as it stands on the shelf."""
    return Shelved(
        record_id=capture.record_id,
        kind=capture.kind,
        proven=proven,
        integration_us=capture.integration_us,
        scans=capture.scans,
        boxcar_half_width_px=capture.boxcar_half_width_px,
        temperature_c=capture.celsius,
        taken_at_utc=capture.taken_at_utc,
        monotonic_ns=capture.monotonic_ns,
        boot_id=capture.boot_id,
    )
