"""How sentences begin, or what they hold, that one room writes and another goes by: each is spelt here alone.

They stand as sentences in results and files of every version, so they are told apart by their words, and no code stands
beside them; changing one here leaves what is stored without its meaning.
"""

from __future__ import annotations

NONLINEARITY = "non-linearity coefficients"
"""Begins a warning: they are not believable, and not applied."""
STRAY_LIGHT = "stray-light coefficients"
"""As :data:`NONLINEARITY`."""
DARK_EXPOSED = "the dark was exposed for"
"""Begins a warning: so long, and the sample another time."""
BEYOND_LIMITS = "beyond the limits"
"""Is part of the reason of a dark or a reference that was chosen for want of a better one."""
