"""What the configuration wants of darks and references, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from oesd.backgrounds.library import Limits
from oesd.backgrounds.refresh import Policy
from oesd.model import Kind

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class BackgroundRules:
    """How far a dark or a reference may differ from its sample, when a new one is due, whether it is looked at.

    Attributes
    ----------
    max_age_us, max_temperature_k : int, float
        Beyond them one is only the last resort.
    renew_age_us, renew_temperature_k : int, float
        A new one is due beyond them; 0 switches a cause off, and with both off none is ever due.
    check : bool
        Refuse a dark that shows light, and a reference that is saturated or shows none.
    """

    max_age_us: int
    max_temperature_k: float
    renew_age_us: int
    renew_temperature_k: float
    check: bool = True

    def limits(self) -> Limits:
        """For the choice."""
        return Limits(temperature_k=self.max_temperature_k, age_s=self.max_age_us / 1e6)

    def policy(self, kind: Kind) -> Policy | None:
        """When one is due; None for never."""
        if not (self.renew_age_us or self.renew_temperature_k):
            return None
        return Policy(
            kind=kind,
            age_s=self.renew_age_us / 1e6 if self.renew_age_us else None,
            temperature_k=self.renew_temperature_k or None,
        )


DARK_RULES = BackgroundRules(_DAY_US, 2.0, 3_600_000_000, 1.0)
REFERENCE_RULES = BackgroundRules(7 * _DAY_US, 5.0, 0, 0.0)
