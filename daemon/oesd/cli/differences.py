"""What reprocessing would change, as lines and as objects."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from oesd.cli.ledger import second_text
from oesd.model.names import utc_text

if TYPE_CHECKING:
    from oesd.processing.differences import Difference
    from oesd.processing.reprocessing import Task

PEAKS_SHOWN = 6


def difference_object(task: Task, found: Difference) -> dict[str, Any]:
    """What would be another result of an entry, JSON-ready."""
    return {"device_name": task.device_name, "taken_at": utc_text(task.taken_at_utc), **found.as_dict()}


class Changes:
    """Of all entries together: in how many each element would be gained and lost."""

    def __init__(self) -> None:
        self.entries = 0
        self._gained: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._orphaned = 0

    def add(self, found: Difference) -> None:
        """Count an entry."""
        self.entries += 1
        self._gained.update(found.gained)
        self._lost.update(found.lost)
        self._orphaned += len(found.orphaned)

    def lines(self) -> list[str]:
        """What is counted, in a line each."""
        gained, lost = self._gained, self._lost
        names = sorted({*gained, *lost}, key=lambda name: (-gained[name] - lost[name], name))
        signs = ((gained, "+"), (lost, "-"))
        told = [f"{name} " + " ".join(f"{sign}{sums[name]}" for sums, sign in signs if sums[name]) for name in names]
        return ([f"elements by entries: {', '.join(told)}"] if told else []) + (
            [f"choices by hand that would find no peak: {self._orphaned}"] if self._orphaned else []
        )


def difference_line(task: Task, found: Difference) -> str:
    """What would be another result of an entry, in one line."""
    names = [f"+{name}" for name in found.gained] + [f"-{name}" for name in found.lost]
    renamed = [f"{r.peak_id} {r.wavelength_nm:.2f} {r.before or '-'}>{r.after or '-'}" for r in found.renamed]
    more = len(renamed) - PEAKS_SHOWN
    peaks = f"peaks {found.peaks_before}>{found.peaks_after}" if found.peaks_before != found.peaks_after else ""
    parts = [
        " ".join(names),
        ", ".join(renamed[:PEAKS_SHOWN]) + (f" and {more} more" if more > 0 else ""),
        peaks,
        *(f"ORPHANED choice {key}" for key in found.orphaned),
    ]
    head = f"{task.data_id}  {second_text(utc_text(task.taken_at_utc))}  {task.device_name}".rstrip()
    return f"{head}  " + "; ".join(part for part in parts if part)
