"""The free-running integrator of a detector."""

from __future__ import annotations

from dataclasses import dataclass

_ROUNDING_S = 5e-10


@dataclass(slots=True)
class FrameClock:
    """Integrations follow each other without a pause, whether anybody asks or not.

    A request gets the frame being integrated *now*; so the first spectrum after a change of integration time still has
    the old exposure (seabreeze issues 38, 110 and 177). Unless the detector starts afresh on a change.

    Attributes
    ----------
    integration_s : float
        Of the frame being integrated.
    started_s : float
        When that frame began.
    restarts : bool
        A new integration time stops the running frame at once.
    """

    integration_s: float
    started_s: float
    restarts: bool = False
    _next_s: float | None = None

    def set(self, integration_s: float, now_s: float) -> None:
        """Order a new integration time."""
        self._advance(now_s)
        if self.restarts:
            self.integration_s, self.started_s = integration_s, now_s
        else:
            self._next_s = integration_s

    @property
    def ordered_s(self) -> float:
        """The integration time ordered last."""
        return self.integration_s if self._next_s is None else self._next_s

    def request(self, now_s: float) -> tuple[float, float]:
        """Return when the running frame is ready, and its integration time, both in s."""
        self._advance(now_s)
        return self.started_s + self.integration_s, self.integration_s

    def _advance(self, now_s: float) -> None:
        """Let frames pass until the running one ends after ``now_s``."""
        now_s += _ROUNDING_S  # who asks at the very moment a frame is ready wants the next one
        if self._next_s is not None and now_s >= self.started_s + self.integration_s:
            self.started_s += self.integration_s
            self.integration_s, self._next_s = self._next_s, None
        passed = int((now_s - self.started_s) / self.integration_s)
        self.started_s += passed * self.integration_s
