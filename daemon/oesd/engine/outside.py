"""Who has not been asked closely yet, with what each may gain at most by a coarse look.

Most of those who gain something beside no other light gain nothing beside that of the brightest elements: they need
never be asked closely (lazy greedy search: Minoux, Optimization Techniques, Springer 1978, 234).
"""

from __future__ import annotations

import numpy as np

from oesd.engine.lines import IntArray
from oesd.engine.scene import Scene
from oesd.engine.screening import Screening
from oesd.engine.suspects import Suspects
from oesd.model import FloatArray

SLACK_NATS = 2.0  # what the coarse gain of a suspect may miss
HOPEFUL_NATS = 0.5
AT_ONCE = 8  # suspects: to ask fewer takes hardly less time, ...
FEW, ALIKE = 3, 0.2  # ... but to ask those who are likely worth far less than the best: when he is claimed most are not


class Outside:
    """Suspects that may be worth their price, and were not asked closely yet; they go by their numbers.

    Attributes
    ----------
    hope : (suspects,) float64
        The margin that each may have beside no other light, nats, those that are hopeless included.
    waiting : (suspects,) bool
        Who is outside still.
    """

    def __init__(self, scene: Scene, suspects: Suspects) -> None:
        self._suspects, self._screening = suspects, Screening(scene)
        gains = self._screening.gains()
        gains[suspects.of < 0] = 0.0
        self.hope = suspects.best(gains) - suspects.price + SLACK_NATS
        self._hopeful = (gains > HOPEFUL_NATS) & (self.hope[suspects.of] > 0.0)
        self.waiting = np.zeros(len(self.hope), dtype=np.bool_)
        self.waiting[suspects.of[self._hopeful]] = True
        self._narrowed = False

    def bounds(self, others: FloatArray) -> FloatArray:
        """The margin that each of them has at most beside the others' light, nats; (suspects,)."""
        if not self._narrowed:
            self._screening.narrowed(self._hopeful)
            self._narrowed = True
        return self._suspects.best(self._screening.gains(others)) - self._suspects.price + SLACK_NATS

    def let_in(self, bounds: FloatArray, above: float, alike: bool = True) -> IntArray:
        """Species of the next whose bounds are best, and above a margin; ascending, none where nobody is left.

        They are ``AT_ONCE`` suspects at most; ``alike``: beyond ``FEW`` only those whose bound is a share of the
        best one's.
        """
        better = (self.waiting & (bounds > above)).nonzero()[0]
        if len(better) > FEW:
            order = better[(-bounds[better]).argsort(kind="stable")[:AT_ONCE]]
            if alike:
                order = order[: max(FEW, int(np.count_nonzero(bounds[order] > ALIKE * bounds[order[0]])))]
            better = order
        chosen = np.zeros(len(bounds) + 1, dtype=np.bool_)  # the last is that of species that nobody has
        chosen[better] = True
        self.waiting[better] = False
        return (self._hopeful & chosen[self._suspects.of]).nonzero()[0]
