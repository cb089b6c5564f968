"""What became of every slot, as lines that add up."""

from __future__ import annotations

from dataclasses import dataclass

from oesd.store import Tally


@dataclass(frozen=True, slots=True)
class Summary:
    """The tally of a data directory, for people.

    ``captured = stored + lost``; ``stored = processed + failed + waiting + let go``; where entries are forwarded,
    ``stored = confirmed + on the way + quarantined + let go``.
    """

    tally: Tally

    @property
    def complete(self) -> bool:
        """Whether nothing was lost and everything has arrived where it belongs."""
        tally = self.tally
        kept = tally.stored - sum(tally.tombstoned.values())
        return not tally.lost and tally.processed == kept == tally.confirmed

    def lines(self) -> list[str]:
        """One line for each number."""
        tally = self.tally
        lines = [
            f"captured  {tally.captured}  (beside them {tally.darks} darks, {tally.references} references)",
            f"stored    {tally.stored}",
            f"processed {tally.processed}" + (f"  (failed {tally.failed})" if tally.failed else ""),
            f"uploaded  {tally.uploaded}",
            f"confirmed {tally.confirmed}" + (f"  (quarantined {tally.quarantined})" if tally.quarantined else ""),
            *([f"let go    {let_go}"] if (let_go := sum(tally.tombstoned.values())) else []),
            f"lost      {sum(tally.lost.values())}",
        ]
        return lines + [f"    {reason}: {slots}" for reason, slots in sorted(tally.lost.items())]
